//! Charts of exchanges or calls: bars with a scale and times below them, and a table with the same values. A bar shows
//! its values while the pointer is over it. A bar with refused exchanges leads to their list, and shows its values
//! while it has the focus too.
//!
//! The drawing has no coordinates of its own, only percentages: it fills its box at every width, and its texts keep
//! their size. Its rules are in `style/chart.css`, because the policy of the pages allows no inline styles.

use domain::base::clock::Timestamp;
use domain::model::credential::usage::{Bar, Period};
use leptos::prelude::*;

use crate::components::parts::pill;
use crate::components::time::day_of;
use crate::html::html;
use crate::links;
use crate::number::{counted, grouped};

/// What the bars count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Exchanges, and refused exchanges.
    Exchanges,
    /// Calls through the gateway that worked, and calls that did not.
    Calls,
}

impl Counts {
    fn good(self, count: i64) -> String {
        match self {
            Self::Exchanges => counted(count, "exchange", "exchanges"),
            Self::Calls => format!("{} worked", counted(count, "call", "calls")),
        }
    }

    fn bad(self, count: i64) -> String {
        match self {
            Self::Exchanges => format!("{} refused", grouped(count)),
            Self::Calls => format!("{} did not", grouped(count)),
        }
    }

    /// The heads of the columns: what is counted, and what of it did not go well.
    fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Exchanges => ["Exchanges", "Refused"],
            Self::Calls => ["Worked", "Did not work"],
        }
    }

    /// One, and a name for all.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Exchanges => ["exchange", "Exchanges"],
            Self::Calls => ["call", "Calls"],
        }
    }
}

/// What a chart shows.
pub(crate) struct Chart {
    pub counts: Counts,
    pub bars: Vec<Bar>,
    pub period: Period,
    /// Whose refused exchanges a bar leads to: parameters of the page of refused exchanges. `None` when refused
    /// exchanges are not counted.
    pub refused: Option<Vec<(&'static str, String)>>,
    /// What the legend says of the causes.
    pub causes: String,
}

/// The name of a period, on its own and after "the last".
pub(crate) fn period_words(period: Period) -> (&'static str, &'static str) {
    match period {
        Period::Day => ("24 h", "24 hours"),
        Period::Week => ("7 d", "7 days"),
        Period::Month => ("30 d", "30 days"),
        Period::Quarter => ("90 d", "90 days"),
    }
}

/// The links to the other periods of a chart. `label` is the name of this navigation on the page.
pub(crate) fn period_pills(current: Period, label: &'static str, address: impl Fn(&'static str) -> String) -> AnyView {
    let link = |period: Period| pill(address(period.as_str()), period_words(period).0, None, period == current);
    html! { <nav class="row" aria-label=label>{Period::ALL.map(link).collect_view()}</nav> }
}

/// The chart.
pub(crate) fn chart(chart: Chart) -> AnyView {
    let Chart { counts, bars, period, refused, causes } = chart;
    let has_bad = refused.is_some() || counts == Counts::Calls;
    let [one, all] = counts.names();
    let [exchanges, refusals] =
        [|bar: &Bar| bar.exchanges, |bar: &Bar| bar.refusals].map(|count| bars.iter().map(count).sum::<i64>());
    let (_, words) = period_words(period);
    if exchanges + refusals == 0 {
        return html! { <p class="chart none">{format!("No {one} in the last {words}.")}</p> };
    }
    let highest = bars.iter().map(|bar| bar.exchanges + bar.refusals).max().unwrap_or_default();
    let top = 2 * half_scale(highest);
    let step = 100.0 / bars.len().max(1) as f64;
    let hours = period.hours_of_bar();
    let link = |bar: &Bar| {
        let whose = refused.as_ref().filter(|_| bar.refusals > 0)?;
        Some(links::refused_within(bar.hour, hours, whose))
    };
    let bar_views = bars.iter().enumerate().filter(|(_, bar)| bar.exchanges + bar.refusals > 0);
    let bar_views =
        bar_views.map(|(position, bar)| drawn(bar, (position as f64 * step, step), (top, hours), counts, link(bar)));
    let times = bars.iter().enumerate().filter_map(|(position, bar)| {
        let x = position as f64 * step;
        let text = time_below(bar.hour, position, period).filter(|_| x <= 95.0)?;
        // The text of a late bar ends below it: to the right of it there is no room.
        let anchor = (x > LATE).then_some("end");
        Some(view! { <text class="at" x=percent(x) y="100%" text-anchor=anchor>{text}</text> })
    });
    let drawing = view! {
        <line x2="100%"/><line x2="100%" y1="50%" y2="50%"/><line x2="100%" y1="100%" y2="100%"/>
        {bar_views.collect_view()}
        <g aria-hidden="true">{times.collect_view()}</g>
    };
    let label = format!("{all} in the last {words}. The table below has the same values.");
    html! {
        <figure class="chart">
            <div class="plot">
                <div class="scale" aria-hidden="true">
                    {scale(top).map(|text| view! { <span>{text}</span> })}<span>"0"</span>
                </div>
                <svg role="group" aria-label=label>{drawing}</svg>
            </div>
            <figcaption class="legend">
                <span>{counts.good(exchanges)}</span>
                {has_bad.then(|| {
                    let causes = if refusals > 0 && !causes.is_empty() { format!(": {causes}") } else { String::new() };
                    view! { <span data-tone="danger">{format!("{}{causes}", counts.bad(refusals))}</span> }
                })}
                <span class="zone">"Times in UTC"</span>
            </figcaption>
        </figure>
        {values(&bars, hours, counts, has_bad, link)}
    }
}

