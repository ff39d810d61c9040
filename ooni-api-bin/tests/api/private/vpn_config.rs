//! `vpn-config` with and without a directory of files.

use super::encoded;
use crate::support::Server;
use crate::support::client::Reply;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

fn detail(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("cache-control"), Some("no-cache"), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    let body = reply.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    (reply.status, body["detail"].as_str().unwrap().to_owned())
}

fn not_found() -> (u16, String) {
    (404, "provider not found".to_owned())
}

fn no_credentials() -> (u16, String) {
    (500, "could not fetch credentials".to_owned())
}

fn get(server: &Server, provider: &str) -> Reply {
    server.get(&format!("/api/v2/ooniprobe/vpn-config/{}", encoded(provider)))
}

#[test]
fn providers_without_files() {
    let server = Server::start(|_| {});
    assert_eq!(detail(&get(&server, "riseupvpn")), no_credentials());
    assert_eq!(detail(&get(&server, "nosuch")), not_found());
    let missing = Server::start(|config| config.probe.vpn_config = config.state_dir.join("nosuch"));
    assert_eq!(detail(&get(&missing, "riseupvpn")), no_credentials());
    assert_eq!(detail(&get(&missing, "nosuch")), not_found());
}

#[test]
fn files_of_providers() {
    let text = "{\"provider\": \"riseupvpn\",\n \"protocol\": \"openvpn\", \"config\": {\"ca\": \"а\"}, \"n\": 1.0}\n";
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.json"), "{}").unwrap();
    let server = Server::start(|config| {
        let directory = outside.path().join("vpn");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("riseupvpn.json"), text).unwrap();
        fs::write(directory.join("other-1_x.json"), "{}").unwrap();
        fs::write(directory.join("list.json"), "[]").unwrap();
        fs::write(directory.join("broken.json"), "{\"a\": ").unwrap();
        fs::write(directory.join("large.json"), format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20))).unwrap();
        fs::write(directory.join("Upper.json"), "{}").unwrap();
        fs::write(directory.join(".json"), "{}").unwrap();
        fs::write(directory.join("plain"), "{}").unwrap();
        fs::create_dir(directory.join("folder.json")).unwrap();
        symlink(directory.join("riseupvpn.json"), directory.join("link.json")).unwrap();
        symlink("/dev/zero", directory.join("zero.json")).unwrap();
        config.probe.vpn_config = directory;
    });
    for provider in ["riseupvpn", "link"] {
        let reply = get(&server, provider);
        assert_eq!((reply.status, reply.text()), (200, text), "{provider}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), None);
    }
    assert_eq!(get(&server, "other-1_x").json(), json!({}));
    for provider in ["list", "broken", "large", "folder", "zero"] {
        assert_eq!(detail(&get(&server, provider)), no_credentials(), "{provider}");
    }
    let long = "x".repeat(65);
    for provider in [
        "nosuch",
        "plain",
        "Upper",
        ".",
        "../secret",
        "..%2fsecret",
        "../vpn/riseupvpn",
        "/etc/passwd",
        "riseupvpn.json",
        "riseupvpn\0",
        "riseupvpn/",
        "а",
        " ",
        &long,
    ] {
        assert_eq!(detail(&get(&server, provider)), not_found(), "{provider:?}");
    }
    // Not encoded: the path has one segment more, or none.
    for path in ["../secret", "..", "a/../riseupvpn", ""] {
        let reply = server.get(&format!("/api/v2/ooniprobe/vpn-config/{path}"));
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
    }
    // A file that is replaced is used at once.
    fs::write(outside.path().join("vpn/riseupvpn.json"), "{\"a\":1}").unwrap();
    assert_eq!(get(&server, "riseupvpn").json(), json!({"a": 1}));
}
