//! Proxies and certificate authorities of the environment.

use super::*;
use ooni_testkit::certificate::Authority;
use ooni_testkit::http_server::{HttpServer, answer, proxy, serve_tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::{Duration, Instant};

const HOST: &str = "archive.example";

/// `user:p@ss` in base64.
const CREDENTIALS: &str = "dXNlcjpwQHNz";

/// A dry run; permanent errors must not be retried.
fn dry_run(endpoint: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let begun = Instant::now();
    let mut command = command(&["--source", "s3://archive", "--s3-endpoint", endpoint, "--dry-run"]);
    let ran = command.envs(environment.iter().copied()).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{}", text(&ran.stderr));
    (ran.status.code(), format!("{}{}", text(&ran.stdout), text(&ran.stderr)))
}

#[test]
fn proxies_that_forward() {
    let root = buckets();
    let server = start(root.path(), Plan::default());
    let address = server.url.trim_start_matches("http://");
    for (name, with_credentials) in
        [("HTTP_PROXY", false), ("http_proxy", true), ("ALL_PROXY", true), ("all_proxy", false)]
    {
        let proxy = proxy(address, with_credentials.then_some(CREDENTIALS));
        let user = if with_credentials { "user:p%40ss@" } else { "" };
        let url = format!("http://{user}{}", proxy.address);
        let (code, said) = dry_run(&format!("http://{HOST}:9000"), &[(name, &url), ("NO_PROXY", "other.example")]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(said.contains("5003400"), "{said}");
        let asked = proxy.asked();
        assert!(
            !asked.is_empty() && asked.iter().all(|head| head.starts_with("GET http://archive.example:9000/archive/?"))
        );
    }
    for no_proxy in ["127.0.0.1", "127.0.0.0/8", "*"] {
        let proxy = proxy(address, None);
        let url = format!("http://{}", proxy.address);
        let (code, said) = dry_run(&server.url, &[("http_proxy", &url), ("no_proxy", no_proxy)]);
        assert_eq!((code, proxy.asked().len()), (Some(0), 0), "{no_proxy}: {said}");
    }
}

#[test]
fn proxies_that_refuse_are_reported_at_once() {
    let proxy = proxy("127.0.0.1:1", Some(CREDENTIALS));
    let url = format!("http://user:wrong@{}", proxy.address);
    for scheme in ["http", "https"] {
        let (code, said) = dry_run(&format!("{scheme}://{HOST}"), &[("ALL_PROXY", &url)]);
        assert_eq!(code, Some(1));
        assert!(said.contains("proxy") && said.contains("credentials") && !said.contains("wrong"), "{said}");
    }
    let (code, said) = dry_run("http://archive.example", &[("HTTP_PROXY", "ftp://user:secret@proxy")]);
    assert_eq!(code, Some(2));
    assert!(said.contains("HTTP_PROXY: not the URL of a proxy") && !said.contains("secret"), "{said}");
}

/// A server whose certificate is from a private authority, and the certificate of that authority.
fn with_private_authority() -> (HttpServer, String) {
    let authority = Authority::new("private").unwrap();
    let certificate = authority.issue(&[HOST, "127.0.0.1"]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listing = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>5003400</Size>\
                   <Key>raw/20201020/11/IT/urlgetter/2020102011_IT_urlgetter.n1.0.tar.gz</Key></Contents></ListBucketResult>";
    let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let server = serve_tls(Arc::new(config), move |head| {
        let body = if head.contains("prefix=raw%2F20201020%2F") { listing } else { empty };
        answer("200 OK", "", body.as_bytes())
    });
    (server, authority.pem)
}

#[test]
fn certificate_authorities() {
    let (server, authority) = with_private_authority();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority).unwrap();
    let (file, folder) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    let endpoint = format!("https://{}", server.address);
    for name in ["SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
        let (code, said) = dry_run(&endpoint, &[(name, file)]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(said.contains("5003400"), "{said}");
    }
    let (code, said) = dry_run(&endpoint, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("TLS: invalid peer certificate: UnknownIssuer"), "{said}");
    for (name, value) in
        [("AWS_CA_BUNDLE", "/nonexistent"), ("SSL_CERT_FILE", "/nonexistent"), ("AWS_CA_BUNDLE", folder)]
    {
        let (code, said) = dry_run(&endpoint, &[(name, value)]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(name), "{said}");
    }
    // Through a tunnel, to a name that no resolver knows.
    let proxy = proxy(&server.address, Some(CREDENTIALS));
    let url = format!("http://user:p%40ss@{}", proxy.address);
    let (code, said) = dry_run(&format!("https://{HOST}"), &[("HTTPS_PROXY", &url), ("SSL_CERT_FILE", file)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(proxy.asked().iter().all(|head| head.starts_with("CONNECT archive.example:443 ")), "{:?}", proxy.asked());
}
