//! Counts of exchanges and refusals by the hour.

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId, TeamId};
use crate::base::word_enum::word_enum;
use crate::model::origin::Origin;
use crate::model::person::authority::Authority;
use crate::model::token::Refusal;

word_enum! {
    /// The period that a chart shows, up to now. Its bars begin at full hours and days of UTC.
    #[derive(Default)]
    pub enum Period {
        /// By the hour.
        #[default]
        Day = "24h",
        /// In steps of two hours.
        Week = "7d",
        /// By the day.
        Month = "30d",
        /// By the day.
        Quarter = "90d",
    }
}

impl Period {
    /// How many hours one bar stands for.
    pub const fn hours_of_bar(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 2,
            Self::Month | Self::Quarter => 24,
        }
    }

    /// How many bars there are.
    pub const fn bars(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 84,
            Self::Month => 30,
            Self::Quarter => 90,
        }
    }

    /// The bars of the period up to `now`, oldest first, with what was counted. Bars without use are in the list too.
    pub(crate) fn filled(self, counted: &[Bar], now: Timestamp) -> Vec<Bar> {
        let (first, length) = (self.first_hour(now), self.hours_of_bar());
        let of_hour = |hour| counted.iter().find(|counted| counted.hour == hour).copied();
        let hours = (0..self.bars()).map(|bar| first + bar * length);
        hours.map(|hour| of_hour(hour).unwrap_or(Bar { hour, ..Bar::default() })).collect()
    }

    /// The first hour of the first bar.
    pub fn first_hour(self, now: Timestamp) -> i64 {
        let length = self.hours_of_bar();
        now.hour().div_euclid(length) * length - (self.bars() - 1) * length
    }
}

/// Exchanges and refusals in some hours that follow one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bar {
    /// The first of the hours, since the epoch.
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
    /// The credentials of a team.
    Team(&'a TeamId),
    /// The same as `All`, but only exchanges for this MCP server. Refused exchanges are not counted: most of them name
    /// no server.
    Server(&'a McpServerId, &'a Authority),
}

/// The exchanges of one secret, key or identity in some hours that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatorBar {
    /// The first of the hours, since the epoch.
    pub hour: i64,
    /// The identifier of the secret, key or identity.
    pub authenticator: String,
    /// Tokens issued.
    pub exchanges: i64,
}

/// A credential that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedCredential {
    /// Its client ID.
    pub client_id: ClientId,
    /// Its name.
    pub name: String,
    /// How many tokens it got.
    pub exchanges: i64,
}

/// A credential whose exchanges were refused for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCredential {
    /// Its client ID.
    pub client_id: ClientId,
    /// Its name.
    pub name: String,
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
}

/// The credentials that are first in some order.
#[derive(Debug, Clone, Default)]
pub struct Leaders {
    /// Those with the most exchanges.
    pub used: Vec<UsedCredential>,
    /// Those with the most refused exchanges, by cause.
    pub refused: Vec<RefusedCredential>,
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

/// Refusals of one credential or client in one hour for one cause, not yet written.
pub(crate) struct Counted {
    pub count: i64,
    pub last_at: Timestamp,
    pub last_origin: Origin,
    pub last_detail: RefusalDetail,
}

/// The key of a count: credential, hour and cause.
pub(crate) type Key = (ClientId, i64, Refusal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bar_of_each_period_is_now() {
        let now = Timestamp::parse_rfc3339("2026-12-05T21:40:00Z").expect("a moment");
        for period in Period::ALL {
            let after = period.first_hour(now) + period.bars() * period.hours_of_bar();
            assert!((now.hour() + 1..=now.hour() + period.hours_of_bar()).contains(&after), "{period:?}");
            assert_eq!(period.first_hour(now) % period.hours_of_bar(), 0, "{period:?}");
            assert!(period.bars() <= 96, "{period:?}");
        }
    }
}
