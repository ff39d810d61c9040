//! Encrypted connections to a PostgreSQL server, and the verification of its certificate.

use crate::server::execute;
use crate::support::{message, open_to_read, sound};
use ooni_store::{BlockingStore, OnExisting};
use ooni_testkit::certificate::{Authority, Certificate};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::fs;
use std::time::Duration;

/// A server that accepts encrypted connections, and the certificates of the two authorities.
struct Encrypted {
    server: Server,
    folder: tempfile::TempDir,
}

impl Encrypted {
    /// `None` if this build of the server has no TLS, as those on PyPI.
    fn new() -> Option<Encrypted> {
        let server = Server::postgres(false).unwrap();
        let query = |sql: &str| execute(&server, "postgres", sql);
        if query("SHOW ssl_library") == [[""]] {
            return None;
        }
        let before = server.postgres_url("postgres") + "?sslmode=require";
        let said = message(BlockingStore::migrate(&before));
        assert!(said.contains("server does not support TLS"), "{said}");
        let ours = Authority::new("ours").unwrap();
        let Certificate { pem, key_pem } = ours.issue(&["127.0.0.1"]).unwrap();
        // The server writes its files, because the key must belong to its user.
        for (name, text) in [("server.crt", pem), ("server.key", key_pem)] {
            let lines = format!("SELECT unnest(string_to_array('{}', chr(10)))", text.replace('\r', "").trim_end());
            query(&format!("COPY ({lines}) TO PROGRAM 'umask 077 && cat > {name}'"));
        }
        query("ALTER SYSTEM SET ssl = on");
        query("SELECT pg_reload_conf()");
        while query("SHOW ssl") != [["on"]] {
            std::thread::sleep(Duration::from_millis(10));
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ours.crt"), ours.pem).unwrap();
        fs::write(folder.path().join("others.crt"), Authority::new("others").unwrap().pem).unwrap();
        Some(Encrypted { server, folder })
    }

    /// Its URL with these parameters, in which `FOLDER` stands for the folder of the authorities.
    fn url(&self, rest: &str) -> String {
        let rest = rest.replace("FOLDER", self.folder.path().to_str().unwrap());
        format!("{}?{rest}", self.server.postgres_url("postgres"))
    }

    /// The number of connections of stores, and how many of them are encrypted.
    fn connections(&self) -> [u32; 2] {
        let count = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
            WHERE application_name = 'fastpath'";
        let counts = execute(&self.server, "postgres", count).concat();
        [counts[0].parse().unwrap(), counts[1].parse().unwrap()]
    }
}

#[test]
fn server_certificates_are_verified() {
    skip_without!(Server::shared_postgres());
    let Some(bench) = Encrypted::new() else {
        eprintln!("skipped: this build of PostgreSQL has no TLS");
        return;
    };
    let ours = "sslrootcert=FOLDER/ours.crt";
    BlockingStore::migrate(&bench.url(ours)).unwrap();
    for mode in ["", "sslmode=prefer&", "sslmode=require&", "sslmode=verify-ca&", "sslmode=verify-full&"] {
        let store = crate::support::open(&bench.url(&format!("{mode}{ours}"))).unwrap();
        store.write(&sound([1]), OnExisting::Keep).unwrap();
        assert_eq!(store.count().unwrap(), 1);
        // One that reads and one that writes; connections of earlier stores may still be open.
        let [all, encrypted] = bench.connections();
        assert!(all >= 2 && encrypted == all, "{mode}: {encrypted} of {all} connections are encrypted");
    }
    let refused = |rest: &str| message(open_to_read(&bench.url(rest)));
    // With a file of authorities, `require` means `verify-ca`, as in libpq.
    for rest in [
        "sslmode=verify-full",
        "sslmode=verify-ca",
        "sslmode=require&sslrootcert=FOLDER/others.crt",
        "sslmode=verify-full&sslrootcert=FOLDER/others.crt",
        "sslmode=verify-ca&sslrootcert=FOLDER/others.crt",
        "sslrootcert=FOLDER/others.crt",
    ] {
        let said = refused(rest);
        assert!(said.contains("invalid peer certificate: UnknownIssuer"), "{rest}: {said}");
        assert!(
            said.ends_with("; name the authority that issued the certificate with sslrootcert=FILE or PGSSLROOTCERT"),
            "{said}"
        );
    }
    let localhost = |rest: &str| bench.url(rest).replace("127.0.0.1", "localhost");
    let said = message(open_to_read(&localhost(&format!("sslmode=verify-full&{ours}"))));
    assert!(said.contains("certificate not valid for name \"localhost\""), "{said}");
    // `verify-ca` does not check the host name, and the modes below it do not check the certificate.
    for rest in ["sslmode=verify-ca&sslrootcert=FOLDER/ours.crt", "sslmode=require", "sslmode=prefer", ""] {
        let store = open_to_read(&localhost(rest)).unwrap();
        assert_eq!(store.count().unwrap(), 1);
        let [all, encrypted] = bench.connections();
        assert!(all >= 1 && encrypted == all, "{rest}: {encrypted} of {all} connections are encrypted");
    }
    let off_loopback = |rest: &str| bench.url(rest).replace("127.0.0.1", "0.0.0.0");
    let said = message(open_to_read(&off_loopback("")));
    assert!(said.contains("invalid peer certificate: UnknownIssuer"), "{said}");
    let said = message(open_to_read(&off_loopback(ours)));
    assert!(said.contains("certificate not valid for name \"0.0.0.0\""), "{said}");
    open_to_read(&off_loopback("sslmode=require")).unwrap();
    // `hostaddr` is the address to connect to; the certificate must match the host name.
    open_to_read(&bench.url(&format!("hostaddr=127.0.0.1&sslmode=verify-full&{ours}"))).unwrap();
    let said = refused("sslmode=require&sslrootcert=FOLDER/none.crt");
    assert!(said.starts_with("sslrootcert ") && said.contains("none.crt: "), "{said}");
    assert_eq!(open_to_read(&bench.url("sslmode=disable")).unwrap().count().unwrap(), 1);
}
