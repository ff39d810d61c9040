//! [`Gzip`]: decompresses gzip with any number of members.
//!
//! Zero bytes between members and after the last one are padding, as in gzip and Python. Anything else there is an error,
//! and so is a file that ends inside a member.

use super::raw::{RawBytes, can_error, unreadable};
use flate2::{Decompress, FlushDecompress, Status};
use ooni_core::error::Error;

/// A decompressor of gzip members.
pub(super) struct Gzip {
    pub(super) raw: RawBytes,
    inflate: Box<Decompress>,
    is_inside: bool,
}

impl Gzip {
    /// The members in these bytes.
    pub(super) fn new(raw: RawBytes) -> Gzip {
        Gzip { raw, inflate: Box::new(Decompress::new_gzip(15)), is_inside: true }
    }

    /// Decompresses until there is output, or the file is at its end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> (usize, Result<(), Error>) {
        let Gzip { raw, inflate, is_inside } = self;
        let mut bytes = 0;
        let result = loop {
            if bytes > 0 {
                break Ok(());
            }
            // At the end of the file there may still be output left.
            let is_end = match raw.at_least(1) {
                Ok(available) => available == 0,
                Err(error) => break Err(unreadable(error)),
            };
            let rest = raw.rest();
            if *is_inside {
                let (total_in, total_out) = (inflate.total_in(), inflate.total_out());
                let result = inflate.decompress(rest, into, FlushDecompress::None);
                let used = (inflate.total_in() - total_in) as usize;
                bytes = (inflate.total_out() - total_out) as usize;
                raw.take(used);
                match result {
                    Ok(Status::StreamEnd) => *is_inside = false,
                    Ok(_) if used > 0 || bytes > 0 => {}
                    Ok(_) if raw.offset() == 0 => break Err(can_error("the file is empty; expected gzip data")),
                    Ok(_) => break Err(can_error("the file ends inside its gzip data")),
                    // The details of the error depend on how many bytes a read returns, so they are left out.
                    Err(_) => break Err(can_error("invalid gzip data")),
                }
                continue;
            }
            if is_end {
                break Ok(());
            }
            match rest.iter().position(|&byte| byte != 0) {
                None => raw.take(rest.len()),
                Some(zeros) => {
                    let is_member = rest[zeros] == 0x1f;
                    raw.take(zeros);
                    if !is_member {
                        break Err(can_error("unexpected data after the gzip data"));
                    }
                    inflate.reset(true);
                    *is_inside = true;
                }
            }
        };
        (bytes, result)
    }
}
