//! The program is killed under load and restarted: what it acknowledged is in the store once and in the archive once, byte
//! for byte.
//!
//! `OONI_KILLS=200` kills so often instead of ten times.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // clippy does not treat helpers of tests as tests

#[path = "../process/mod.rs"]
mod process;

use process::check::check;
use process::kills;
use process::load::Load;
use process::server::{Server, Setup};

#[test]
fn killed_at_random() {
    let setup = Setup::new();
    // The comparison has all bodies in memory, so a long run submits less at a time.
    let load = if kills() > 50 { Load::slow() } else { Load::new() };
    for kill in 0..kills() {
        let server = Server::start(&setup, None);
        let submitting = load.start(server.address());
        std::thread::sleep(std::time::Duration::from_millis(100 + kill * 7919 % 1500));
        server.kill();
        submitting.wait();
    }
    check(&setup, &load);
}

#[test]
fn killed_at_each_step() {
    let setup = Setup::new();
    let load = Load::new();
    for point in ooni_api::failpoint::Failpoint::INTAKE.into_iter().chain(ooni_api::failpoint::Failpoint::PIPELINE) {
        let server = Server::start(&setup, Some(point.name()));
        let submitting = load.start(server.address());
        server.wait_until_killed(point.name());
        submitting.wait();
    }
    check(&setup, &load);
}

#[test]
fn the_clock_jumps() {
    let setup = Setup::new();
    let load = Load::new();
    let hour = 3_600_000_000;
    for shift in [0, hour, -hour, 3 * hour, -2 * hour] {
        let server = Server::start_shifted(&setup, shift);
        let submitting = load.start(server.address());
        std::thread::sleep(std::time::Duration::from_millis(1500));
        server.kill();
        submitting.wait();
    }
    check(&setup, &load);
}
