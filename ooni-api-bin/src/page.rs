//! The web pages: functions from data to HTML. `handler/page` gets the data.
//!
//! The pages have no scripts, and their only style sheet is `style.css`. Nothing is requested from another server. Text from
//! measurements is hostile: it is escaped, isolated from the text around it, and never a link.

pub mod chart;
pub mod error;
pub mod home;
pub mod layout;
pub mod measurement;
pub mod outcome;
pub mod pretty;
pub mod search;
pub mod style;
pub mod text;
