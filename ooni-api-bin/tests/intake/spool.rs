use crate::support::{Directory, body, imported, in_a_file, records, report};
use ooni_api::intake::spool::{Export, Reason, import};
use std::os::unix::fs::symlink;

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let trivial = "01202102037f9c2ba4e88f827d61604550760585";
    let old = "20201020000000.000001_MA_webconnectivity_7888edc7748936bf";
    intake.accept(report("a", "1")).await.unwrap();
    intake.accept(in_a_file("b", &body(2, 2_000_000))).await.unwrap();
    intake.accept(imported(trivial, "3")).await.unwrap();
    intake.accept(imported(old, "4")).await.unwrap();
    let records = records(&intake).await;
    let spool = tempfile::tempdir().unwrap();
    let export = Export::new(spool.path()).unwrap();
    for record in &records {
        export.write(record).unwrap();
    }
    let incoming = spool.path().join("incoming");
    assert!(incoming.join(format!("2020102000_MA_webconnectivity/{old}.post")).is_file());
    assert!(incoming.join(format!("2021020822_IT_ndt/{trivial}.post")).is_file());
    let mut exported: Vec<(String, Vec<u8>)> =
        records.iter().map(|record| (record.uid.clone(), record.body.bytes().unwrap().to_vec())).collect();
    exported.sort();
    for root in [spool.path(), &incoming] {
        let mut posts: Vec<(String, Vec<u8>)> = import(root)
            .map(Result::unwrap)
            .map(|post| {
                let expected = if post.uid == old { ("MA", "webconnectivity") } else { ("IT", "ndt") };
                assert_eq!((post.probe_cc.as_str(), post.test_name.as_str()), expected);
                (post.uid, std::fs::read(post.path).unwrap())
            })
            .collect();
        posts.sort();
        assert!(posts == exported);
    }
}

#[test]
fn only_files_of_the_layout_are_imported() {
    let spool = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let incoming = spool.path().join("incoming");
    let good = incoming.join("2021020822_MA_ndt");
    std::fs::create_dir_all(&good).unwrap();
    let uid = "20210208220710.181572_MA_ndt_7888edc7748936bf";
    std::fs::write(good.join(format!("{uid}.post")), "body").unwrap();
    std::fs::write(good.join(format!("{uid}.post.tmp")), "unfinished").unwrap();
    std::fs::create_dir(incoming.join("2021020823_MA_ndt.tmp")).unwrap();
    for name in [
        "x.post",
        "20210208220710.181572_MA_ndt_7888edc7748936bf.json",
        "20210208220710.181572_MA_ndt_7888EDC7748936BF.post",
    ] {
        std::fs::write(good.join(name), "name").unwrap();
    }
    for name in
        ["20210208230710.181572_MA_ndt_7888edc7748936bf.post", "20210208220710.181572_ma_ndt_7888edc7748936bf.post"]
    {
        std::fs::write(good.join(name), "mismatch").unwrap();
    }
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path().join("secret"), good.join("20210208220710.181573_MA_ndt_7888edc7748936bf.post")).unwrap();
    std::fs::create_dir(outside.path().join("2021020821_MA_ndt")).unwrap();
    symlink(outside.path().join("2021020821_MA_ndt"), incoming.join("2021020821_MA_ndt")).unwrap();
    for name in ["2021020824_MA_ndt", "2021020822_MAR_ndt", "2021020822_MA_web_connectivity", "x"] {
        std::fs::create_dir(incoming.join(name)).unwrap();
    }
    let (mut posts, mut reasons) = (Vec::new(), Vec::new());
    for entry in import(spool.path()) {
        match entry {
            Ok(post) => posts.push(post.uid),
            Err(skipped) => reasons.push(skipped.reason),
        }
    }
    assert_eq!(posts, [uid]);
    let count = |is: fn(&Reason) -> bool| reasons.iter().filter(|reason| is(reason)).count();
    assert_eq!(count(|reason| matches!(reason, Reason::FileName)), 3);
    assert_eq!(count(|reason| matches!(reason, Reason::Mismatch)), 2);
    assert_eq!(count(|reason| matches!(reason, Reason::Special)), 2);
    assert_eq!(count(|reason| matches!(reason, Reason::DirectoryName)), 4);
    assert_eq!(reasons.len(), 11, "{reasons:?}");
    let missing: Vec<_> = import(&spool.path().join("missing")).collect();
    assert!(matches!(&missing[..], [Err(skipped)] if matches!(skipped.reason, Reason::Io(_))), "{missing:?}");
}
