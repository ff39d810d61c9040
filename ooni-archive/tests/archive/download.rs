//! Downloads by URL, from a server with faults.

use ooni_archive::blobs::RetryPolicy;
use ooni_archive::download::{DownloadError, Downloaded, Downloader, Version};
use ooni_testkit::http_server::{HttpServer, answer, serve};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MOST: u64 = 1 << 20;

fn downloader() -> Downloader {
    let wait = Duration::from_millis(5);
    let retry = RetryPolicy { attempts: 3, first_wait: wait, longest_wait: wait, ..RetryPolicy::default() };
    Downloader::new(retry, "ooni-tests/1").unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn get(url: &str, known: Option<&Version>) -> Result<(Downloaded, Vec<u8>), DownloadError> {
    let mut file: File = tempfile::tempfile().unwrap();
    let downloaded = downloader().get(url, MOST, known, &mut file).await?;
    let mut content = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut content)).unwrap();
    Ok((downloaded, content))
}

fn url(server: &HttpServer, path: &str) -> String {
    format!("http://{}{path}", server.address)
}

/// A server that answers the first requests with other responses.
fn at_first(responses: Vec<Vec<u8>>, then: Vec<u8>) -> HttpServer {
    let count = AtomicUsize::new(0);
    serve(move |_| responses.get(count.fetch_add(1, Ordering::SeqCst)).unwrap_or(&then).clone())
}

#[test]
fn a_file_and_its_version() {
    let content = vec![7; 600_000];
    let body = content.clone();
    let server = serve(move |_| answer("200 OK", "ETag: \"1\"\r\nLast-Modified: Tue\r\n", &body));
    let (downloaded, received) = get(&url(&server, "/a/b.csv?x=1#part"), None).unwrap();
    let version = Version { etag: Some("\"1\"".to_owned()), last_modified: Some("Tue".to_owned()) };
    assert_eq!(downloaded, Downloaded::File { bytes: 600_000, version });
    assert!(received == content);
    let head = server.asked().concat().to_ascii_lowercase();
    assert!(head.starts_with("get /a/b.csv?x=1 http/1.1"), "{head}");
    assert!(head.contains("user-agent: ooni-tests/1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.address)), "{head}");
    assert!(!head.contains("if-none-match"), "{head}");
}

#[test]
fn a_file_that_is_not_modified() {
    let server = serve(|head| match head.to_ascii_lowercase().contains("if-none-match: \"1\"\r\n") {
        true => answer("304 Not Modified", "", b""),
        false => answer("200 OK", "ETag: \"1\"\r\n", b"content"),
    });
    let (downloaded, _) = get(&url(&server, "/"), None).unwrap();
    let Downloaded::File { version, .. } = downloaded else { panic!("{downloaded:?}") };
    assert_eq!(get(&url(&server, "/"), Some(&version)).unwrap(), (Downloaded::NotModified, Vec::new()));
    let other = Version { etag: Some("\"2\"".to_owned()), last_modified: None };
    assert_eq!(get(&url(&server, "/"), Some(&other)).unwrap().1, b"content");
    // Without a known version, the answer makes no sense.
    let always = serve(|_| answer("304 Not Modified", "", b""));
    assert_eq!(get(&url(&always, "/"), None).unwrap_err().why, "HTTP 304");
}

#[test]
fn redirects() {
    let target = serve(|_| answer("200 OK", "", b"content"));
    let location = format!("Location: {}\r\n", url(&target, "/there"));
    let relative = |head: &str| head.starts_with("GET /a/start ");
    let server = serve(move |head| match relative(head) {
        true => answer("301 Moved Permanently", "Location: ../b\r\n", b""),
        false => answer("302 Found", &location, b"see there"),
    });
    assert_eq!(get(&url(&server, "/a/start"), None).unwrap().1, b"content");
    assert!(server.asked()[1].starts_with("GET /b "), "{:?}", server.asked());
    assert!(target.asked()[0].starts_with("GET /there "), "{:?}", target.asked());
    let endless = serve(|_| answer("302 Found", "Location: /again\r\n", b""));
    assert_eq!(get(&url(&endless, "/"), None).unwrap_err().why, "too many redirects");
    assert_eq!(endless.asked().len(), 11);
    let local = serve(|_| answer("302 Found", "Location: file:///etc/passwd\r\n", b""));
    assert_eq!(get(&url(&local, "/"), None).unwrap_err().why, "a URL that begins with neither http:// nor https://");
}

#[test]
fn failures_that_are_retried() {
    let failing = answer("500 Internal Server Error", "", b"");
    let busy = answer("429 Too Many Requests", "Retry-After: 0\r\n", b"");
    let mut cut = answer("200 OK", "", &[1; 5000]);
    cut.truncate(3000);
    let good = answer("200 OK", "", b"content");
    for faults in [vec![failing.clone(), busy], vec![cut.clone()], vec![Vec::new(), cut.clone()]] {
        let server = at_first(faults.clone(), good.clone());
        assert_eq!(get(&url(&server, "/"), None).unwrap().1, b"content");
        assert_eq!(server.asked().len(), faults.len() + 1);
    }
    for (always, why) in [(failing, "HTTP 500 (3 attempts)"), (cut, "")] {
        let server = at_first(Vec::new(), always);
        let error = get(&url(&server, "/?token=secret"), None).unwrap_err();
        assert!(error.why.contains(why) && !error.is_missing, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[test]
fn failures_that_are_not_retried() {
    let endless = [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &vec![b'x'; 2 << 20]].concat();
    for (response, why, is_missing) in [
        (answer("404 Not Found", "", b""), "HTTP 404", true),
        (answer("403 Forbidden", "", b""), "HTTP 403", false),
        (answer("206 Partial Content", "", b"x"), "HTTP 206", false),
        (answer("200 OK", "", &vec![b'x'; 2 << 20]), "the file has more than 1048576 bytes", false),
        (endless, "the file has more than 1048576 bytes", false),
    ] {
        let server = at_first(Vec::new(), response);
        let error = get(&url(&server, "/"), None).unwrap_err();
        assert_eq!((error.why.as_str(), error.is_missing), (why, is_missing));
        assert_eq!(server.asked().len(), 1);
    }
}
