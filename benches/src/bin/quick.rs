use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Reader;
use ooni_core::process::{Outcome, Scorer};
use ooni_core::rules::Rules;
use std::time::Instant;
fn main() {
    let data = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let lines: Vec<&[u8]> = data.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
    let d = "ooni-fastpath/data/fingerprints/";
    let t = Instant::now();
    let fps = Fingerprints::from_csv(&std::fs::read(format!("{d}fingerprints_dns.csv")).unwrap(), &std::fs::read(format!("{d}fingerprints_http.csv")).unwrap(), "x").unwrap();
    println!("load {:?}", t.elapsed());
    let mb = data.len() as f64 / 1e6;
    let cpu = || { let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9 };
    let empty = Fingerprints::empty();
    let sc = Scorer::new(&fps, Rules::Compat);
    let sf = Scorer::new(&fps, Rules::Fixed);
    let se = Scorer::new(&empty, Rules::Fixed);
    let mut r = Reader::new();
    let mut best = [f64::MAX; 6];
    for _ in 0..12 {
        for k in 0..6 { if let Some(only) = std::env::args().nth(2) { if only != k.to_string() { continue } }
            let t = cpu();
            let mut n = 0;
            let mut out = Vec::new();
            for l in &lines {
                match k {
                    0 => n += serde_json::from_slice::<serde::de::IgnoredAny>(l).is_ok() as usize,
                    1 => n += r.read(l).is_ok() as usize,
                    _ => {
                        let s = match k { 2 => &se, 3 => &sc, _ => &sf };
                        if let Ok(d) = r.read(l) { if let Outcome::Stored { row, .. } = s.process(d.root(), "20210208220710.181572_MA_ndt_7888edc7748936bf") {
                            if k == 5 { if out.len() > 1 << 20 { out.clear() } row.write_json(&mut out); } n += 1; } }
                    }
                }
            }
            assert!(n > 0);
            best[k] = best[k].min(cpu() - t);
        }
    }
    for (k, n) in ["ignored", "parse", "+empty", "+compat", "+fixed", "+write"].iter().enumerate() { println!("{n:8} {:6.0} MB/s {:.2}x", mb / best[k], best[k] / best[0]); }
}
