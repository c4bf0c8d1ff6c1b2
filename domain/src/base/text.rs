//! What may stand in a text that people read, or that is logged.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

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

/// Characters that look like nothing although Unicode counts them as letters, marks or symbols.
const BLANKS: [char; 6] = ['\u{2800}', '\u{FFFC}', '\u{13441}', '\u{13442}', '\u{16FE4}', '\u{1D159}'];

fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

fn is_in(character: char, group: GeneralCategoryGroup) -> bool {
    group.contains(category(character))
}

/// Whether the character is a letter or a digit.
pub(crate) fn is_letter_or_digit(character: char) -> bool {
    is_in(character, GeneralCategoryGroup::Letter) || is_in(character, GeneralCategoryGroup::Number)
}

/// Whether the character is a mark that stands on the character before it.
pub(crate) fn is_mark(character: char) -> bool {
    is_in(character, GeneralCategoryGroup::Mark)
}

/// Whether a text that people read, or a line of the log, must not hold the character. A name must look like what it
/// is, and one log entry must stay one line. Letters, marks, digits, punctuation, symbols and the plain space may
/// stand in a text. Everything else, and what is invisible among them (Unicode's `Default_Ignorable_Code_Point`), may
/// not.
///
/// So joiners and variation selectors are refused too. An emoji of one character may stand in a name, and an emoji that
/// is joined from several may not. A list of the invisible characters was the rejected alternative: it had gaps, and
/// each version of Unicode adds some.
pub(crate) fn is_unprintable(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let visible = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Mark)
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    !is_in(character, visible)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || BLANKS.contains(&character)
}

/// Checks that the text has at most so many characters. The error says what to do.
pub(crate) fn check_length(text: &str, longest: usize) -> Result<(), String> {
    if text.chars().count() > longest { Err(format!("Use at most {longest} characters.")) } else { Ok(()) }
}

/// Whether the character is a space of any kind that stands inside a line.
pub(crate) fn is_space(character: char) -> bool {
    is_in(character, GeneralCategoryGroup::SpaceSeparator)
}

/// The text with a plain space in place of each run of spaces of any kind, and none at its ends. Keyboards and copied
/// texts bring spaces that look like the plain one.
pub(crate) fn with_single_spaces(text: &str) -> String {
    text.trim().split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Checks the length of a line and that people can read it.
pub(crate) fn check_printable(line: &str, longest: usize) -> Result<(), String> {
    check_length(line, longest)?;
    if let Some(hidden) = line.chars().find(|character| is_unprintable(*character)) {
        return Err(format!(
            "Use letters, digits, punctuation and symbols. The character U+{:04X} in it cannot be seen.",
            u32::from(hidden)
        ));
    }
    let bases = [' '].into_iter().chain(line.chars());
    if bases.zip(line.chars()).any(|(base, mark)| base == ' ' && is_mark(mark)) {
        return Err("An accent or another mark stands without a letter before it.".to_owned());
    }
    Ok(())
}

/// Checks a name that people read: it has a letter or a digit, and nothing that cannot be seen. Returns it as it is
/// kept, with single spaces. It may be empty.
pub(crate) fn check_visible_name(name: &str, longest: usize) -> Result<String, String> {
    let name = with_single_spaces(name);
    check_printable(&name, longest)?;
    if name.is_empty() || name.chars().any(is_letter_or_digit) {
        return Ok(name);
    }
    Err("Use at least one letter or digit.".to_owned())
}

/// Whether the text needs no quotes and no escaping in a shell, an environment file, YAML, JSON or a program: it stands
/// in texts that others paste.
pub(crate) fn is_pasteable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?[]@+,=%".contains(&byte))
}

/// A cell of a CSV file (RFC 4180), in quotes. Spreadsheets run a cell that begins like a formula. An apostrophe in
/// front keeps it text.
pub fn csv_cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// The text with a space in place of everything unprintable.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if is_unprintable(character) { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(csv_cell("=1+1"), "\"'=1+1\"");
        assert_eq!(csv_cell("@SUM(A1)"), "\"'@SUM(A1)\"");
        assert_eq!(csv_cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }

    /// Characters that show nothing, or change how others are shown.
    const HIDDEN: [char; 17] = [
        '\u{3164}',
        '\u{2800}',
        '\u{AD}',
        '\u{115F}',
        '\u{FE0F}',
        '\u{E0041}',
        '\u{200B}',
        '\u{200D}',
        '\u{202E}',
        '\u{2066}',
        '\u{61C}',
        '\u{FEFF}',
        '\u{FFA0}',
        '\u{34F}',
        '\u{180E}',
        '\u{E000}',
        '\u{FFFC}',
    ];

    #[test]
    fn what_cannot_be_seen_is_refused_alone_and_inside_a_name() {
        for hidden in HIDDEN {
            for name in [format!("{hidden}{hidden}x"), format!("a{hidden}b"), format!("x {hidden} x")] {
                assert!(check_visible_name(&name, 100).is_err(), "U+{:04X}", u32::from(hidden));
            }
            assert!(!printable(&format!("a{hidden}b")).contains(hidden), "U+{:04X}", u32::from(hidden));
        }
        for nothing in ["…", "- - -", "🦀", "(!)"] {
            assert!(check_visible_name(nothing, 100).is_err(), "{nothing}");
        }
        for alone in ["\u{301}a", "a \u{301}", "\u{489}1"] {
            assert!(check_visible_name(alone, 100).is_err(), "{alone}");
        }
        let problem = check_visible_name("sho\u{200B}p", 100).expect_err("refused");
        assert!(problem.contains("U+200B"), "{problem}");
    }

    #[test]
    fn names_of_all_languages_are_kept() {
        for name in [
            "Zoë Müller-Lüdenscheidt",
            "山田太郎",
            "Ελένη",
            "Иван Иванович",
            "प्रिया",
            "مريم",
            "สมชาย",
            "김철수",
            "e\u{301}te\u{301}",
            "nightly index (2)",
            "R&D €5 🦀",
            "Ọlá",
            "x",
        ] {
            assert_eq!(check_visible_name(name, 100).as_deref(), Ok(name));
        }
        assert_eq!(check_visible_name(" 山田\u{3000}太郎 \u{A0} x ", 100).as_deref(), Ok("山田 太郎 x"));
    }
}
