//! Variables of the environment that look like settings and are none: a misspelt setting would be ignored without a
//! message.

use clap::Command;

use super::error::ConfigError;
use super::values::variable;

/// What all our variables begin with.
const PREFIX: &str = "COUNTERSIGN_";
/// Variables that are no settings: secrets in the place of files, arguments of commands, and programs around this one.
const OTHERS: [&str; 7] = [
    "COUNTERSIGN_MASTER_KEY",
    "COUNTERSIGN_INITIAL_ACCESS_TOKEN",
    "COUNTERSIGN_OPENID_CLIENT_SECRET",
    "COUNTERSIGN_MIGRATE_TO",
    "COUNTERSIGN_SERVER",
    "COUNTERSIGN_TOKEN",
    "COUNTERSIGN_BIN",
];
/// Variables of the tests.
const OF_TESTS: &str = "COUNTERSIGN_TEST_";

/// Refuses a variable that begins like ours and is not known.
///
/// # Errors
///
/// The error names the variable, and the known one that is most like it.
pub(super) fn check(settings: &Command) -> Result<(), ConfigError> {
    let known: Vec<String> = settings.get_arguments().map(|setting| variable(setting.get_id().as_str())).collect();
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let unknown = variables.filter(|(name, value)| is_unknown(name, &value.to_string_lossy(), &known));
    match unknown.map(|(name, _)| name).min() {
        None => Ok(()),
        Some(name) => {
            let known = known.iter().map(String::as_str).chain(OTHERS);
            let nearest = known.min_by_key(|known| distance(&name, known)).unwrap_or_default();
            Err(ConfigError::new(&name, format!("is not the name of a setting; the nearest is {nearest}")))
        }
    }
}

fn is_unknown(name: &str, value: &str, known: &[String]) -> bool {
    name.starts_with(PREFIX)
        && !known.iter().any(|known| known == name)
        && !OTHERS.contains(&name)
        && !name.starts_with(OF_TESTS)
        && !is_of_a_service(name, value)
}

/// Whether Kubernetes or Docker made the variable: they describe a service with the name "countersign" this way to all
/// its neighbours. The value of `…_PORT` is then a URL.
fn is_of_a_service(name: &str, value: &str) -> bool {
    let mut words = name.split('_').skip(1).peekable();
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    while let Some(word) = words.next() {
        match (word, words.peek()) {
            ("SERVICE", Some(&"HOST" | &"PORT")) => return true,
            ("PORT", None) => return is_url,
            ("PORT", Some(number)) if is_number(number) => return true,
            _ => {}
        }
    }
    false
}

/// How many letters must be added, removed or replaced to make one text of the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, right) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_others_are_left_alone() {
        let known = ["COUNTERSIGN_LISTEN".to_owned()];
        for name in [
            "COUNTERSIGN_LISTEN",
            "COUNTERSIGN_MASTER_KEY",
            "COUNTERSIGN_TEST_POSTGRES",
            "COUNTERSIGN_SERVICE_HOST",
            "COUNTERSIGN_SERVICE_PORT_HTTP",
            "COUNTERSIGN_PORT",
            "COUNTERSIGN_PORT_8080_TCP_ADDR",
            "COUNTERSIGN_METRICS_SERVICE_HOST",
            "COUNTERSIGNATURE",
            "PATH",
        ] {
            assert!(!is_unknown(name, "tcp://10.0.0.7:8080", &known), "{name}");
        }
        for name in ["COUNTERSIGN_LISTN", "COUNTERSIGN_", "COUNTERSIGN_SERVICE", "COUNTERSIGN_PORT_NAME"] {
            assert!(is_unknown(name, "tcp://10.0.0.7:8080", &known), "{name}");
        }
        for name in ["COUNTERSIGN_PORT", "COUNTERSIGN_LISTEN_PORT"] {
            assert!(is_unknown(name, "9000", &known), "{name}: somebody means a setting");
        }
    }

    #[test]
    fn texts_that_differ_little_are_near() {
        assert_eq!(distance("LISTN", "LISTEN"), 1);
        assert_eq!(distance("LISTEN", "LISTEN"), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
