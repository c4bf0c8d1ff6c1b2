//! The body of a token request and the query of an authorization request: `application/x-www-form-urlencoded`, read
//! strictly (RFC 6749 Appendix B).
//!
//! Ready-made parsers are lenient where an authorization server must not be: they replace invalid UTF-8, pass
//! `%zz` and NUL through, and keep one of two equal parameters.

use zeroize::Zeroizing;

/// The parameters that some grant or client authentication defines. Each may appear once.
const DEFINED: [&str; 20] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "assertion",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "device_code",
    "token",
    "response_type",
    "response_mode",
    "state",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];
/// May appear more than once on the wire (RFC 8707 §2).
const RESOURCE: &str = "resource";

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A bad percent escape, invalid UTF-8 or a control character.
    #[error("The body must be form-urlencoded UTF-8 without control characters.")]
    Malformed,
    /// A parameter that may appear once appears twice.
    #[error("A parameter is repeated.")]
    Repeated,
}

/// The parameters of a request that we know, decoded. Wiped when dropped: one of them may be a secret.
pub struct TokenForm {
    parameters: Vec<(&'static str, Zeroizing<String>)>,
}

impl TokenForm {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`FormError`] for a bad percent escape, invalid UTF-8, a control character, or a defined parameter that is there
    /// twice. Unknown parameters are ignored, and a parameter without a value counts as absent (RFC 6749
    /// §3.2), but both must be well formed.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let mut parameters: Vec<(&'static str, Zeroizing<String>)> = Vec::new();
        let mut seen: Vec<&'static str> = Vec::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(position) => (&pair[..position], &pair[position + 1..]),
                None => (pair, &[][..]),
            };
            let name = decode(name).ok_or(FormError::Malformed)?;
            let value = decode(value).ok_or(FormError::Malformed)?;
            if *name == RESOURCE {
                if !value.is_empty() {
                    parameters.push((RESOURCE, value));
                }
            } else if let Some(known) = DEFINED.iter().find(|known| **known == *name) {
                if seen.contains(known) {
                    return Err(FormError::Repeated);
                }
                seen.push(known);
                if !value.is_empty() {
                    parameters.push((known, value));
                }
            }
        }
        Ok(Self { parameters })
    }

    /// The value of a parameter that may appear once.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The values of `resource`.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|(name, _)| *name == RESOURCE).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for TokenForm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.parameters.iter().map(|(name, _)| name)).finish()
    }
}

/// Decodes one name or value: `+` is a space, `%` is followed by two hexadecimal digits, the result is UTF-8
/// without control characters.
pub(crate) fn decode(encoded: &[u8]) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(encoded.len()));
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hexadecimal(*rest.next()?)? << 4 | hexadecimal(*rest.next()?)?,
            byte => *byte,
        });
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    (!text.chars().any(char::is_control)).then(|| Zeroizing::new(text.to_owned()))
}

fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_decoded() {
        let form = TokenForm::parse(b"grant_type=client_credentials&scope=a%20b+c&foo=1&foo=2&client_secret=&&x")
            .expect("well formed");
        assert_eq!(form.get("grant_type"), Some("client_credentials"));
        assert_eq!(form.get("scope"), Some("a b c"));
        assert_eq!(form.get("client_secret"), None);
        assert_eq!(form.get("foo"), None);
        assert_eq!(format!("{form:?}"), r#"["grant_type", "scope"]"#);
    }

    #[test]
    fn resources_may_repeat_and_nothing_else_may() {
        let form = TokenForm::parse(b"resource=https://a&resource=https://b").expect("well formed");
        assert_eq!(form.resources().collect::<Vec<_>>(), ["https://a", "https://b"]);
        for body in ["scope=a&scope=a", "client_id=&client_id=x", "grant_type=a&gr%61nt_type=b"] {
            assert!(TokenForm::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn malformed_bytes_are_refused_in_every_place() {
        for wrong in [&b"%zz"[..], b"%4", b"%", b"%ff%fe", b"\xff", b"%00", b"%0a", b"\n", b"%7f", b"%c2%85"] {
            for (before, after) in [(&b"scope="[..], &b""[..]), (b"unknown=", b"&grant_type=x"), (b"", b"=x")] {
                let body = [before, wrong, after].concat();
                assert!(TokenForm::parse(&body).is_err(), "{body:?}");
            }
        }
    }
}
