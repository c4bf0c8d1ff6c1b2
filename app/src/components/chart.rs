//! Bars by hour: an inline drawing, and a table with the same numbers for people who cannot see the drawing.

use domain::base::clock::Timestamp;
use domain::model::credential::usage::Hour;
use leptos::prelude::*;

use crate::html::html;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 96.0;

/// A chart of `hours`. It gets the singular and plural words of both kinds of bars.
#[component]
pub(crate) fn HourChart(
    hours: Vec<Hour>,
    caption: &'static str,
    issued: [&'static str; 2],
    refused: [&'static str; 2],
) -> AnyView {
    let highest = hours.iter().map(|hour| hour.exchanges + hour.refusals).max().unwrap_or(0).max(1) as f64;
    let step = WIDTH / hours.len().max(1) as f64;
    let bar = |(position, hour): (usize, &Hour)| {
        let x = position as f64 * step + step * 0.14;
        let (good, bad) = (height(hour.exchanges, highest), height(hour.refusals, highest));
        let bar = |tone: Option<&'static str>, y: f64, height: f64| {
            let [x, y, width, height] = [x, y, step * 0.72, height].map(|number| format!("{number:.1}"));
            view! { <rect class="bar" data-tone=tone x=x y=y width=width height=height/> }
        };
        view! {
            {(good > 0.0).then(|| bar(None, HEIGHT - good, good))}
            {(bad > 0.0).then(|| bar(Some("danger"), (HEIGHT - good - bad - 1.0).max(0.0), bad))}
        }
    };
    let bars = hours.iter().enumerate().map(bar).collect_view();
    let total_issued: i64 = hours.iter().map(|hour| hour.exchanges).sum();
    let total_refused: i64 = hours.iter().map(|hour| hour.refusals).sum();
    let row = |hour: &Hour| {
        let moment = Timestamp::from_millis(hour.hour * 3_600_000).rfc3339()[..16].replace('T', " ");
        view! { <tr><th scope="row">{moment}</th><td>{hour.exchanges}</td><td>{hour.refusals}</td></tr> }
    };
    html! {
        <figure class="chart">
            <svg viewBox="0 0 720 96" preserveAspectRatio="none" aria-hidden="true">{bars}</svg>
            <div class="axis" aria-hidden="true">
                <span>{format!("{} h ago", hours.len())}</span><span>"Now"</span>
            </div>
            <figcaption class="legend">
                <span>{counted(total_issued, issued[0], issued[1])}</span>
                <span data-tone="danger">{counted(total_refused, refused[0], refused[1])}</span>
            </figcaption>
            <div class="vh">
                <table>
                    <caption>{caption}</caption>
                    <thead>
                        <tr><th scope="col">"Hour (UTC)"</th><th scope="col">{issued[1]}</th><th scope="col">{refused[1]}</th></tr>
                    </thead>
                    <tbody>{hours.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </figure>
    }
}

/// The height of a bar. Any count above zero gets a visible height.
fn height(count: i64, highest: f64) -> f64 {
    if count == 0 { 0.0 } else { (count as f64 / highest * (HEIGHT - 8.0)).max(3.0) }
}

/// `4120` as `4,120`.
pub(crate) fn grouped(number: impl TryInto<i64>) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// "1 live token", "17 live tokens".
pub fn counted(number: impl TryInto<i64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(4_120), "4,120");
        assert_eq!(grouped(10_000_000), "10,000,000");
        assert_eq!(counted(1, "token", "tokens"), "1 token");
    }
}
