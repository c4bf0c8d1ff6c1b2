//! Counts of exchanges and refusals by the hour.

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::origin::Origin;
use crate::model::person::authority::Authority;
use crate::model::token::Refusal;

/// Exchanges and refusals in one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hour {
    /// Hours since the epoch.
    pub hour: i64,
    /// Tokens issued.
    pub exchanges: i64,
    /// Exchanges refused.
    pub refusals: i64,
}

/// Whose use is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// That of one credential.
    Credential(&'a ClientId),
    /// That of all which an authority sees.
    All(&'a Authority),
}

/// Refusals of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalSummary {
    /// The cause.
    pub cause: Refusal,
    /// How many.
    pub count: i64,
    /// When the last one was.
    pub last_at: Timestamp,
    /// Where it came from.
    pub last_address: Option<String>,
    /// With which program, as it says itself.
    pub last_agent: Option<String>,
    /// What was wrong with it, where the cause alone does not say.
    pub last_detail: Option<String>,
}

/// Refusals of one cause in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalHour {
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// The cause.
    pub cause: Refusal,
    /// How many.
    pub count: i64,
}

/// Refusals of one credential in one hour for one cause, not yet written.
pub(crate) struct Counted {
    pub count: i64,
    pub last_at: Timestamp,
    pub last_origin: Origin,
    pub last_detail: Option<String>,
}

/// What refusals are counted by.
pub(crate) type Key = (ClientId, i64, Refusal);
