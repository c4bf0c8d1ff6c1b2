//! Parsers for values that several settings share. A parser's error says what is wrong; `clap` adds the name of the
//! setting.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use super::error::ConfigError;

/// The environment variable of a setting.
pub(super) fn variable(setting: &str) -> String {
    format!("COUNTERSIGN_{}", setting.to_uppercase())
}

/// A list of values in one text, separated by commas. An alias, because `clap` reads a field of the type `Vec` as an
/// option that repeats.
pub(super) type List<T> = Vec<T>;

/// The values of a list. Spaces around a value are removed, and empty values are ignored.
pub(super) fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<List<T>, String> {
    text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(parse).collect()
}

/// A list of hosts, each with or without a port.
pub(super) fn hosts(text: &str) -> Result<List<String>, String> {
    list(text, |host| match Url::parse(&format!("http://{host}/")) {
        Ok(url) if url.path() == "/" && url.username().is_empty() => Ok(host.to_ascii_lowercase()),
        _ => Err(format!("“{host}” is not a host such as gitlab.internal:8443")),
    })
}

/// An address and a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.replacen("localhost:", "127.0.0.1:", 1).parse();
    address.map_err(|_| format!("“{text}” is not an address and a port, such as 127.0.0.1:8080"))
}

/// The path of a folder.
pub(super) fn path(text: &str) -> Result<PathBuf, &'static str> {
    // Other programs read an empty path as the working directory. Here it is a variable that somebody forgot to set.
    if text.is_empty() { Err("must name a folder") } else { Ok(PathBuf::from(text)) }
}

/// A parser for one of a few words.
pub(super) fn choice<T: Copy>(choices: &'static [(&str, T)]) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            match words.as_slice() {
                [first @ .., last] if !first.is_empty() => format!("must be {} or {last}", first.join(", ")),
                _ => format!("must be {}", words.concat()),
            }
        })
    }
}

/// A whole number.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("“{text}” is not a whole number of 0 or more"))
}

/// A whole number of seconds in this range.
pub(super) fn seconds(text: &str, range: RangeInclusive<u64>) -> Result<Duration, String> {
    let seconds = number(text)?;
    if range.contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(format!("{seconds} is not between {} and {} seconds", range.start(), range.end()))
}

/// Whether the URL's host is this machine (loopback).
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The secret in the file that `setting` (`…_file`) names, without the spaces around it, and the setting. The
/// environment variable of the same name without `_file` can hold the secret instead, because operators use both ways;
/// then the second value names the variable.
///
/// # Errors
///
/// When the file cannot be read, or the variable is set and holds no text: a reference that came to nothing must not
/// turn into a server without the secret.
pub(super) fn secret(setting: &str, file: Option<&Path>) -> Result<Option<(Zeroizing<String>, String)>, ConfigError> {
    let variable = variable(setting.trim_end_matches("_file"));
    let (text, place) = match (std::env::var_os(&variable), file) {
        (Some(text), _) => match text.into_string() {
            Ok(text) if !text.trim().is_empty() => (text, variable),
            _ => return Err(ConfigError::new(variable, "is set and holds no secret: set it, or remove the variable")),
        },
        (None, None) => return Ok(None),
        (None, Some(file)) => {
            let problem = |error| ConfigError::new(setting, format!("{}: {error}", file.display()));
            (std::fs::read_to_string(file).map_err(problem)?, setting.to_owned())
        }
    };
    let text = Zeroizing::new(text);
    Ok(Some((Zeroizing::new(text.trim().to_owned()), place)))
}
