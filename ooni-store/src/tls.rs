//! TLS for the engines on servers, and the formatting of their errors on one line.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// How a server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// It is not verified. Protects from eavesdroppers, but not from a man in the middle.
    Nothing,
    /// A trusted authority must have issued it, for any host.
    Authority,
    /// A trusted authority must have issued it for this host.
    Host,
}

/// The configuration of a client that trusts the authorities in the file `roots`, or those of the system.
///
/// # Errors
/// An error message: the file, or that of a variable of the environment, cannot be read or contains no certificates.
pub(crate) fn tls(roots: Option<&str>, verify: Verify) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("cannot set up TLS: {error}"))?;
    let roots = match verify {
        Verify::Nothing => None,
        _ => Some(Arc::new(trusted(roots)?)),
    };
    let Some(roots) = roots else {
        let verifier = Arc::new(Lenient { inner: None, provider });
        return Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    };
    if verify == Verify::Host {
        return Ok(config.with_root_certificates(roots).with_no_client_auth());
    }
    let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let inner = inner.map_err(|error| format!("cannot set up TLS: {error}"))?;
    let verifier = Arc::new(Lenient { inner: Some(inner), provider });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn trusted(roots: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match roots {
        None | Some("system") => {
            let found = rustls_native_certs::load_native_certs();
            // System certificates that cannot be parsed are ignored.
            store.add_parsable_certificates(found.certs);
            let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let variables: Vec<_> = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter(is_set).collect();
            if store.is_empty() && !variables.is_empty() {
                let why = found.errors.first().map_or("contains no certificates".to_owned(), ToString::to_string);
                return Err(format!("{}: {why}", variables.join(", ")));
            }
        }
        Some(file) => {
            let refuse = |error: &dyn std::error::Error| format!("sslrootcert {file}: {error}");
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refuse(&error))? {
                store.add(certificate.map_err(|error| refuse(&error))?).map_err(|error| refuse(&error))?;
            }
            if store.is_empty() {
                return Err(format!("sslrootcert {file}: contains no certificates"));
            }
        }
    }
    Ok(store)
}

/// Accepts a certificate for any host and, without `inner`, from any issuer. The handshake signature is still verified, so
/// the server must have the certificate's private key.
#[derive(Debug)]
struct Lenient {
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(certificate, intermediates, name, ocsp_response, now) {
            // The name is checked last, so everything else is valid.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// An error and its sources, on one line.
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
