//! Keys of entries as old probes wrote them, so that every rule of normalization is exercised (formats spec
//! §11.6 to §11.8).

use std::fmt::Write as _;

use super::super::bodies::LATIN;
use super::super::calendar::{DAY, SECOND};
use super::super::generate::address;
use super::super::rng::Rng;
use super::probe_tests::KeyKind;
use super::text::{binary, double, single};

/// Appends the keys of a test that measured a URL and its host.
pub(super) fn write(out: &mut String, rng: &mut Rng, key_kind: KeyKind, url: &str, host: &str) {
    match key_kind {
        KeyKind::Dns => dns(out, rng, host),
        KeyKind::Http => http(out, rng, url, host),
        KeyKind::InvalidRequestLine => lines(out, rng, host),
        KeyKind::Tcp => {
            lines(out, rng, host);
            out.push_str("result: {ok: yes, attempts: 010, ratio: 0.5, when: 2013-05-06 07:08:09}\n");
        }
        KeyKind::WebsiteProbe => {
            out.push_str("headers_diff: !!set {Server: null, X-Cache: null}\nbody_proportion: 1.0\n")
        }
        KeyKind::Other => {
            let _ = write!(out, "connection: {}\nsuccess: {}\n", single("ok"), rng.chance(0.5)); // a String takes it
        }
    }
}

fn dns(out: &mut String, rng: &mut Rng, host: &str) {
    let query = format!("query: '[Query(''{host}'', 1, 1)]'");
    let count = rng.below(5);
    out.push_str(if count == 0 { "queries: []\n" } else { "queries:\n" });
    for _ in 0..count {
        let ip = address(rng);
        let ttl = rng.below(DAY / SECOND);
        let rr = |kind: &str| format!("<RR name={host} type={kind} class=IN ttl={ttl}s auth=False>");
        let answers = match rng.below(8) {
            0 => Vec::new(),
            1 => vec![
                (rr("CNAME"), format!("<CNAME name=www.{host} ttl={ttl}>")),
                (rr("A"), format!("<A address={ip} ttl={ttl}>")),
            ],
            2 => vec![(rr("MX"), format!("<MX preference=10 name=mail.{host} ttl={ttl}>"))],
            3 => vec![(
                rr("SOA"),
                format!(
                    "<SOA mname=ns1.{host} rname=hostmaster.{host} serial=2014010101 refresh=7200 retry=3600 expire=1209600 minimum=300 ttl={ttl}>"
                ),
            )],
            4 => vec![(rr("PTR"), format!("<PTR name={host} ttl={ttl}>"))],
            5 => vec![(rr("AAAA"), format!("<AAAA address=2001:db8::1 ttl={ttl}>"))],
            _ => vec![(rr("A"), format!("<A address={ip} ttl={ttl}>"))],
        };
        let _ = writeln!(out, "- addrs: [{ip}]"); // a String takes everything, here and below
        out.push_str(if answers.is_empty() { "  answers: []\n" } else { "  answers:\n" });
        for (rr, payload) in &answers {
            let _ = writeln!(out, "  - [{}, {}]", single(rr), single(payload));
        }
        if answers.is_empty() && rng.chance(0.5) {
            out.push_str("  failure: deferred_timeout_error\n");
        }
        let resolver = if rng.chance(0.8) { "[8.8.8.8, 53]" } else { "null" };
        let _ = write!(out, "  {query}\n  query_type: A\n  resolver: {resolver}\n");
    }
    out.push_str(rng.pick::<&str>(&[
        "tampering: {8.8.8.8: false, 1.1.1.1: true}\n",
        "tampering:\n- [8.8.8.8, false]\n- [1.1.1.1, true]\n- [9.9.9.9, unknown]\n",
        "tampering: {}\n",
        "",
    ]));
    if rng.chance(0.7) {
        out.push_str("test_resolvers: [8.8.8.8, 1.1.1.1]\n");
    }
}

