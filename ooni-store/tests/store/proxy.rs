//! [`FlakyProxy`]: a proxy that cuts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A proxy to a port. It cuts the connection instead of forwarding every `every`th packet.
pub(crate) struct FlakyProxy {
    pub(crate) port: u16,
    /// The number of packets in both directions.
    packets: Arc<AtomicUsize>,
    every: usize,
}

impl FlakyProxy {
    pub(crate) fn new(to: u16, every: usize) -> FlakyProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let packets = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&packets);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let packets = Arc::clone(&counted);
                    thread::spawn(move || forward(from, to, &packets, every));
                }
            }
        });
        FlakyProxy { port, packets, every }
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.packets.load(Ordering::Relaxed) / self.every
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, packets: &AtomicUsize, every: usize) {
    let mut buffer = [0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let is_cut = (packets.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every);
        if is_cut || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
