//! OONI's archive: how it is laid out by days, countries and tests, and what of it is asked for.
//!
//! Where it is kept and how it is read is in [`source`](crate::source).

pub mod day;
pub mod layout;
pub mod wanted;

pub use self::day::{Day, DayRange};
pub use self::wanted::Wanted;
