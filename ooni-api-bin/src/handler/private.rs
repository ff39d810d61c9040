//! What the pages of Explorer ask (API spec §6).

pub mod account;
mod chart;
pub mod circumvention;
pub mod coverage;
pub mod domains;
pub mod feedback;
pub mod instant_messaging;
pub mod months;
pub mod networks;
pub mod overview;
pub mod test_names;
pub mod vanilla_tor;
pub mod websites;
