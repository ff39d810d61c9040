//! The job `geoip`.

use crate::support::{Place, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use ooni_testkit::http_server::{answer, serve};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const ASN: &str = "GeoLite2-ASN-Test.mmdb";
const CC: &str = "GeoIP2-Country-Test.mmdb";
const BROKEN: [&str; 2] = ["GeoIP2-City-Test-Broken-Double-Format.mmdb", "MaxMind-DB-test-broken-pointers-24.mmdb"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mmdb").join(name)
}

fn content(name: &str) -> Vec<u8> {
    fs::read(file(name)).unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_replaced() {
    let mut place = Place::new();
    let [asn, cc] = place.config.kept_geoip_files();
    place.config.jobs.geoip_asn = text(&file(ASN));
    place.config.jobs.geoip_cc = place.write("cc.mmdb.gz", gzip(&content(CC)));
    let running = place.start().await;
    let report = running.run_with("geoip", true).await.unwrap();
    assert!(report.is_changed && report.sentence.contains("networks: would be replaced"), "{report:?}");
    assert!(!asn.exists() && !cc.exists());
    let report = running.run("geoip").await.unwrap();
    assert!(report.is_changed && report.sentence.contains("countries: replaced by the file of 20"), "{report:?}");
    assert!(fs::read(&asn).unwrap() == content(ASN) && fs::read(&cc).unwrap() == content(CC));
    assert_eq!(fs::metadata(&asn).unwrap().mode() & 0o777, 0o644);
    assert_eq!(running.metric("ooni_geoip_updated"), Some(2.0));
    assert!(running.metric("geoip_asn_node_cnt").unwrap() > 100.0);
    assert!(running.metric("geoip_cc_epoch").unwrap() > 1e9);

    // What is unchanged is not written.
    let inode = fs::metadata(&asn).unwrap().ino();
    let report = running.run("geoip").await.unwrap();
    assert!(!report.is_changed && report.sentence.contains("networks: unchanged"), "{report:?}");
    assert_eq!((fs::metadata(&asn).unwrap().ino(), running.metric("ooni_geoip_updated")), (inode, Some(2.0)));
    let left: Vec<_> = fs::read_dir(asn.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_for_both() {
    let mut place = Place::new();
    place.config.jobs.geoip_known = Vec::new();
    let server = serve(|_| answer("200 OK", "", &content(ASN)));
    place.config.jobs.geoip_asn = format!("http://{}/asn_cc.mmdb", server.address);
    place.config.jobs.geoip_cc.clone_from(&place.config.jobs.geoip_asn);
    let report = place.run("geoip").await.unwrap();
    assert!(report.sentence.starts_with("networks and countries: replaced"), "{report:?}");
    assert_eq!(server.asked().len(), 1);
    assert!(place.config.kept_geoip_files().iter().all(|path| fs::read(path).unwrap() == content(ASN)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_a_month() {
    let mut place = Place::new();
    let server = serve(|head| match head.contains("if-none-match") {
        true => answer("304 Not Modified", "", b""),
        false if head.contains("/dbip-2026-02.mmdb.gz ") => answer("200 OK", "ETag: \"1\"\r\n", &gzip(&content(ASN))),
        false => answer("404 Not Found", "", b""),
    });
    place.config.jobs.geoip_asn = format!("http://{}/dbip-{{YYYY-MM}}.mmdb.gz", server.address);
    let running = place.start().await;
    // March has begun, but its file is not published yet.
    assert!(running.run("geoip").await.unwrap().is_changed);
    let paths: Vec<_> = server.asked().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["/dbip-2026-03.mmdb.gz", "/dbip-2026-02.mmdb.gz"]);
    let head = server.asked().remove(0);
    assert!(head.contains("user-agent: ooni-api/"), "{head}");
    for _ in 0..2 {
        assert_eq!(running.run("geoip").await.unwrap().sentence, "networks: not modified");
    }
    // A file that was changed by someone else is downloaded again.
    fs::write(&place.config.kept_geoip_files()[0], content(CC)).unwrap();
    assert!(running.run("geoip").await.unwrap().is_changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_never_replaces_a_good_one() {
    let mut place = Place::new();
    let [asn, _] = place.config.kept_geoip_files();
    place.config.jobs.geoip_asn = text(&file(ASN));
    place.run("geoip").await.unwrap();
    let compressed = gzip(&content(ASN));
    let mut sources: Vec<String> = BROKEN.map(|name| text(&file(name))).into();
    sources.push(text(&file(CC))); // it has no networks
    sources.push(text(&place.path("missing")));
    for (number, bad) in (0..).zip([&b""[..], b"<html>", &content(ASN)[..5000], &compressed[..5000]]) {
        sources.push(place.write(&format!("bad{number}"), bad));
    }
    for source in sources {
        place.config.jobs.geoip_asn.clone_from(&source);
        place.run("geoip").await.unwrap_err();
        assert!(fs::read(&asn).unwrap() == content(ASN), "{source}");
    }
    // It does not know Google.
    place.config.jobs.geoip_asn = text(&file(ASN));
    place.config.jobs.geoip_known = vec!["8.8.8.8".to_owned()];
    let running = place.start().await;
    let error = running.run("geoip").await.unwrap_err();
    assert!(error.contains("it does not know the network of 8.8.8.8"), "{error}");
    assert_eq!(running.metric("ooni_geoip_checkfail"), Some(1.0));
    let left: Vec<_> = fs::read_dir(asn.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
