//! The address to go to after a sign-in.

use app::links;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};

use crate::http::middleware::POLICY_OF_LEADING_ON;
use crate::oauth::AUTHORIZE_PATH;

/// The pages that a sign-in may lead to, including all pages below them.
const PAGES: [&str; 16] = [
    links::CREDENTIALS,
    links::REVIEWS,
    links::REQUESTS,
    links::SERVERS,
    links::LEAKS,
    links::INCIDENTS,
    links::HELP,
    links::EMERGENCY,
    links::ACTIVITY,
    links::TEAMS,
    links::PEOPLE,
    links::SETTINGS,
    links::ACCOUNT,
    links::APPS,
    links::DEVICE,
    links::TOKENS,
];

/// The address after a sign-in: a page of ours, or the overview. A link from outside can never choose another address.
pub(crate) fn safe_return(next: &str) -> String {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    // The client wrote this query, so it may contain characters that our own addresses do not. Behind a path of ours it
    // cannot lead to another site.
    if path == AUTHORIZE_PATH && query.bytes().all(|byte| is_plain(&byte)) {
        return next.to_owned();
    }
    let known =
        PAGES.iter().any(|page| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    // Our addresses consist of these characters. Other characters are refused, because parsers may read them
    // differently.
    let plain = next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.?=&%+".contains(&byte));
    if known && plain && !next.contains("//") { next.to_owned() } else { links::OVERVIEW.to_owned() }
}

/// The address after a sign-in whose page has the address `target` with this field `next`.
pub(crate) fn return_in_address(target: &str, next: &str) -> String {
    match links::request_on_the_way(target).filter(|_| next == AUTHORIZE_PATH) {
        Some(request) => safe_return(&request),
        None => safe_return(next),
    }
}

/// The last parts of the addresses of forms that are parts of a page one level above, or two.
const PARTS_OF_PAGES: [&str; 16] = [
    "/name",
    "/password",
    "/teams",
    "/owned",
    "/renew",
    "/rotation",
    "/openid/disconnect",
    "/openid",
    "/confirm",
    "/handover",
    "/mail",
    "/note",
    "/state",
    "/decide",
    "/withdraw",
    "/generate",
];

/// The page with the form that was sent to `path` from the page `sent_from`, for a person who must sign in first.
pub(crate) fn page_of_form(sent_from: Option<&str>, path: &str) -> String {
    let page = |address: &str| {
        let (path, _) = address.split_once('?').unwrap_or((address, ""));
        let above = PARTS_OF_PAGES.iter().find_map(|part| path.strip_suffix(part)).filter(|above| !above.is_empty());
        safe_return(above.unwrap_or(address))
    };
    let is_known = |page: &String| page != links::OVERVIEW;
    sent_from.map(page).filter(is_known).unwrap_or_else(|| page(path))
}

/// Sends the person to the sign-in, which leads back to the request.
pub(crate) fn sign_in_for_request(query: &str) -> Response {
    Redirect::to(&links::sign_in_on_the_way_to(&format!("{AUTHORIZE_PATH}?{}", plain(query)))).into_response()
}

/// Allows the page's form to be answered with a redirect to the client.
pub(crate) fn let_form_lead_on(response: &mut Response) {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY_OF_LEADING_ON);
}

/// The same for the sign-in page that leads to `next`. A person whose consent is already stored is redirected to the
/// client at once.
pub(crate) fn let_sign_in_lead_to(next: &str, response: &mut Response) {
    if next.strip_prefix(AUTHORIZE_PATH).is_some_and(|rest| rest.starts_with('?')) {
        let_form_lead_on(response);
    }
}

/// A query, encoded so that an address of ours can carry it. Browsers leave some of these characters as they are.
fn plain(query: &str) -> String {
    let encoded = |byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    query.bytes().map(encoded).collect()
}

/// Whether a query may contain this byte as it is.
fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_returned_to() {
        for good in [
            "/credentials",
            "/credentials/csc_x/revoke",
            "/credentials?q=a%20b&sort=name",
            "/servers/new",
            "/activity",
            "/account",
            "/mcp/oauth/authorize?redirect_uri=http://localhost:8085/callback&scope=a%20b&state=~!*'()",
        ] {
            assert_eq!(safe_return(good), good);
        }
        for wrong in [
            "//evil.example",
            "/\\evil.example",
            "https:evil.example",
            "/credentials\r\nSet-Cookie: a=b",
            "/credentialsx",
            "/credentials//evil.example",
            "/logout",
            "/mcp/oauth/authorizex?a=b",
            "/mcp/oauth/authorize/../../..//evil.example",
            "/mcp/oauth/authorize?a=\r\nSet-Cookie: a=b",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(safe_return(wrong), "/", "{wrong:?}");
        }
    }
}
