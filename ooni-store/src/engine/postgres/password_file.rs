//! Password files of libpq: lines of `HOST:PORT:DATABASE:USER:PASSWORD`.
//! Source: <https://www.postgresql.org/docs/current/libpq-pgpass.html>.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a password is looked up by. A host may have several names.
pub(super) struct Wanted<'w> {
    pub(super) hosts: &'w [String],
    pub(super) port: u16,
    pub(super) database: &'w str,
    pub(super) user: &'w str,
}

/// The text of a password file, if it exists.
///
/// # Errors
/// Why the file is ignored: others have access to it, or it is not a regular file.
pub(super) fn read(file: &Path) -> Result<Option<String>, String> {
    let ignored = |why: &str| format!("the password file {} is ignored: {why}", file.display());
    let Ok(metadata) = fs::metadata(file) else { return Ok(None) };
    if !metadata.is_file() {
        return Err(ignored("not a regular file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(ignored("others have access to it; its permissions must be 0600 or less"));
    }
    fs::read_to_string(file).map(Some).map_err(|error| ignored(&error.to_string()))
}

/// The password of the first matching line.
pub(super) fn find(text: &str, wanted: &Wanted<'_>) -> Option<String> {
    let port = wanted.port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let [host, number, database, user, password] = fields(line)?;
        let fits = |field: &Field, value: &str| field.is_any || field.text == value;
        let is_it = wanted.hosts.iter().any(|name| fits(&host, name))
            && fits(&number, &port)
            && fits(&database, wanted.database)
            && fits(&user, wanted.user);
        is_it.then_some(password.text)
    })
}

/// A field of a line.
struct Field {
    text: String,
    /// Whether it is an unescaped `*`.
    is_any: bool,
}

/// The fields of a line. A backslash escapes a colon or a backslash; the last field extends to the end.
fn fields(line: &str) -> Option<[Field; 5]> {
    let mut fields = vec![String::new()];
    let mut raw = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == ':' && fields.len() < 5 {
            fields.push(String::new());
            raw.push(String::new());
            continue;
        }
        let meant = if character == '\\' { characters.next().unwrap_or('\\') } else { character };
        fields.last_mut()?.push(meant);
        raw.last_mut()?.push(character);
    }
    let fields = fields.into_iter().zip(raw).map(|(text, raw)| Field { text, is_any: raw == "*" });
    fields.collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_line() {
        let text = "# h:1:d:u:comment\nh:1:d:u:first\nh:1:d:*:second\nh\\:\\\\:*:*:u:a\\:b:c\\\\\n*:5432:d:u:\nshort:line\n\\*:*:*:*:star\n/run/x:*:*:*:socket\n";
        let find =
            |host: &str, port, database, user| find(text, &Wanted { hosts: &[host.to_owned()], port, database, user });
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(find("h", 1, "d", "u"), some("first"));
        assert_eq!(find("h", 1, "d", "v"), some("second"));
        assert_eq!(find("h", 2, "d", "u"), None);
        assert_eq!(find("h:\\", 2, "d", "u"), some("a:b:c\\"));
        assert_eq!(find("x", 5432, "d", "u"), some(""));
        assert_eq!(find("*", 1, "x", "u"), some("star"));
        assert_eq!(find("/run/x", 1, "x", "u"), some("socket"));
    }

    #[test]
    fn a_file_that_others_read_is_ignored() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "*:*:*:*:x").unwrap();
        let permit = |mode| fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        permit(0o600);
        assert_eq!(read(file.path()).unwrap().as_deref(), Some("*:*:*:*:x"));
        permit(0o640);
        let said = read(file.path()).unwrap_err();
        assert!(
            said.ends_with(" is ignored: others have access to it; its permissions must be 0600 or less"),
            "{said}"
        );
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().ends_with(" is ignored: not a regular file"));
        assert!(read(&folder.path().join("none")).unwrap().is_none());
    }
}
