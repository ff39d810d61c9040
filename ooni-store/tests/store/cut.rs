//! A way to a server that is cut every now and then.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Listens on a port of its own and hands on what comes to another.
pub(crate) struct Cut {
    pub(crate) port: u16,
    /// Pieces that were handed on, in either direction.
    pieces: Arc<AtomicUsize>,
    every: usize,
}

impl Cut {
    /// Cuts a connection in place of each so manieth piece.
    pub(crate) fn new(to: u16, every: usize) -> Cut {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pieces = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pieces);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let pieces = Arc::clone(&counted);
                    thread::spawn(move || hand_on(from, to, &pieces, every));
                }
            }
        });
        Cut { port, pieces, every }
    }

    /// How often it was cut.
    pub(crate) fn times(&self) -> usize {
        self.pieces.load(Ordering::Relaxed) / self.every
    }
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, pieces: &AtomicUsize, every: usize) {
    let mut buffer = [0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let is_cut = (pieces.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every);
        if is_cut || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
