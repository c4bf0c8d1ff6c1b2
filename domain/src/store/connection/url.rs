//! The address of the database. It is read from the settings, and shown without user and password.

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

/// The parameters of a PostgreSQL URL that the driver knows. Other parameters are refused, because the driver would log
/// a warning with their values, and because a misspelt `sslmode` must not be ignored.
const PARAMETERS: [&str; 10] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "application_name", "options"];

/// The address of a database. Its `Display` shows neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of PostgreSQL.
    Postgres(PostgresUrl),
}

/// `postgres://…`, complete. See [`DatabaseUrl`].
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Url);

impl DatabaseUrl {
    /// Reads `sqlite://PATH` or `postgres://…`. A PostgreSQL on another machine is connected over TLS with its
    /// certificate checked, unless the URL's `sslmode` says otherwise.
    ///
    /// # Errors
    ///
    /// What is wrong, in words that repeat nothing of the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return if path.is_empty() || path.contains('?') {
                Err("sqlite:// must be followed by a path".to_owned())
            } else {
                Ok(Self::Sqlite(PathBuf::from(path)))
            };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err("must be of the form sqlite://PATH or postgres://USER@HOST/DATABASE".to_owned());
        }
        let mut url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        let mut host = url.host_str().unwrap_or_default().to_owned();
        let mut mode = None;
        for (key, value) in url.query_pairs() {
            if !PARAMETERS.contains(&key.split('[').next().unwrap_or_default()) {
                return Err(format!("has a parameter {key:?}; known are {}", PARAMETERS.join(", ")));
            }
            match key.as_ref() {
                "host" => host = value.into_owned(),
                "sslmode" => mode = Some(value.into_owned()),
                _ => {}
            }
        }
        if host.is_empty() && ["PGHOST", "PGHOSTADDR"].iter().any(|name| std::env::var_os(name).is_some()) {
            return Err("names no host while PGHOST or PGHOSTADDR is set: name the host".to_owned());
        }
        match mode.as_deref() {
            Some("disable" | "require" | "verify-ca" | "verify-full") => {}
            Some("allow" | "prefer") => {
                return Err("sslmode must not be allow or prefer: whoever sits in between could turn TLS off. Use \
                            verify-full, or disable on a network that is yours alone"
                    .to_owned());
            }
            Some(_) => return Err("sslmode must be verify-full, verify-ca, require or disable".to_owned()),
            None => {
                let mode = if is_this_machine(&host) { "disable" } else { "verify-full" };
                url.query_pairs_mut().append_pair("sslmode", mode);
            }
        }
        Ok(Self::Postgres(PostgresUrl(url)))
    }

    /// The file; `None` when the database is not SQLite.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl PostgresUrl {
    /// The whole URL, for the driver alone.
    pub(crate) fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// Whether the host is a socket's folder, or an address of the loopback interface.
fn is_this_machine(host: &str) -> bool {
    let is_socket = host.is_empty() || host.starts_with('/') || host.to_ascii_lowercase().starts_with("%2f");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    is_socket || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(PostgresUrl(url)) => {
                write!(formatter, "postgres://{}", url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(formatter, ":{port}")?;
                }
                write!(formatter, "{}", url.path())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PostgresUrl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> String {
        let Ok(DatabaseUrl::Postgres(url)) = DatabaseUrl::parse(text) else { panic!("{text} is understood") };
        let pairs: Vec<_> = url.0.query_pairs().into_owned().filter(|(key, _)| key == "sslmode").collect();
        let [(_, mode)] = pairs.as_slice() else { panic!("one mode") };
        mode.clone()
    }

    #[test]
    fn another_machine_is_spoken_to_over_tls() {
        assert_eq!(mode("postgres://db.example.com/x"), "verify-full");
        assert_eq!(mode("postgresql://u:p@10.0.0.7:5433/x"), "verify-full");
        assert_eq!(mode("postgres://localhost/x?host=db.example.com"), "verify-full");
        assert_eq!(mode("postgres://db.example.com/x?sslmode=disable"), "disable");
        assert_eq!(mode("postgres://127.0.0.1/x"), "disable");
        assert_eq!(mode("postgres://[::1]/x"), "disable");
        assert_eq!(mode("postgres://%2Frun%2Fpostgresql/x"), "disable");
        assert_eq!(mode("postgres:///x?host=/run/postgresql"), "disable");
    }

    #[test]
    fn what_weakens_it_or_is_unknown_is_refused_without_being_repeated() {
        for wrong in [
            "mysql://root:hunter2@h/x",
            "postgres://u:hunter2@h/x?sslmode=prefer",
            "postgres://u:hunter2@h/x?sslmode=hunter2",
            "postgres://u:hunter2@h:x/x",
            "postgres://h/x?passwd=hunter2",
            "sqlite://",
            "sqlite://x?mode=hunter2",
        ] {
            let problem = DatabaseUrl::parse(wrong).expect_err(wrong);
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn what_is_shown_opens_nothing() {
        let url = DatabaseUrl::parse("postgres://ada:hunter2@db.example.com:5433/countersign").expect("understood");
        assert_eq!(url.to_string(), "postgres://db.example.com:5433/countersign");
        assert_eq!(format!("{url:?}"), url.to_string());
    }
}
