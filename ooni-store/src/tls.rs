//! TLS of engines on servers, and what they say when there is no connection.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Which servers are believed.
pub(crate) fn tls(roots: Option<&str>) -> Result<ClientConfig, String> {
    let refuse = |file: &str, error: &dyn std::error::Error| format!("sslrootcert {file}: {error}");
    let mut store = RootCertStore::empty();
    match roots {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refuse(file, &error))? {
                let certificate = certificate.map_err(|error| refuse(file, &error))?;
                store.add(certificate).map_err(|error| refuse(file, &error))?;
            }
        }
        // Those that cannot be read are as good as not there.
        None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("no TLS: {error}"))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

/// An error and what it came from, in a line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
