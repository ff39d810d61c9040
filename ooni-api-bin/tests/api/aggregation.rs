//! Counts of measurements.