/// Where a text below a chart no longer fits to the right of its place, in percent of the width.
const LATE: f64 = 86.0;

/// One bar: exchanges at the bottom, refused exchanges above them, and the text with its values.
fn drawn(bar: &Bar, (x, width): (f64, f64), (top, hours): (i64, i64), counts: Counts, link: Option<String>) -> AnyView {
    let part = |count: i64| count as f64 * 100.0 / top as f64;
    // A bar has the height of its sum. Few refusals of many exchanges are drawn higher than they are, so that people
    // see them, but inside the bar.
    let all = part(bar.exchanges + bar.refusals).max(LOWEST_BAR);
    let bad = if bar.refusals == 0 { 0.0 } else { part(bar.refusals).max(LOWEST_PART).min(all) };
    let good = if bar.exchanges == 0 { 0.0 } else { all - bad };
    let bad = if bar.exchanges == 0 { all } else { bad };
    let (good_y, bad_y) = (percent(100.0 - good), percent(100.0 - all));
    let good = (good > 0.0).then(|| view! { <rect y=good_y height=percent(good)/> });
    let bad = (bad > 0.0).then(|| view! { <rect class="bad" y=bad_y height=percent(bad)/> });
    let shape = view! {
        <svg x=percent(x) width=percent(width)>
            <rect/>{good}{bad}
        </svg>
    };
    // Short, so that it fits on a phone. The legend says what is counted.
    let refused = if bar.refusals > 0 { format!(", {}", counts.bad(bar.refusals)) } else { String::new() };
    let text = format!("{}: {}{refused}", range(bar.hour, hours), counts.good(bar.exchanges));
    match link {
        Some(href) => html! { <a href=href>{shape}<text>{text}</text></a> },
        None => html! { <g>{shape}<text>{text}</text></g> },
    }
}

/// The values in a table, the newest first. Bars without a value are left out.
fn values(
    bars: &[Bar],
    hours: i64,
    counts: Counts,
    with_refusals: bool,
    link: impl Fn(&Bar) -> Option<String>,
) -> AnyView {
    let [good, bad] = counts.columns();
    let row = |bar: &Bar| {
        let refused = match link(bar) {
            Some(href) => html! { <a href=href>{grouped(bar.refusals)}</a> },
            None => grouped(bar.refusals).into_any(),
        };
        let refused = with_refusals.then(|| view! { <td>{refused}</td> });
        view! { <tr><th scope="row">{range(bar.hour, hours)}</th><td>{grouped(bar.exchanges)}</td>{refused}</tr> }
    };
    let rows = bars.iter().rev().filter(|bar| bar.exchanges + bar.refusals > 0).map(row).collect_view();
    html! {
        <details class="more">
            <summary>"Show as table"</summary>
            <table class="values">
                <thead>
                    <tr>
                        <th scope="col">"Time (UTC)"</th><th scope="col">{good}</th>
                        {with_refusals.then(|| view! { <th scope="col">{bad}</th> })}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </details>
    }
}

