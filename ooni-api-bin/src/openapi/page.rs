//! The page.

use serde_json::Value;

pub(super) fn render(_document: &Value, _base_url: &str) -> String {
    String::new()
}
