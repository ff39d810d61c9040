//! The default rules by which URLs are prioritised (API spec §2.3).

use crate::app::row::{AppRow, UrlPriority};

/// The priority of each category.
const CATEGORIES: [(&str, i64); 31] = [
    ("NEWS", 100),
    ("POLR", 100),
    ("HUMR", 100),
    ("LGBT", 100),
    ("ANON", 100),
    ("COMT", 100),
    ("GRP", 100),
    ("MMED", 80),
    ("SRCH", 80),
    ("PUBH", 80),
    ("REL", 60),
    ("XED", 60),
    ("HOST", 60),
    ("ENV", 60),
    ("FILE", 40),
    ("CULTR", 40),
    ("IGO", 40),
    ("GOVT", 40),
    ("DATE", 30),
    ("HATE", 30),
    ("MILX", 30),
    ("PROV", 30),
    ("PORN", 30),
    ("GMB", 30),
    ("ALDR", 30),
    ("GAME", 20),
    ("MISC", 20),
    ("HACK", 20),
    ("ECON", 20),
    ("COMM", 20),
    ("CTRL", 20),
];

/// The default rules: one for each category, which matches all its URLs in all countries.
pub(crate) fn default_rules() -> Vec<AppRow> {
    let any = || "*".to_owned();
    let rule = |(category_code, priority): (&str, i64)| UrlPriority {
        category_code: category_code.to_owned(),
        cc: any(),
        domain: any(),
        url: any(),
        priority,
    };
    CATEGORIES.into_iter().map(rule).map(AppRow::UrlPriority).collect()
}
