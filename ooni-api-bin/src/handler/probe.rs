//! What probes call (API spec §5).
