//! Lists, metadata and bodies of measurements.
