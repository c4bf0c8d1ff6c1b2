//! Properties of the parsers that strangers reach: what holds for every input, tried with random ones.
//!
//! A property says that reading never panics, and more: what was written is read back, a second implementation reads
//! the same, or a limit holds. Inputs are as long as the limit of their place, so a parser whose time grows with the
//! square of the input makes its test take minutes. `./fuzz` runs these tests for as long as it is told.
//!
//! | file | what it tries |
//! |---|---|
//! | `forms` | form bodies, the `Authorization` header |
//! | `tokens` | strict JSON, compact JWS and their claims |
//! | `keys` | JWK, PEM and DER |
//! | `clients` | redirect URIs, registrations, client documents |
//! | `leaks` | the scanner for leaked secrets |

mod clients;
mod forms;
mod keys;
mod leaks;
mod tokens;

use proptest::prelude::*;

/// Text of pieces that mean something to a parser, with random characters between them.
fn soup(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[ -~]{0,4}",
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

/// `text` with some of its bytes replaced, removed or doubled.
fn damaged(text: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6);
    (text, edits).prop_map(|(mut text, edits)| {
        for (place, byte, how) in edits {
            if text.is_empty() {
                break;
            }
            let place = place.index(text.len());
            match how {
                0 => text[place] = byte,
                1 => drop(text.remove(place)),
                _ => text.insert(place, text[place]),
            }
        }
        text
    })
}
