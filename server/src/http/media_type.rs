//! Media types in the headers of requests (RFC 9110 §8.3.1, §12.5.1).

use axum::http::{HeaderMap, header};

use crate::http::text;

/// The type of a form's body.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The type of JSON.
pub(crate) const JSON: &str = "application/json";

/// Whether the client accepts an answer of this type. Without an `Accept` header it accepts every type. The most
/// specific range decides, and a weight of zero refuses.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let (kind, _) = media_type.split_once('/').unwrap_or_default();
    let specificity = |range: &str| match range.split_once('/') {
        _ if range.eq_ignore_ascii_case(media_type) => Some(2),
        Some((own, "*")) if own.eq_ignore_ascii_case(kind) => Some(1),
        Some(("*", "*")) => Some(0),
        _ => None,
    };
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
    let matching = ranges(headers).filter_map(|(range, is_wanted)| Some((specificity(range)?, is_wanted)));
    matching.max_by_key(|(specificity, _)| *specificity).is_some_and(|(_, is_wanted)| is_wanted)
}

/// Whether the client asks for this type by name, as browsers do for pages.
pub(crate) fn names(headers: &HeaderMap, media_type: &str) -> bool {
    ranges(headers).any(|(range, is_wanted)| is_wanted && range.eq_ignore_ascii_case(media_type))
}

/// The type of the body in lower case, without its parameters; empty when it is not stated.
pub(crate) fn of_body(headers: &HeaderMap) -> String {
    let stated = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The ranges of all `Accept` lines, and whether their weight is above zero.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (&str, bool)> {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        (media_type, weight.and_then(|weight| weight.trim().parse::<f32>().ok()).is_none_or(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn the_most_specific_range_decides() {
        for accepted in [
            &[][..],
            &["application/json"],
            &["Application/JSON; charset=utf-8"],
            &["*/*"],
            &["application/*;q=0.1"],
            &["text/event-stream, application/json"],
            &["text/event-stream", "application/json;q=0.5"],
            &["*/*;q=0, application/json"],
        ] {
            assert!(accepts(&headers(accepted), "application/json"), "{accepted:?}");
        }
        for refused in [
            &["text/event-stream"][..],
            &["text/*"],
            &["application/json;q=0, */*"],
            &["application/json; q=0.000"],
            &["application/*;q=0,*/*;q=1"],
            &[""],
        ] {
            assert!(!accepts(&headers(refused), "application/json"), "{refused:?}");
        }
        assert!(names(&headers(&["text/html,application/xhtml+xml,*/*;q=0.8"]), "text/html"));
        assert!(!names(&headers(&["*/*"]), "text/html") && !names(&headers(&[]), "text/html"));
    }
}
