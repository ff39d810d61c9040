//! Bodies of measurements (API spec §4.3, §4.4).
