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

/// The credentials whose use is counted.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// One credential.
    Credential(&'a ClientId),
    /// All credentials that an authority sees.
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
    /// The program that sent it, as it names itself.
    pub last_agent: Option<String>,
    /// What was wrong with it, if the cause alone does not say that.
    pub last_detail: Option<String>,
    /// What its token says of the subject and the conditions, if they did not match. For managers of the credential.
    pub last_received: Option<String>,
}

/// What is known about a refusal besides its cause.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusalDetail {
    /// Names of claims and the expected values, nothing of what the client sent.
    pub text: Option<String>,
    /// Claims of a verified token that did not match.
    pub received: Option<String>,
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
    pub last_detail: RefusalDetail,
}

/// The key of a count: credential, hour and cause.
pub(crate) type Key = (ClientId, i64, Refusal);
