//! [`Tls`]: the certificate of the server, which is read again when its files change.

use anyhow::Context;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// TLS by a certificate and a private key in PEM files.
///
/// The files are looked at before each handshake. New ones that cannot be used are reported once, and the old ones are
/// used until they change again.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    /// The files as they were when they were read.
    versions: [Version; 2],
    config: Arc<ServerConfig>,
}

/// What shows that a file was changed or replaced: its modification time and length. `None` if it cannot be read.
type Version = Option<(SystemTime, u64)>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read, or the key is not that of the certificate.
    pub fn open(certificate: &Path, key: &Path) -> anyhow::Result<Tls> {
        let versions = [version(certificate), version(key)];
        let config = load(certificate, key)?;
        Ok(Tls {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            loaded: Mutex::new(Loaded { versions, config }),
        })
    }

    /// The configuration of a new connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let versions = [version(&self.certificate), version(&self.key)];
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.versions != versions {
            loaded.versions = versions;
            match load(&self.certificate, &self.key) {
                Ok(config) => {
                    tracing::info!(path = %self.certificate.display(), "the TLS certificate was read again");
                    loaded.config = config;
                }
                Err(error) => tracing::error!("the TLS certificate is not replaced: {error:#}"),
            }
        }
        Arc::clone(&loaded.config)
    }
}

fn version(path: &Path) -> Version {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(certificate: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
    let private_key =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the private key {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .with_context(|| format!("cannot use {} with {}", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ooni_testkit::certificate::Authority;
    use std::fs;

    #[test]
    fn reload() {
        let directory = tempfile::tempdir().unwrap();
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| directory.path().join(name));
        let authority = Authority::new("test").unwrap();
        let [first, second] = ["first.example", "second.longer.example"].map(|name| authority.issue(&[name]).unwrap());

        let error = format!("{:#}", Tls::open(&certificate, &key).unwrap_err());
        assert!(error.contains("certificate.pem"), "{error}");
        fs::write(&certificate, &first.pem).unwrap();
        fs::write(&key, &second.key_pem).unwrap();
        let error = format!("{:#}", Tls::open(&certificate, &key).unwrap_err());
        assert!(error.contains("cannot use"), "{error}");

        fs::write(&key, &first.key_pem).unwrap();
        let tls = Tls::open(&certificate, &key).unwrap();
        let config = tls.current();
        assert!(Arc::ptr_eq(&tls.current(), &config), "unchanged files were read again");

        // Only one of two files is new: the old ones stay.
        fs::write(&certificate, &second.pem).unwrap();
        assert!(Arc::ptr_eq(&tls.current(), &config));
        fs::remove_file(&key).unwrap();
        assert!(Arc::ptr_eq(&tls.current(), &config));
        fs::write(&key, &second.key_pem).unwrap();
        assert!(!Arc::ptr_eq(&tls.current(), &config));
    }
}
