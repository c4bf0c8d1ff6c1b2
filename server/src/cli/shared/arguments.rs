//! Arguments that several commands take.

use std::time::Duration;

use clap::Args;
use domain::base::id::ClientId;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::crypto::public_key::KeyAlgorithm;
use domain::model::credential::draft::Expiry;

use super::output::Format;

/// How a command prints what it found.
#[derive(Args)]
pub(crate) struct Printing {
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The credential that a command is about.
#[derive(Args)]
pub(crate) struct OneCredential {
    /// The credential
    #[arg(value_parser = client_id)]
    pub(crate) client_id: ClientId,
}

fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).ok_or_else(|| format!("“{text}” is not the identifier of a credential"))
}

/// A number and a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: s, m, h or d, such as 90d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// A duration or `never`.
pub(crate) fn expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" { Ok(Expiry::Never) } else { duration(text).map(Expiry::After) }
}

/// How tokens are signed.
pub(crate) fn token_algorithm(text: &str) -> Result<TokenAlgorithm, String> {
    TokenAlgorithm::parse(text).ok_or_else(|| one_of(TokenAlgorithm::ALL.map(TokenAlgorithm::as_str)))
}

/// How a client signs.
pub(crate) fn key_algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    KeyAlgorithm::parse(text).ok_or_else(|| one_of(KeyAlgorithm::ALL.map(KeyAlgorithm::as_str)))
}

fn one_of<const COUNT: usize>(words: [&str; COUNT]) -> String {
    format!("write one of {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(expiry("never"), Ok(Expiry::Never));
        for wrong in ["", "d", "90", "-1d", "1y", "1.5h", "99999999999999999999d", "9ü"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
