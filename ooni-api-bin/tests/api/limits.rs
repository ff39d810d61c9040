//! Limits by client and under overload.
