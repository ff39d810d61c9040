//! [`Log`]: messages of a rerun.

use crate::command::result::eprint_line;
use std::io::{self, Write as _};

/// Where messages go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) to_stdout: bool,
}

impl Log {
    pub(super) fn print_line(self, line: &str) {
        if self.to_stdout {
            let _ = writeln!(io::stdout(), "fastpath: {line}"); // a closed standard output cannot be reported
        } else {
            eprint_line(line);
        }
    }

    pub(super) fn write(self, text: &str) {
        let _ = if self.to_stdout {
            io::stdout().write_all(text.as_bytes())
        } else {
            io::stderr().write_all(text.as_bytes())
        };
    }
}