/// The use of several secrets, keys or identities by the hour, one below the other. Each has a label, its bars, and a
/// note. The times below the last one are those of all.
pub(crate) fn strips(
    rows: impl IntoIterator<Item = (String, Vec<(i64, i64)>, AnyView)>,
    first: i64,
    hours: i64,
) -> AnyView {
    let rows: Vec<_> = rows.into_iter().collect();
    let highest = rows.iter().flat_map(|(_, bars, _)| bars).map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let step = 100.0 / hours as f64;
    let row = |(label, bars, note): (String, Vec<(i64, i64)>, AnyView)| {
        let bars = bars.into_iter().map(|(hour, count)| {
            let height = (count as f64 * 100.0 / highest as f64).max(6.0);
            let x = (hour - first) as f64 * step + step * 0.12;
            let [x, y, width, height] = [x, 100.0 - height, step * 0.76, height].map(percent);
            view! { <rect x=x y=y width=width height=height/> }
        });
        view! {
            <li>
                <code>{label}</code>
                <svg aria-hidden="true"><line x2="100%" y1="100%" y2="100%"/>{bars.collect_view()}</svg>
                <span>{note}</span>
            </li>
        }
    };
    let times = (0..hours).filter_map(|position| {
        let text = match (first + position).rem_euclid(24) {
            0 => day_of(Timestamp::from_millis((first + position) * HOUR)),
            12 => "12:00".to_owned(),
            _ => return None,
        };
        let x = position as f64 * step;
        let anchor = (x > LATE).then_some("end");
        Some(view! { <text x=percent(x) y="1em" text-anchor=anchor>{text}</text> })
    });
    html! {
        <ul class="strips">
            {rows.into_iter().map(row).collect_view()}
            <li class="times" aria-hidden="true"><svg>{times.collect_view()}</svg></li>
        </ul>
    }
}

/// Numbers as bars beside their names: the largest fills its box.
pub(crate) fn shares(rows: impl IntoIterator<Item = (AnyView, i64)>) -> AnyView {
    let rows: Vec<_> = rows.into_iter().collect();
    let highest = rows.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let row = |(name, count): (AnyView, i64)| {
        let width = percent((count as f64 * 100.0 / highest as f64).max(1.0));
        view! {
            <li>
                <span>{name}</span><b>{grouped(count)}</b>
                <svg aria-hidden="true"><rect width=width height="100%"/></svg>
            </li>
        }
    };
    html! { <ol class="list shares">{rows.into_iter().map(row).collect_view()}</ol> }
}

/// Half of the scale: a round number of which twice reaches `highest`.
fn half_scale(highest: i64) -> i64 {
    let mut unit: i64 = 1;
    loop {
        if let Some(step) = [1, 2, 3, 4, 5, 6, 8].into_iter().find(|step| step * unit * 2 >= highest) {
            return step * unit;
        }
        unit = unit.saturating_mul(10);
    }
}

/// The text below a bar; most bars have none.
fn time_below(hour: i64, position: usize, period: Period) -> Option<String> {
    let (day, hour_of_day) = (day_of(Timestamp::from_millis(hour * HOUR)), hour.rem_euclid(24));
    match period {
        Period::Day => (hour_of_day % 6 == 0).then(|| format!("{hour_of_day:02}:00")),
        Period::Week => (hour_of_day == 0).then_some(day),
        Period::Month => position.is_multiple_of(5).then_some(day),
        Period::Quarter => position.is_multiple_of(15).then_some(day),
    }
}

const HOUR: i64 = 3_600_000;
/// The lowest height of a bar with a value, and of the refusals in it, in parts of a hundred: the bar can be seen.
const LOWEST_BAR: f64 = 2.0;
const LOWEST_PART: f64 = 1.0;

/// "5 Dec, 14:00–16:00", "5 Dec" for a whole day, "5 Dec, 14:00 – 6 Dec, 14:00" for a day that begins later.
pub(crate) fn range(hour: i64, hours: i64) -> String {
    let day = |hour: i64| day_of(Timestamp::from_millis(hour * HOUR));
    let of_day = |hour: i64| format!("{:02}:00", hour.rem_euclid(24));
    let end = hour + hours;
    match (hour.rem_euclid(24), hours) {
        (0, 24) => day(hour),
        (begins, _) if begins + hours > 24 => {
            format!("{}, {} – {}, {}", day(hour), of_day(hour), day(end), of_day(end))
        }
        _ => format!("{}, {}–{}", day(hour), of_day(hour), of_day(end)),
    }
}

