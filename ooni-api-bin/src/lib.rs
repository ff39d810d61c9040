//! The OONI backend: probe services, intake of measurements, live scoring, the archiver, and the API.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod clock;
