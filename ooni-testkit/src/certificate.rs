//! Certificate authorities, and certificates of TLS servers that they issue.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate authority that no system trusts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate in PEM, for a file of authorities.
    pub pem: String,
}

/// A certificate of a server, and its private key.
pub struct Certificate {
    /// The certificate in PEM.
    pub pem: String,
    /// The private key in PEM (PKCS #8).
    pub key_pem: String,
}

impl Authority {
    /// Creates an authority. Authorities of different names have different subjects.
    ///
    /// # Errors
    /// No key could be generated.
    pub fn new(name: &str) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// Issues a certificate for names and addresses.
    ///
    /// # Errors
    /// A name is not a DNS name, or no key could be generated.
    pub fn issue(&self, names: &[&str]) -> Result<Certificate> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.issuer)?;
        Ok(Certificate { pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}