fn percent(number: f64) -> String {
    let text = format!("{number:.2}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The upper end and the middle of the scale, both in the same unit: `1,200` and `600`, `12 k` and `6 k`, `1.6 M` and
/// `0.8 M`.
fn scale(top: i64) -> [String; 2] {
    let (unit, letter) = match top {
        ..10_000 => return [top, top / 2].map(grouped),
        10_000..1_000_000 => (1000.0, "k"),
        _ => (1_000_000.0, "M"),
    };
    [top, top / 2].map(|number| format!("{} {letter}", percent(number as f64 / unit).trim_end_matches('%')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_round_numbers_that_reach_the_highest_bar() {
        let tops = [1, 2, 5, 9, 11, 612, 5000, 1_234_567].map(|highest| 2 * half_scale(highest));
        assert_eq!(tops, [2, 2, 6, 10, 12, 800, 6000, 1_600_000]);
        assert_eq!(scale(6000), ["6,000", "3,000"]);
        assert_eq!(scale(12_000), ["12 k", "6 k"]);
        assert_eq!(scale(1_600_000), ["1.6 M", "0.8 M"]);
    }

    #[test]
    fn a_bar_with_refused_exchanges_leads_to_them() {
        let bar = Bar { hour: 0, exchanges: 3, refusals: 1 };
        let shown = |bar: &Bar, link| drawn(bar, (0.0, 1.25), (4, 1), Counts::Exchanges, link).to_html();
        let refused = shown(&bar, Some("/refusals?from=1970-01-01T00&hours=1".to_owned()));
        for part in [
            "<a href=\"/refusals?from=1970-01-01T00&amp;hours=1\">",
            "<svg x=\"0%\" width=\"1.25%\">",
            "<rect y=\"25%\" height=\"75%\">",
            "<rect y=\"0%\" height=\"25%\" class=\"bad\">",
            "1 Jan, 00:00–01:00: 3 exchanges, 1 refused",
        ] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        let quiet = shown(&Bar { refusals: 0, ..bar }, None);
        assert!(quiet.starts_with("<g><svg") && !quiet.contains("bad") && !quiet.contains("refused"), "{quiet}");
    }

    #[test]
    fn secrets_share_one_axis() {
        let first = Timestamp::parse_rfc3339("2026-12-05T22:00:00Z").expect("a moment").hour();
        let rows = ["old", "new"].map(|label| (label.to_owned(), vec![(first + 12, 3)], ().into_any()));
        let html = strips(rows, first, 48).to_html().replace("<!>", "");
        assert_eq!(html.matches("<rect x=\"25.25%\"").count(), 2, "the same hour at the same place: {html}");
        for (x, text) in [("4.17%", "6 Dec"), ("29.17%", "12:00"), ("54.17%", "7 Dec"), ("79.17%", "12:00")] {
            assert!(html.contains(&format!("<text x=\"{x}\" y=\"1em\">{text}</text>")), "{text} at {x}: {html}");
        }
        let late = strips(Vec::new(), first - 4, 48).to_html();
        assert!(late.contains("<text x=\"87.5%\" y=\"1em\" text-anchor=\"end\">12:00"), "it ends inside: {late}");
    }

    #[test]
    fn a_bar_names_its_hours_or_its_day() {
        let hour = Timestamp::parse_rfc3339("2026-12-05T22:00:00Z").expect("a moment").hour();
        assert_eq!(range(hour, 1), "5 Dec, 22:00–23:00");
        assert_eq!(range(hour, 2), "5 Dec, 22:00–00:00");
        assert_eq!(range(hour - 22, 24), "5 Dec");
        assert_eq!(range(hour - 8, 24), "5 Dec, 14:00 – 6 Dec, 14:00");
        assert_eq!(time_below(hour - 4, 0, Period::Day), Some("18:00".to_owned()));
        assert_eq!(time_below(hour, 0, Period::Day), None);
    }
}
