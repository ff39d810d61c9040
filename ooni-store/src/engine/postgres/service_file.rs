//! Service files of libpq: connection parameters by service name.
//! Source: <https://www.postgresql.org/docs/current/libpq-pgservice.html>.

use std::fs;
use std::path::PathBuf;

/// Reads the parameters of a service.
///
/// # Errors
/// No service file defines it, or its section is invalid.
pub(super) fn read(service: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, String> {
    let own = variable("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".pg_service.conf")));
    let system = variable("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    for file in own.into_iter().chain([PathBuf::from(system).join("pg_service.conf")]) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if let Some(section) = section(&text, service) {
            let wrong = || format!("{}: service `{service}` has a line other than NAME=VALUE", file.display());
            return section.ok_or_else(wrong);
        }
    }
    Err(format!("no service file defines the service `{service}`"))
}

/// The lines of a section, if it exists; the inner `None` if one of them is invalid.
fn section(text: &str, service: &str) -> Option<Option<Vec<(String, String)>>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.find(|line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) == Some(service))?;
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    Some(lines.take_while(|line| !line.starts_with('[')).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_services() {
        let text = "# ours\n[a]\nhost=x\n\n[b]\nhost = y\nport=1\n[c]\nnonsense\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(section(text, "a"), Some(Some(vec![pair("host", "x")])));
        assert_eq!(section(text, "b"), Some(Some(vec![pair("host", "y"), pair("port", "1")])));
        assert_eq!(section(text, "c"), Some(None));
        assert_eq!(section(text, "d"), None);
    }
}
