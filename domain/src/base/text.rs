//! What may stand in a text that people read.

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

/// Whether the text needs no quotes and no escaping in a shell, an environment file, YAML, JSON or a program: it stands
/// in texts that others paste.
pub(crate) fn is_pasteable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?[]@+,=%".contains(&byte))
}

/// The text with a space in place of everything unprintable.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if is_unprintable(character) { ' ' } else { character }).collect()
}
