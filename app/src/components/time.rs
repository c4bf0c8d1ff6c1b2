//! Times: relative in the text, absolute in the tooltip, exact in the attribute for programs.

use domain::base::clock::Timestamp;
use leptos::prelude::*;

use crate::components::parts::muted;
use crate::html::html;
use crate::visit::Visit;

/// The distance of a time from now: "3 minutes ago", "in 90 days". It never stands after "until", "since" or "on":
/// these words take a [`moment`].
pub fn distance(at: Timestamp) -> AnyView {
    html! { <time datetime=at.rfc3339() title=full(at)>{relative(at, Visit::current().now())}</time> }
}

/// The distance of a time from now, or a word when there is none.
pub(crate) fn distance_or(at: Option<Timestamp>, otherwise: &'static str) -> AnyView {
    at.map_or_else(|| muted(otherwise), distance)
}

/// A time on the clock and in the calendar: "5 Dec, 20:14", in UTC. It stands after "until", "since" and "on".
pub fn moment(at: Timestamp) -> AnyView {
    html! { <time datetime=at.rfc3339() title=full(at) data-at="">{calendar(at, Visit::current().now())}</time> }
}

/// The same to the second: "5 Dec, 20:14:09", for what happened quickly.
pub(crate) fn second(at: Timestamp) -> AnyView {
    let seconds = at.rfc3339().get(16..19).unwrap_or_default().to_owned();
    let text = calendar(at, Visit::current().now()) + &seconds;
    html! { <time datetime=at.rfc3339() title=full(at) data-at="">{text}</time> }
}

/// The time on the clock: "20:14:09", in UTC.
pub(crate) fn clock(at: Timestamp) -> AnyView {
    let text = at.rfc3339().get(11..19).unwrap_or_default().to_owned();
    html! { <time datetime=at.rfc3339() title=full(at) data-at="">{text}</time> }
}

/// The day of a time: "Saturday, 5 Dec 2026", in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let name = DAYS[usize::try_from(at.millis().div_euclid(86_400_000).rem_euclid(7)).unwrap_or_default()];
    let text = at.rfc3339();
    format!("{name}, {} {}", day_and_month(&text), text.get(..4).unwrap_or_default())
}

/// "2026-12-05 20:14:09 UTC".
fn full(at: Timestamp) -> String {
    format!("{} UTC", at.rfc3339().trim_end_matches('Z').replace('T', " "))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// "5 Dec".
pub(crate) fn day_of(at: Timestamp) -> String {
    day_and_month(&at.rfc3339())
}

/// "5 Dec, 20:14"; with the year if it is not the year of `now`.
pub(crate) fn calendar(at: Timestamp, now: Timestamp) -> String {
    let [text, today] = [at.rfc3339(), now.rfc3339()];
    let is_this_year = today.get(..4) == text.get(..4);
    let year = if is_this_year { String::new() } else { format!(" {}", text.get(..4).unwrap_or_default()) };
    format!("{}{year}, {}", day_and_month(&text), text.get(11..16).unwrap_or_default())
}

/// "5 Dec" of "2026-12-05T20:14:09Z".
fn day_and_month(text: &str) -> String {
    let number = |from: usize, to: usize| text.get(from..to).unwrap_or_default().parse::<usize>().unwrap_or_default();
    format!("{} {}", number(8, 10), MONTHS.get(number(5, 7).saturating_sub(1)).copied().unwrap_or_default())
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
    fn moments_name_the_year_only_if_it_is_another() {
        let at = Timestamp::from_millis(1_796_501_649_000);
        assert_eq!(calendar(at, at), "5 Dec, 20:14");
        assert_eq!(calendar(at, Timestamp::from_millis(1_830_000_000_000)), "5 Dec 2026, 20:14");
    }

    #[test]
    fn days_have_their_names() {
        assert_eq!(day(Timestamp::from_millis(1_796_501_649_000)), "Saturday, 5 Dec 2026");
        assert_eq!(day(Timestamp::from_millis(0)), "Thursday, 1 Jan 1970");
    }

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
