//! The place in a list, sorted by the age of its rows, where one page ends and the next page begins.

use crate::base::clock::Timestamp;

/// The last row of a page: its moment and its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When the row began.
    pub at: Timestamp,
    /// Its identifier, which tells rows of the same moment apart.
    pub id: String,
}

impl Cursor {
    /// The cursor as an address carries it. It is no secret: a person who changes it sees no more than their authority
    /// lets them.
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.at.millis(), self.id)
    }

    /// Reads what [`Cursor::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        Some(Self { at: Timestamp::from_millis(at.parse().ok()?), id: id.to_owned() })
    }
}
