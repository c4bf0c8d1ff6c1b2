//! Times: relative in the text, absolute in the tooltip, exact in the attribute for programs.

use domain::base::clock::Timestamp;
use leptos::prelude::*;

use crate::components::parts::muted;
use crate::html::html;
use crate::visit::Visit;

/// One time.
pub fn moment(at: Timestamp) -> AnyView {
    let exact = at.rfc3339();
    let title = format!("{} UTC", exact.trim_end_matches('Z').replace('T', " "));
    html! { <time datetime=exact title=title>{relative(at, Visit::current().now())}</time> }
}

/// One time, or a word when there is none.
pub(crate) fn moment_or(at: Option<Timestamp>, otherwise: &'static str) -> AnyView {
    at.map_or_else(|| muted(otherwise), moment)
}

/// Units in seconds, and the number of seconds from which each unit is used. Days are used for a long range, because a
/// person can compare "in 90 days" with the expiry that they chose. "In 3 months" does not allow that.
const UNITS: [(&str, i64, i64); 6] = [
    ("year", 31_500_000, 63_000_000),
    ("month", 2_630_000, 10_500_000),
    ("day", 86_400, 86_400),
    ("hour", 3_600, 3_600),
    ("minute", 60, 60),
    ("second", 1, 0),
];

/// "3 minutes ago", "in 90 days". The script rounds in the same way.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let distance = (at.millis() - now.millis()).saturating_abs();
    let seconds = (distance + 500) / 1000;
    let (unit, size, _) = UNITS.into_iter().find(|(_, _, from)| seconds >= *from).unwrap_or(UNITS[5]);
    let count = (seconds + size / 2) / size;
    let plural = if count == 1 { "" } else { "s" };
    if at > now { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

/// "10 minutes", "1 hour", "90 seconds".
pub fn duration(length: std::time::Duration) -> String {
    let seconds = length.as_secs();
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_naturally() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let at = |seconds: i64| relative(Timestamp::from_millis(now.millis() + seconds * 1000), now);
        assert_eq!(at(-3), "3 seconds ago");
        assert_eq!(at(-60), "1 minute ago");
        assert_eq!(at(-5 * 3600), "5 hours ago");
        assert_eq!(at(90 * 86_400), "in 90 days");
        assert_eq!(at(365 * 86_400), "in 12 months");
        assert_eq!(at(-3 * 365 * 86_400), "3 years ago");
    }
}
