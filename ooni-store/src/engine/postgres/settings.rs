//! [`Settings`]: how to reach a server. As in libpq, they come from the URL, then a service file, then the environment.
//!
//! This module does not connect. The environment is passed in, so that tests need not change that of the process.

use super::service_file;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Looks up a variable of the environment.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The supported parameters, and the environment variables that provide their defaults.
/// Source: <https://www.postgresql.org/docs/current/libpq-envars.html>.
const PARAMETERS: [(&str, &str); 22] = [
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("keepalives", ""),
    ("keepalives_count", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("service", "PGSERVICE"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("tcp_user_timeout", ""),
    ("user", "PGUSER"),
];

/// Folders in which servers create their sockets, as built by Debian and by PostgreSQL.
const SOCKET_FOLDERS: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

/// The default port.
const PORT: u16 = 5432;

/// Parameters by name; none is empty.
pub(super) struct Settings(BTreeMap<String, String>);

/// An address that a server may listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The folder of a Unix socket.
    Socket(PathBuf),
    /// A name or address, and the address to connect to if the name should not be looked up.
    Host(String, Option<IpAddr>),
}

impl Place {
    /// Whether data sent to it leaves this machine.
    pub(super) fn is_remote(&self) -> bool {
        match self {
            Place::Socket(_) => false,
            Place::Host(_, Some(address)) => !address.is_loopback(),
            Place::Host(name, None) => match name.parse::<IpAddr>() {
                Ok(address) => !address.is_loopback(),
                Err(_) => !name.eq_ignore_ascii_case("localhost"),
            },
        }
    }

    /// The names that a password file may use for it.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Place::Host(name, _) => vec![name.clone()],
            Place::Socket(folder) => {
                let is_usual = SOCKET_FOLDERS.iter().any(|usual| folder == Path::new(usual));
                let usual = is_usual.then(|| "localhost".to_owned());
                usual.into_iter().chain([folder.display().to_string()]).collect()
            }
        }
    }
}

impl Settings {
    /// Reads a URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE&…`, in which every part is optional.
    ///
    /// # Errors
    /// An error message, without any part that may be a password.
    pub(super) fn new(url: &str, environment: Environment<'_>) -> Result<Settings, String> {
        let mut settings = Settings(BTreeMap::new());
        settings.read(url)?;
        let variable = |name: &str| environment(name).filter(|value| !name.is_empty() && !value.is_empty());
        if let Some(service) = settings.get("service").map(str::to_owned).or_else(|| variable("PGSERVICE")) {
            for (name, value) in service_file::read(&service, &variable)? {
                settings.0.entry(known(&name)?.to_owned()).or_insert(value);
            }
        }
        for (name, of_environment) in PARAMETERS {
            if let Some(value) = variable(of_environment) {
                settings.0.entry(name.to_owned()).or_insert(value);
            }
        }
        settings.0.retain(|_, value| !value.is_empty());
        if settings.get("passfile").is_none()
            && let Some(home) = variable("HOME")
        {
            settings.0.insert("passfile".to_owned(), format!("{home}/.pgpass"));
        }
        if settings.get("sslrootcert").is_none()
            && let Some(home) = variable("HOME")
        {
            let usual = format!("{home}/.postgresql/root.crt");
            if Path::new(&usual).exists() {
                settings.0.insert("sslrootcert".to_owned(), usual);
            }
        }
        Ok(settings)
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    /// The value of a parameter, which must be one of `choices`.
    ///
    /// # Errors
    /// It has another value.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let chosen = choices.iter().find(|(choice, _)| *choice == value);
        let choices = || choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(", ");
        chosen
            .map(|&(_, choice)| Some(choice))
            .ok_or_else(|| format!("invalid value `{value}` for `{name}`: expected one of {}", choices()))
    }

    /// The places to try, in this order, each with its port.
    ///
    /// # Errors
    /// A port or an address is invalid, or their number differs from the number of hosts.
    pub(super) fn places(&self) -> Result<Vec<(Place, u16)>, String> {
        let list = |name: &str| self.get(name).map_or_else(Vec::new, |value| value.split(',').collect::<Vec<_>>());
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = hosts.len().max(addresses.len()).max(1);
        let fits = |list: &[&str]| list.is_empty() || list.len() == count;
        if !fits(&hosts) || !fits(&addresses) || !(fits(&ports) || ports.len() == 1) {
            return Err("the numbers of hosts, addresses and ports differ".to_owned());
        }
        let place = |index: usize| {
            let text = ports.get(index).or(ports.first()).copied().unwrap_or_default();
            let port = if text.is_empty() { Some(PORT) } else { text.parse().ok().filter(|&port| port > 0) };
            // The value is not shown: it is the start of the password if that contains a `/`.
            let port = port.ok_or("invalid port: expected a number from 1 to 65535")?;
            let of = |list: &[&'_ str]| list.get(index).copied().unwrap_or_default().to_owned();
            let address: Option<IpAddr> = match of(&addresses) {
                none if none.is_empty() => None,
                text => Some(
                    text.parse()
                        .map_err(|_| format!("invalid value `{text}` for `hostaddr`: expected an IP address"))?,
                ),
            };
            let place = match (of(&hosts), address) {
                (host, None) if host.starts_with('/') => Place::Socket(PathBuf::from(host)),
                (host, None) if host.is_empty() => usual_place(port),
                (host, Some(address)) if host.is_empty() => Place::Host(address.to_string(), Some(address)),
                (host, address) => Place::Host(host, address),
            };
            Ok((place, port))
        };
        (0..count).map(place).collect()
    }

    /// Reads the parts of a URL.
    fn read(&mut self, url: &str) -> Result<(), String> {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        for (name, value) in [("user", user), ("password", password), ("dbname", database)] {
            self.set(name, decoded(value)?);
        }
        self.read_hosts(hosts)?;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err("a parameter without a value: expected NAME=VALUE".to_owned());
            };
            let (name, value) = (decoded(name)?, decoded(value)?);
            match (&*name, &*value) {
                ("ssl", "true") => self.set("sslmode", "require".to_owned()),
                _ => self.set(known(&name)?, value),
            }
        }
        Ok(())
    }

    /// Reads `HOST:PORT,HOST:PORT,…`; `[HOST]` if the host contains colons.
    fn read_hosts(&mut self, text: &str) -> Result<(), String> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for part in text.split(',') {
            let (host, port) = match part.strip_prefix('[').map(|part| part.split_once(']')) {
                Some(Some((host, rest))) => (host, rest.strip_prefix(':').unwrap_or(rest)),
                Some(None) => return Err("invalid host: `[` without `]`".to_owned()),
                None => part.split_once(':').unwrap_or((part, "")),
            };
            hosts.push(decoded(host)?);
            ports.push(decoded(port)?);
        }
        if hosts.iter().any(|host| !host.is_empty()) {
            self.set("host", hosts.join(","));
        }
        if ports.iter().any(|port| !port.is_empty()) {
            self.set("port", ports.join(","));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value);
        }
    }
}

