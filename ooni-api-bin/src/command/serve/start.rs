//! What can prevent the server from starting, in sentences that say what to do.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

/// Creates the state directory if it does not exist, and checks that it can be written.
///
/// # Errors
/// A sentence.
pub(super) fn prepare(state_dir: &Path) -> Result<(), String> {
    let written = fs::create_dir_all(state_dir).and_then(|()| tempfile::tempfile_in(state_dir));
    written.map(drop).map_err(|error| {
        let shown = state_dir.display();
        format!("the state directory {shown} cannot be written: {error}; choose another one with --state-dir")
    })
}

/// The sentence for a listener that cannot be opened.
pub(super) fn listen_error(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program is using this address; stop it, or choose another one with --listen".to_owned()
        }
        ErrorKind::PermissionDenied => {
            format!("{error}; ports below 1024 need the capability CAP_NET_BIND_SERVICE, others do not")
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have this address; choose another one with --listen".to_owned()
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {address}: {advice}")
}