fn http(out: &mut String, rng: &mut Rng, url: &str, host: &str) {
    if rng.chance(0.2) {
        // Older probes: one pair beside the requests.
        let mut pair = String::new();
        request(&mut pair, rng, url, host);
        response(&mut pair, rng);
        for line in pair.lines() {
            let _ = writeln!(out, "{}", line.get(2..).unwrap_or(""));
        }
    } else {
        let count = rng.range(0, 3);
        out.push_str(if count == 0 { "requests: []\n" } else { "requests:\n" });
        for _ in 0..count {
            let mut pair = String::new();
            request(&mut pair, rng, url, host);
            response(&mut pair, rng);
            out.push_str("- ");
            out.push_str(pair.get(2..).unwrap_or(""));
        }
    }
    out.push_str(rng.pick::<&str>(&[
        "headers_diff: !!set {Date: null, Set-Cookie: null}\n",
        "headers_diff: [Date]\n",
        "headers_diff: null\n",
        "",
    ]));
    out.push_str("agent: agent\nsocksproxy: null\nbody_length_match: null\ntransparent_http_proxy: false\n");
}

/// A request, indented by two.
fn request(out: &mut String, rng: &mut Rng, url: &str, host: &str) {
    // Probes that used Tor wrote this scheme.
    let shttp = url.starts_with("http:") && rng.chance(0.2);
    let url = if shttp { format!("s{url}") } else { url.to_owned() };
    let tor = *rng.pick(&[
        "",
        "    tor: false\n",
        "    tor: true\n",
        "    tor: {is_tor: false}\n",
        "    tor: {exit_ip: 192.0.2.7, exit_name: relay, is_tor: true}\n",
    ]);
    let _ = write!(
        out,
        "  request:\n    body: null\n    headers:\n    - - User-Agent\n      - ['Mozilla/5.0 (Windows NT 6.1; rv:24.0) Gecko/20100101']\n    - [Host, [{}]]\n    method: GET\n{tor}    url: {}\n",
        single(host),
        single(&url)
    );
}

/// A response, indented by two.
fn response(out: &mut String, rng: &mut Rng) {
    if rng.chance(0.1) {
        out.push_str("  response: null\n");
        return;
    }
    let body = match rng.below(6) {
        0 => "null\n".to_owned(),
        1 => {
            let mut bytes = page(rng).into_bytes();
            bytes.extend_from_slice(b"\xff\xe9</html>");
            binary(&bytes, 6)
        }
        _ => double(&page(rng)) + "\n",
    };
    let length = rng.below(100_000);
    let _ = write!(
        out,
        "  response:\n    body: {body}    code: 200\n    headers:\n    - - Content-Type\n      - [text/html; charset=utf-8]\n    - [Content-Length, ['{length}']]\n    - [Server, [[nginx], [apache]]]\n"
    );
}

/// A page of some hundred to some thousand bytes.
fn page(rng: &mut Rng) -> String {
    let syllables: Vec<&str> = LATIN.split(' ').collect();
    let mut out = String::from("<html><head><title>\u{d6}ffentlich \u{434}\u{430}</title></head>\n<body>\0");
    let count = if rng.chance(0.1) { rng.range(500, 4000) } else { rng.range(20, 400) };
    for word in 0..count {
        for _ in 0..rng.range(1, 4) {
            out.push_str(rng.pick::<&str>(&syllables));
        }
        out.push_str(if word % 40 == 39 { "</p>\n<p class=\"text\">" } else { " " });
    }
    out.push_str("</body>\n");
    out
}

fn lines(out: &mut String, rng: &mut Rng, host: &str) {
    let noise: Vec<u8> = (0..rng.range(8, 60)).map(|_| rng.below(256) as u8).collect();
    let method: String = (0..rng.range(4, 1024)).map(|_| char::from(b'A' + rng.below(26) as u8)).collect();
    if rng.chance(0.9) {
        let _ = write!(out, "received:\n- ''\n- {}\n- {}", double("GET / HTTP/vwj\n\r"), binary(&noise, 2));
    }
    let _ = write!(
        out,
        "sent: [{}, {}]\ntampering: {}\n",
        double(&format!("{method} / HTTP/1.1\n\r")),
        double(&format!("GET {host} HTTP/1.1\n\r")),
        rng.chance(0.3)
    );
}
