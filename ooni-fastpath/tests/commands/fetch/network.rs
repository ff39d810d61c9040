//! Proxies and certificate authorities of the environment.

use super::*;
use ooni_testkit::certificate::Authority;
use ooni_testkit::http_server::{HttpServer, answer, proxy, serve, serve_tls, socks5, tls_config};
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
    let (code, said) = dry_run("http://archive.example", &[("all_proxy", "socks4://user:secret@proxy:1080")]);
    assert_eq!(code, Some(2));
    let supported = "supported are http, https, socks5, socks5h\n";
    assert!(said.ends_with(&format!("all_proxy: socks4 proxies are not supported; {supported}")), "{said}");
}

#[test]
fn socks5_proxies() {
    let root = buckets();
    let server = start(root.path(), Plan::default());
    let address = server.url.trim_start_matches("http://");
    let credentials = ("user", "p@ss");
    for (scheme, endpoint, asked) in [
        // The proxy resolves the name, which no other resolver knows.
        ("socks5h", "http://archive.example:9000", "archive.example:9000"),
        ("socks5h", "http://archive.example", "archive.example:80"),
        ("socks5", "http://127.0.0.9:9000", "127.0.0.9:9000"),
    ] {
        for with_credentials in [false, true] {
            let proxy = socks5(address, with_credentials.then_some(credentials));
            let user = if with_credentials { "user:p%40ss@" } else { "" };
            let (code, said) = dry_run(endpoint, &[("ALL_PROXY", &format!("{scheme}://{user}{}", proxy.address))]);
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains("5003400"), "{said}");
            assert!(!proxy.asked().is_empty() && proxy.asked().iter().all(|to| to == asked), "{:?}", proxy.asked());
        }
    }
    let (server, authority) = with_private_authority();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority).unwrap();
    let proxy = socks5(&server.address, None);
    let variables =
        [("HTTPS_PROXY", &*format!("socks5h://{}", proxy.address)), ("SSL_CERT_FILE", file.to_str().unwrap())];
    let (code, said) = dry_run(&format!("https://{HOST}"), &variables);
    assert_eq!(code, Some(0), "{said}");
    assert!(proxy.asked().iter().all(|to| to == "archive.example:443"), "{:?}", proxy.asked());

    let proxy = socks5(address, Some(credentials));
    let unknown = "x".repeat(64); // a label of a host name has at most 63 letters, so no resolver is asked
    for (url, endpoint, why) in [
        (
            format!("socks5h://user:wrong@{}", proxy.address),
            "http://archive.example",
            "the proxy rejects the credentials",
        ),
        (format!("socks5h://{}", proxy.address), "http://archive.example", "the proxy demands credentials"),
        (format!("socks5h://{unknown}.example"), "http://archive.example", "unknown host"),
        (format!("socks5://{}", proxy.address), &*format!("http://{unknown}.example"), "unknown host"),
    ] {
        let (code, said) = dry_run(endpoint, &[("ALL_PROXY", &url)]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(why) && !said.contains("wrong"), "{url}: {said}");
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

/// A server whose certificate is from a private authority, and the certificate of that authority.
fn with_private_authority() -> (HttpServer, String) {
    let authority = Authority::new("private").unwrap();
    let config = tls_config(&authority.issue(&[HOST, "127.0.0.1"]).unwrap());
    let listing = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>5003400</Size>\
                   <Key>raw/20201020/11/IT/urlgetter/2020102011_IT_urlgetter.n1.0.tar.gz</Key></Contents></ListBucketResult>";
    let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let server = serve_tls(config, move |head| {
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
    // Folders are separated by colons. As in OpenSSL, a certificate can be named after the hash of its subject.
    let hashed = TempDir::new().unwrap();
    fs::copy(file, hashed.path().join("0a1b2c3d.0")).unwrap();
    let (hashed, empty) = (hashed.path().to_str().unwrap(), TempDir::new().unwrap());
    let empty = empty.path().to_str().unwrap();
    for folders in [folder, hashed, &format!("{empty}:{folder}"), &format!("/nonexistent:{folder}")] {
        let (code, said) = dry_run(&endpoint, &[("SSL_CERT_DIR", folders)]);
        assert_eq!(code, Some(0), "{folders}: {said}");
        assert!(said.contains("5003400"), "{said}");
    }
    let (code, said) = dry_run(&endpoint, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("TLS: invalid peer certificate: UnknownIssuer"), "{said}");
    for (name, value) in [
        ("AWS_CA_BUNDLE", "/nonexistent"),
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_DIR", "/nonexistent"),
        ("SSL_CERT_DIR", empty),
        ("AWS_CA_BUNDLE", folder),
    ] {
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

/// The server says which region a bucket is in, with a redirect or an error. Requests are signed for that region from then on.
#[test]
fn a_bucket_in_another_region() {
    let body = |code: &str, region: &str| format!("<Error><Code>{code}</Code><Region>{region}</Region></Error>");
    for (status, headers, body) in [
        ("301 Moved Permanently", "x-amz-bucket-region: eu-central-1\r\n", body("PermanentRedirect", "")),
        ("400 Bad Request", "x-amz-bucket-region: eu-central-1\r\n", body("AuthorizationHeaderMalformed", "")),
        ("400 Bad Request", "", body("AuthorizationHeaderMalformed", "eu-central-1")),
    ] {
        let answered = body.clone();
        let server = serve(move |head| match head.contains("/eu-central-1/s3/aws4_request") {
            false => answer(status, headers, answered.as_bytes()),
            true => {
                let listing = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>7</Size>\
                               <Key>raw/20201020/11/IT/urlgetter/x.tar.gz</Key></Contents></ListBucketResult>";
                let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
                let is_listed = head.contains("prefix=raw%2F20201020%2F");
                answer("200 OK", "", if is_listed { listing } else { empty }.as_bytes())
            }
        });
        let variables = [
            ("AWS_ACCESS_KEY_ID", "KEYOFTHISTEST"),
            ("AWS_SECRET_ACCESS_KEY", "SECRETOFTHISTEST"),
            ("AWS_REGION", "us-west-2"),
        ];
        let (code, said) = dry_run(&format!("http://{}", server.address), &variables);
        assert_eq!(code, Some(0), "{status} {body}: {said}");
        assert!(said.contains("urlgetter     1      7"), "{said}");
        let asked = server.asked();
        let wrong = asked.iter().filter(|head| head.contains("/us-west-2/s3/aws4_request")).count();
        // The first requests are parallel; later ones know the region.
        assert!((1..=2).contains(&wrong) && asked.len() == 4 + wrong, "{wrong} of {}", asked.len());
    }
}
