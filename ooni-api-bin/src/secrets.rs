//! [`Secrets`]: the keys of a server, in files of its state directory that only their owner can read.
//!
//! A key that is missing is generated. An existing one, such as the reference's, can be put into its file: the key is the
//! text without the line feed at its end.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Random bytes of a generated key. It is stored as twice as many hexadecimal digits.
const GENERATED: usize = 32;

/// The shortest key that is accepted, in bytes.
const SHORTEST: usize = 12;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 4096;

/// The keys of a server.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Signs the tokens of probes.
    pub probe_token: Secret,
    /// Signs the tokens of users.
    pub user_token: Secret,
    /// Hashes addresses of accounts.
    pub account_id: Secret,
    /// The password for metrics, unless the settings name another one.
    pub metrics_password: Secret,
}

impl Secrets {
    /// Reads the keys in `STATE/secrets`, and generates those that are missing.
    ///
    /// # Errors
    /// A file cannot be read or written, is too short, or others may read it.
    pub fn open(state_dir: &Path) -> io::Result<Secrets> {
        let dir = state_dir.join("secrets");
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        created.map_err(|error| named(&dir, &error))?;
        let secret = |name: &str| {
            let path = dir.join(name);
            Secret::open(&path).map_err(|error| named(&path, &error))
        };
        Ok(Secrets {
            probe_token: secret("probe_token.key")?,
            user_token: secret("user_token.key")?,
            account_id: secret("account_id.key")?,
            metrics_password: secret("metrics_password")?,
        })
    }
}

/// A key. It is never printed.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Secret {
        Secret(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn open(path: &Path) -> io::Result<Secret> {
        match File::open(path) {
            Ok(file) => Secret::read(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                generate(path)?;
                Secret::read(File::open(path)?)
            }
            Err(error) => Err(error),
        }
    }

    fn read(file: File) -> io::Result<Secret> {
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            let error = format!("the key can be read by others (mode {:04o}): run chmod 600", mode & 0o7777);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
        }
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if !(SHORTEST..=LONGEST as usize).contains(&bytes.len()) {
            let error = format!("a key must have {SHORTEST} to {LONGEST} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(Secret(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Writes a new key. If another process does the same at the same time, the first one wins.
fn generate(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut bytes = [0; GENERATED];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    // Temporary files have the mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(file, "{}", ooni_core::hex::hex(bytes))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
        _ => {}
    }
    File::open(dir)?.sync_all()
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn keys_are_generated_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::open(dir.path()).unwrap();
        let again = Secrets::open(dir.path()).unwrap();
        assert_eq!(first.probe_token.bytes(), again.probe_token.bytes());
        assert_ne!(first.probe_token.bytes(), first.user_token.bytes());
        assert_ne!(first.user_token.bytes(), first.account_id.bytes());
        assert_eq!(first.probe_token.bytes().len(), 2 * GENERATED);
        for name in ["probe_token.key", "user_token.key", "account_id.key", "metrics_password"] {
            let mode = fs::metadata(dir.path().join("secrets").join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name}");
        }
        assert_eq!(fs::read_dir(dir.path().join("secrets")).unwrap().count(), 4);
        let text = String::from_utf8(first.probe_token.bytes().to_vec()).unwrap();
        assert!(!format!("{first:?}").contains(&text));
    }

    #[test]
    fn files_of_the_operator() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets/probe_token.key");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let write = |text: &[u8], mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Secrets::open(dir.path()).map(|secrets| secrets.probe_token.0).map_err(|error| error.to_string())
        };
        assert_eq!(write(b"super_secure\n", 0o600).unwrap(), b"super_secure");
        assert_eq!(write(b"super_secure", 0o400).unwrap(), b"super_secure");
        let named = |reason: &str| Err(format!("{}: {reason}", path.display()));
        let by_others = "the key can be read by others (mode 0640): run chmod 600";
        assert_eq!(write(b"super_secure", 0o640), named(by_others));
        assert_eq!(write(b"secret", 0o600), named("a key must have 12 to 4096 bytes"));
        assert_eq!(write(&[b'x'; 5000], 0o600), named("a key must have 12 to 4096 bytes"));
    }
}
