//! The intake log on a real disk: group commit, repeats, clocks, recovery, kills and full disks.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // clippy does not treat helpers of tests as tests

mod child; // the program that the tests of kills and full disks start
mod damage; // cut and changed files
mod full; // disks without space
mod group_commit;
mod killed;
mod readers; // also `find`, release and snapshots
mod repeats;
mod spool;
mod support;
mod times; // clocks that jump, and hours
