//! Names that look alike. Two names with the same [`skeleton`] can be taken for one another.
//!
//! Unicode's full table of confusable characters (UTS 39) has 6,000 lines. Here stand the letters that are used to
//! imitate Latin ones. [`mixes_alphabets`] finds the imitations that use other letters: they need a Latin letter beside
//! a foreign one.

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::Script;

use crate::base::text::{is_letter_or_digit, is_mark};

/// Latin letters and digits, each with what looks like it. All are in lower case.
const LOOK_ALIKES: [(char, &str); 26] = [
    ('a', "аαɑᴀ@4"),
    ('b', "вьβʙƀ"),
    ('c', "сϲςᴄƈꞓ¢"),
    ('d', "ԁᴅđ"),
    ('e', "еєҽεᴇ3"),
    ('f', "ϝꜰƒ"),
    ('g', "ɡԍɢǥց9"),
    ('h', "һнհʜħ"),
    ('j', "јϳյᴊ"),
    ('k', "кκᴋƙ"),
    ('l', "1iіιıɩɪӏłʟǀ|!"),
    ('m', "мᴍɱ"),
    ('n', "пոηŋɴƞ"),
    ('o', "0оοօᴏøө"),
    ('p', "рρᴘ"),
    ('q', "ԛզ"),
    ('r', "гʀɼ"),
    ('s', "ѕꜱ5$"),
    ('t', "тτᴛŧ"),
    ('u', "υսᴜʋц"),
    ('v', "ѵνᴠ"),
    ('w', "ԝωᴡш"),
    ('x', "хχ×"),
    ('y', "уүγʏ"),
    ('z', "ᴢƶ2"),
    ('6', "б"),
];

fn look(character: char) -> char {
    LOOK_ALIKES.iter().find(|(_, others)| others.contains(character)).map_or(character, |(letter, _)| *letter)
}

/// What remains of a name without the differences that a reader overlooks: case, accents, width, look-alike letters,
/// spaces and punctuation.
pub(crate) fn skeleton(name: &str) -> String {
    // Inside a word, an exclamation mark can stand for a letter. At its end it is a mark.
    let name = name.trim_matches(|character| !is_letter_or_digit(character) && !is_mark(character));
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(name);
    let lower = decomposed.chars().filter(|character| !is_mark(*character)).flat_map(char::to_lowercase);
    let looks: String = lower.map(look).filter(|character| is_letter_or_digit(*character)).collect();
    looks.replace("rn", "m").replace("vv", "w")
}

/// Whether a word of the name has letters of two alphabets. People write such words to imitate others. Words of
/// Japanese, Chinese and Korean may hold Latin letters.
pub(crate) fn mixes_alphabets(name: &str) -> bool {
    let scripts = CodePointMapData::<Script>::new();
    let is_own = |script: &Script| ![Script::Common, Script::Inherited].contains(script);
    let goes_with_latin = |script: Script| {
        [Script::Latin, Script::Han, Script::Hiragana, Script::Katakana, Script::Hangul, Script::Bopomofo]
            .contains(&script)
    };
    name.split(|character| !is_letter_or_digit(character) && !is_mark(character)).any(|word| {
        let mut found = word.chars().map(|character| scripts.get(character)).filter(is_own);
        let Some(first) = found.next() else { return false };
        let is_with_first = |other: Script| other == first || goes_with_latin(first) && goes_with_latin(other);
        !found.all(is_with_first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        for imitation in [
            "countersign",
            "COUNTERSIGN",
            "Counter sign",
            "Counter-Sign!",
            "Сountersign",
            "Соuntеrѕіgn",
            "C0unters1gn",
            "Cóuntersign",
            "Ｃountersign",
            "𝐂𝐨𝐮𝐧𝐭𝐞𝐫𝐬𝐢𝐠𝐧",
            "Cοuntersign",
            "Countersıgn",
            "Counterslgn",
            "Counters!gn",
        ] {
            assert_eq!(skeleton(imitation), skeleton("Countersign"), "{imitation}");
        }
        for other in ["Counters", "Claude", "Co-design", "Контора"] {
            assert_ne!(skeleton(other), skeleton("Countersign"), "{other}");
        }
        assert_eq!(skeleton("Modern"), skeleton("Modem"));
    }

    #[test]
    fn a_word_is_written_in_one_alphabet() {
        for mixed in ["Pаypal", "Gιthub", "app Editоr"] {
            assert!(mixes_alphabets(mixed), "{mixed}");
        }
        for plain in ["Editor", "Редактор", "Редактор VS Code", "日本語Editor", "Édi-tor 2", "مريم", "e\u{301}"]
        {
            assert!(!mixes_alphabets(plain), "{plain}");
        }
    }
}
