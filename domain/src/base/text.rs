//! What may stand in a text that people read, or that is logged.

/// Writes a type's `Debug` as this text. Secrets are shown as `Name(redacted)`, keys by their identifier.
macro_rules! debug_as {
    ($type:ty, $text:literal) => {
        debug_as!($type, |_value| $text);
    };
    ($type:ty, |$value:ident| $($text:tt)+) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $value = self;
                write!(formatter, $($text)+)
            }
        }
    };
}

pub(crate) use debug_as;

/// Controls, and the marks that break, reverse or hide text: a name must look like what it is, and one log entry must
/// stay one line.
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{2069}'
                | '\u{FEFF}'
        )
}

/// Checks that the text has at most so many characters. The error says what to do.
pub(crate) fn check_length(text: &str, longest: usize) -> Result<(), String> {
    if text.chars().count() > longest { Err(format!("Use at most {longest} characters.")) } else { Ok(()) }
}

/// Checks the length of a line and that people can read it.
pub(crate) fn check_printable(line: &str, longest: usize) -> Result<(), String> {
    check_length(line, longest)?;
    if line.chars().any(is_unprintable) {
        return Err("Use letters, digits and punctuation only.".to_owned());
    }
    Ok(())
}

/// Whether the text needs no quotes and no escaping in a shell, an environment file, YAML, JSON or a program: it stands
/// in texts that others paste.
pub(crate) fn is_pasteable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?[]@+,=%".contains(&byte))
}

/// The text with a space in place of everything unprintable.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if is_unprintable(character) { ' ' } else { character }).collect()
}
