//! Which certificate authorities are trusted.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::env;
use std::ffi::OsStr;
use std::sync::Arc;

/// TLS with the authorities of `AWS_CA_BUNDLE`, else of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else of the system.
///
/// # Errors
/// A sentence that names the variable whose file or folder has no usable certificate.
pub(super) fn config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match variable("AWS_CA_BUNDLE") {
        Some(file) => bundle(&file, &mut roots).map_err(|why| format!("AWS_CA_BUNDLE {}: {why}", file.display()))?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _unusable) = roots.add_parsable_certificates(found.certs);
            let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter(|name| variable(name).is_some());
            let named: Vec<_> = named.collect();
            if added == 0 && !named.is_empty() {
                let why = found.errors.first().map_or("no certificates found".to_owned(), ToString::to_string);
                return Err(format!("{}: {why}", named.join(", ")));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("no TLS: {error}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn bundle(file: &OsStr, roots: &mut RootCertStore) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    // System bundles contain some certificates that are too old to be parsed.
    let (added, _unusable) = roots.add_parsable_certificates(certificates.map_err(|error| error.to_string())?);
    if added == 0 { Err("no certificates found".to_owned()) } else { Ok(()) }
}