/// The default place when no host is given: a socket in one of the usual folders, or localhost.
fn usual_place(port: u16) -> Place {
    let has_socket = |folder: &&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
    match SOCKET_FOLDERS.into_iter().find(has_socket) {
        Some(folder) => Place::Socket(PathBuf::from(folder)),
        None => Place::Host("localhost".to_owned(), None),
    }
}

/// Checks the name of a parameter.
fn known(name: &str) -> Result<&str, String> {
    match PARAMETERS.iter().any(|(known, _)| *known == name) {
        true => Ok(name),
        false => Err(format!("unknown parameter `{name}`")),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| "invalid percent-encoding: not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variable =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        Settings::new(url, &variable)
    }

    fn host(name: &str) -> Place {
        Place::Host(name.to_owned(), None)
    }

    #[test]
    fn urls_of_sockets() {
        let socket = Place::Socket(PathBuf::from("/run/a b"));
        for url in [
            "postgres:///db?host=/run/a%20b&port=55439&user=me",
            "postgres:///db?host=/run/a%20b&port=55439&user=me&sslmode=disable",
            "postgres://me@%2Frun%2Fa%20b:55439/db",
            "postgresql://me@%2frun%2fa%20b:55439/db",
        ] {
            let settings = settings(url, &[]).unwrap();
            assert_eq!(settings.places().unwrap(), [(socket.clone(), 55439)], "{url}");
            assert_eq!([settings.get("user"), settings.get("dbname")], [Some("me"), Some("db")], "{url}");
        }
    }

    #[test]
    fn a_url_takes_precedence_over_the_environment() {
        let variables = [
            ("PGHOST", "a,b"),
            ("PGPORT", "1,2"),
            ("PGUSER", "me"),
            ("PGPASSWORD", "p"),
            ("PGDATABASE", "db"),
            ("PGSSLMODE", ""),
            ("HOME", "/home/me"),
        ];
        let from = settings("postgres://", &variables).unwrap();
        assert_eq!(from.places().unwrap(), [(host("a"), 1), (host("b"), 2)]);
        assert_eq!([from.get("user"), from.get("password")], [Some("me"), Some("p")]);
        assert_eq!([from.get("sslmode"), from.get("passfile")], [None, Some("/home/me/.pgpass")]);
        let from = settings("postgres://you:q%40@c:3/other?passfile=f", &variables).unwrap();
        assert_eq!(from.places().unwrap(), [(host("c"), 3)]);
        assert_eq!([from.get("user"), from.get("password")], [Some("you"), Some("q@")]);
        assert_eq!([from.get("dbname"), from.get("passfile")], [Some("other"), Some("f")]);
        let from = settings("postgres://c", &[("PGPORT", "3"), ("PGHOSTADDR", "10.0.0.1")]).unwrap();
        let place = Place::Host("c".to_owned(), Some("10.0.0.1".parse().unwrap()));
        assert!(place.is_remote());
        assert_eq!(from.places().unwrap(), [(place, 3)]);
        let from = settings("postgres://[::1]:5,localhost/?user=x", &[]).unwrap();
        assert_eq!(from.places().unwrap(), [(host("::1"), 5), (host("localhost"), PORT)]);
        assert!(from.places().unwrap().iter().all(|(place, _)| !place.is_remote()));
    }

    #[test]
    fn messages_contain_no_passwords() {
        for (url, said) in [
            ("postgres://me:secret@host:x/db", "invalid port: expected a number from 1 to 65535"),
            ("postgres://me:secret/more@host/db", "invalid port: expected a number from 1 to 65535"),
            ("postgres://host/db?password=x&secret", "a parameter without a value: expected NAME=VALUE"),
            ("postgres://host/db?sslmod=disable", "unknown parameter `sslmod`"),
            ("postgres://a,b:1/?port=1,2,3", "the numbers of hosts, addresses and ports differ"),
            ("postgres://[::1/db", "invalid host: `[` without `]`"),
            ("postgres:///db?hostaddr=x", "invalid value `x` for `hostaddr`: expected an IP address"),
        ] {
            let error = settings(url, &[]).and_then(|settings| settings.places()).unwrap_err();
            assert_eq!(error, said, "{url}");
        }
    }
}
