//! The use of credentials: exchanges, refusals with what to do about them, and what would end with a credential.

use std::time::Duration;

use domain::base::id::{McpServerId, TeamId};
use domain::credential::usage::{self, RecentExchange};
use domain::credential::{inspect, keys};
use domain::model::credential::usage::{Period, RefusalSummary, RefusedCredential, UsedCredential, Whose};
use domain::model::credential::{AuthMethod, Credential, Impact};
use domain::model::person::authority::Role;
use domain::model::server::McpServer;
use domain::model::token::Refusal;
use domain::server::{self, gateway};

use crate::components::chart::{Chart, Counts, chart, period_pills, period_words, shares, strips};
use crate::pages::credential::list::short_resource;
use crate::pages::server::calls::{called_from_table, calls_table, latest_table};
use crate::prelude::*;

/// The period that an address asks for. A word that names none is the shortest period.
pub fn read_period(word: Option<&str>) -> Period {
    word.and_then(Period::parse).unwrap_or_default()
}

/// The panel with the chart of exchanges. `address` is the page that shows it, `refused` whose refused exchanges a bar
/// leads to: parameters of the page of refused exchanges.
pub(crate) async fn exchanges_panel(
    visit: &Visit,
    whose: Whose<'_>,
    period: Period,
    address: &str,
    refused: Option<Vec<(&'static str, String)>>,
) -> Result<AnyView, ActionError> {
    let bars = usage::bars(&visit.context, whose, period).await?;
    let causes = if refused.is_some() { usage::causes(&visit.context, whose, period).await? } else { Vec::new() };
    let separator = if address.contains('?') { '&' } else { '?' };
    let pills = period_pills(period, "Period", |word| format!("{address}{separator}period={word}#exchanges"));
    let content = chart(Chart { counts: Counts::Exchanges, bars, period, refused, causes: causes_in_short(&causes) });
    Ok(panel("exchanges", "Exchanges", pills, content))
}

/// "12 times a wrong secret, once a scope that is not allowed, and 3 others".
fn causes_in_short(causes: &[(Refusal, i64)]) -> String {
    const MOST: usize = 3;
    // The legend has said the number.
    if let [(cause, _)] = causes {
        return cause_noun(*cause).to_owned();
    }
    let words = |(cause, count): &(Refusal, i64)| {
        let times = if *count == 1 { "once".to_owned() } else { format!("{} times", grouped(*count)) };
        format!("{times} {}", cause_noun(*cause))
    };
    let listed = causes.iter().take(MOST).map(words).collect::<Vec<_>>().join(", ");
    let others: i64 = causes.iter().skip(MOST).map(|(_, count)| count).sum();
    if others == 0 { listed } else { format!("{listed} and {}", counted(others, "other", "others")) }
}

/// The view “Usage” of a credential: the chart, its secrets by use, refusals by cause, and the newest exchanges.
pub(crate) async fn usage_view(
    visit: &Visit,
    credential: &Credential,
    period: Period,
    address: &str,
) -> Result<AnyView, ActionError> {
    let (context, id) = (&visit.context, &credential.client_id);
    let of_this = vec![("credential", id.to_string())];
    let exchanges = exchanges_panel(visit, Whose::Credential(id), period, address, Some(of_this)).await?;
    let by_secret = secrets_by_use(visit, credential).await?;
    let manages = credential.revoked_at.is_none() && visit.may(&credential.team, Role::Manager);
    let refusals = refused(credential, usage::refusals(context, id).await?, manages);
    let servers = server::list(context).await?;
    let recent = recent(usage::recent_exchanges(context, id).await?, &servers);
    let calls = tools_called(visit, id.as_str(), "", &servers).await?;
    Ok(html! { {exchanges}{by_secret}{calls}{refusals}{recent} })
}

/// What a caller called through the gateway: by tool, and the latest calls one by one. Nothing when there are no calls.
/// `person` is empty unless the caller is an app.
pub(crate) async fn tools_called(
    visit: &Visit,
    caller: &str,
    person: &str,
    servers: &[McpServer],
) -> Result<Option<AnyView>, ActionError> {
    const KEPT: u16 = 200;
    let (context, period) = (&visit.context, Period::Quarter);
    let sums = gateway::usage::of_caller(context, caller, person, period.first_hour(visit.now())).await?;
    if sums.is_empty() {
        return Ok(None);
    }
    let latest = gateway::usage::latest(context, caller, person, KEPT).await?;
    let from = gateway::usage::by_address(context, caller, person).await?;
    let count = latest.len();
    let content = html! {
        {calls_table(sums, Some(servers))}
        <h3 class="under">"By address (the latest 200 calls)"</h3>
        {called_from_table(from, servers)}
        <details class="more">
            <summary>{format!("The latest {}, one by one", counted(count, "call", "calls"))}</summary>
            {latest_table(latest, servers)}
        </details>
    };
    Ok(Some(panel("calls", "Tools called", muted(format!("last {}", period_words(period).1)), content)))
}

/// The view “Usage” of an MCP server: exchanges for it, and the credentials with the most of them.
pub(crate) async fn server_usage(
    visit: &Visit,
    server: &McpServerId,
    period: Period,
    address: &str,
) -> Result<AnyView, ActionError> {
    let whose = Whose::Server(server, visit.authority()?);
    let exchanges = exchanges_panel(visit, whose, period, address, None).await?;
    let used = usage::leaders(&visit.context, whose, period).await?.used;
    let words = "Refused exchanges are counted for credentials and teams: most of them name no MCP server.";
    Ok(html! { {exchanges}{most_used(used, period)}<p class="muted">{words}</p> })
}

/// The view “Usage” of a team: the exchanges of its credentials, and the credentials that are used or refused most.
pub(crate) async fn team_usage(
    visit: &Visit,
    team: &TeamId,
    period: Period,
    address: &str,
) -> Result<AnyView, ActionError> {
    let of_team = vec![("team", team.to_string())];
    let exchanges = exchanges_panel(visit, Whose::Team(team), period, address, Some(of_team)).await?;
    let leaders = usage::leaders(&visit.context, Whose::Team(team), period).await?;
    let all = links::with_query(links::REFUSALS, &[("team", &team.to_string())]);
    Ok(html! {
        {exchanges}
        <div class="split">{most_used(leaders.used, period)}{most_refused(leaders.refused, period, all)}</div>
    })
}

/// The period of lists of credentials, which is seven days at most.
fn list_words(period: Period) -> String {
    let words = period_words(if period == Period::Day { period } else { Period::Week }).1;
    format!("last {words}")
}

/// The credentials with the most exchanges.
pub(crate) fn most_used(used: Vec<UsedCredential>, period: Period) -> AnyView {
    let words = list_words(period);
    if used.is_empty() {
        return panel("most-used", "Used most", muted(words), empty(muted("No credential was used.")));
    }
    panel("most-used", "Used most", muted(words), shares(used.into_iter().map(share)))
}

fn share(used: UsedCredential) -> (AnyView, i64) {
    (
        html! { <a title=used.name.clone() href=links::credential(&used.client_id)>{used.name.clone()}</a> },
        used.exchanges,
    )
}

/// The panel “Usage” on the overview of an MCP server: the credentials with the most exchanges in seven days. `all`
/// is the view of its use.
pub(crate) async fn server_summary(visit: &Visit, server: &McpServerId, all: String) -> Result<AnyView, ActionError> {
    let whose = Whose::Server(server, visit.authority()?);
    let used = usage::leaders(&visit.context, whose, Period::Week).await?.used;
    let content = match used.is_empty() {
        true => empty(muted("No credential got a token for this server.")),
        false => shares(used.into_iter().map(share)),
    };
    let all = html! { <a href=all>"See the usage of this server"</a> };
    Ok(panel("usage", "Usage, last 7 days", all, content))
}

/// The credentials with the most refused exchanges, by cause. `all` is the page that lists all of them.
pub(crate) fn most_refused(refused: Vec<RefusedCredential>, period: Period, all: String) -> AnyView {
    if refused.is_empty() {
        let words = muted(list_words(period));
        return panel("most-refused", "Refused most", words, empty(muted("No exchange was refused.")));
    }
    let row = |refused: RefusedCredential| {
        let address = refused.last_address.map(|address| format!(" from {address}"));
        let name = html! {
            <a title=refused.name.clone() href=links::credential(&refused.client_id)>{refused.name.clone()}</a>
            <div class="sub">{cause_words(refused.cause)}", latest "{distance(refused.last_at)}{address}</div>
        };
        (name, refused.count)
    };
    // The page of all refused exchanges shows 24 hours. The list may be of more.
    let (title, words) = match period {
        Period::Day => ("Refused most", "See all, last 24 hours"),
        _ => ("Refused most, 7 days", "See last 24 hours"),
    };
    panel("most-refused", title, html! { <a href=all>{words}</a> }, shares(refused.into_iter().map(row)))
}

/// The use of each secret or key by the hour, while one of them is being replaced. Nothing at other times.
pub(crate) async fn secrets_by_use(visit: &Visit, credential: &Credential) -> Result<Option<AnyView>, ActionError> {
    const HOURS: i64 = 48;
    let now = visit.now();
    if !credential.is_rotating(now) {
        return Ok(None);
    }
    let (context, id) = (&visit.context, &credential.client_id);
    let secrets = inspect::secrets(context, id).await?.into_iter().filter(|secret| secret.end().is_live(now));
    let mut rows: Vec<(String, String, _, _)> = secrets
        .map(|secret| (secret.id.to_string(), format!("css_…{}", secret.hint), secret.retires_at, secret.last_used_at))
        .collect();
    if credential.auth_method == AuthMethod::PrivateKeyJwt {
        let keys = keys::list(context, id).await?.into_iter().filter(|key| key.end().is_live(now));
        rows = keys.map(|key| (key.id.to_string(), key.label.clone(), key.retires_at, key.last_used_at)).collect();
    }
    // The secret that stops working comes first.
    rows.sort_by_key(|(_, _, retires_at, _)| retires_at.is_none());
    let since = now.minus(Duration::from_secs(3600 * (HOURS as u64 - 1)));
    let used = usage::by_authenticator(context, id, since).await?;
    let total: i64 = used.iter().map(|bar| bar.exchanges).sum();
    let rows = rows.into_iter().map(|(authenticator, label, retires_at, last_used_at)| {
        let bars: Vec<_> =
            used.iter().filter(|bar| bar.authenticator == authenticator).map(|bar| (bar.hour, bar.exchanges)).collect();
        let count: i64 = bars.iter().map(|(_, count)| count).sum();
        let share =
            if total == 0 { String::new() } else { format!("{} % of use", (count * 200 + total) / (2 * total)) };
        let ends = retires_at.map(|at| html! { {sub(html! { "Stops on "{moment(at)} })} });
        let last = last_used_at.map_or_else(|| "Not used yet".into_any(), |at| html! { "Last used "{distance(at)} });
        let note = html! { {last}{(!share.is_empty()).then(|| sub(share))}{ends} };
        (label, bars, note)
    });
    let content = strips(rows, since.hour(), HOURS);
    Ok(Some(panel("by-use", "Old and new, by use", muted("last 48 hours, by hour, in UTC"), content)))
}

/// The latest exchanges.
fn recent(exchanges: Vec<RecentExchange>, servers: &[McpServer]) -> AnyView {
    let row = |exchange: RecentExchange| {
        let server = servers.iter().find(|server| exchange.server == server.id);
        let server = server.map(|server| short_resource(&server.resource)).unwrap_or_default();
        view! {
            <li class="entry">
                {distance(exchange.issued_at)}
                <span><code>{exchange.scope}</code>" "{server}</span>
                {muted(exchange.address.unwrap_or_default())}
            </li>
        }
    };
    let list = if exchanges.is_empty() {
        html! { <div class="body"><p class="muted">"No exchange yet."</p></div> }
    } else {
        html! { <ol class="list">{exchanges.into_iter().map(row).collect_view()}</ol> }
    };
    panel("recent-exchanges", "Recent exchanges", (), list)
}

/// The text for a cause of refusal.
pub(crate) fn cause_words(cause: Refusal) -> &'static str {
    match cause {
        Refusal::WrongSecret => "Wrong secret",
        Refusal::TooManyGuesses => "Not checked, after too many wrong secrets",
        Refusal::AssertionRejected => "Assertion rejected",
        Refusal::AssertionForTokenEndpoint => "Assertion for the token endpoint",
        Refusal::AssertionReplayed => "Assertion used twice",
        Refusal::GrantNotAllowed => "Grant not allowed",
        Refusal::SecretRevoked => "Secret or key revoked",
        Refusal::SecretExpired => "Secret or key expired",
        Refusal::SecretRetired => "Secret or key replaced",
        Refusal::CredentialRevoked => "Tried after it was revoked",
        Refusal::CredentialDisabled => "Tried while disabled",
        Refusal::CredentialEnded => "Tried after its end",
        Refusal::AddressNotAllowed => "IP address not allowed",
        Refusal::ScopeMalformed => "Malformed scope",
        Refusal::ScopeNotAllowed => "Scope not allowed",
        Refusal::TeamNotAllowed => "MCP server not open to the team",
        Refusal::ServerArchived => "MCP server archived",
        Refusal::TargetNotAllowed => "MCP server not allowed",
    }
}

/// What was presented, in the middle of a sentence.
fn cause_noun(cause: Refusal) -> &'static str {
    match cause {
        Refusal::WrongSecret => "a wrong secret",
        Refusal::TooManyGuesses => "a secret after too many wrong ones",
        Refusal::AssertionRejected => "a rejected assertion",
        Refusal::AssertionForTokenEndpoint => "an assertion for the token endpoint",
        Refusal::AssertionReplayed => "an assertion for the second time",
        Refusal::GrantNotAllowed => "a grant that is not allowed",
        Refusal::SecretRevoked => "a revoked secret or key",
        Refusal::SecretExpired => "an expired secret or key",
        Refusal::SecretRetired => "a replaced secret or key",
        Refusal::CredentialRevoked => "a revoked credential",
        Refusal::CredentialDisabled => "a disabled credential",
        Refusal::CredentialEnded => "an expired credential",
        Refusal::AddressNotAllowed => "an IP address that is not allowed",
        Refusal::ScopeMalformed => "a malformed scope",
        Refusal::ScopeNotAllowed => "a scope that is not allowed",
        Refusal::TeamNotAllowed => "an MCP server that is not open to the team",
        Refusal::ServerArchived => "an archived MCP server",
        Refusal::TargetNotAllowed => "an MCP server that is not allowed",
    }
}

/// What helps against a cause, for people who look after the credential.
fn advice(cause: Refusal) -> &'static str {
    match cause {
        Refusal::WrongSecret => "Compare the end of the secret in the program with the secrets of this credential.",
        Refusal::TooManyGuesses => "Rotate the imported secret: a generated one cannot be guessed.",
        Refusal::AssertionRejected => "Compare the claims and the key of the program with this credential.",
        Refusal::AssertionForTokenEndpoint => "Set the audience of the assertion to the issuer.",
        Refusal::AssertionReplayed => "The program must sign a new assertion for each exchange.",
        Refusal::GrantNotAllowed => "Allow the JWT bearer grant, or let the program use client credentials.",
        Refusal::SecretRevoked | Refusal::SecretExpired | Refusal::SecretRetired => {
            "A program still has this secret or key. Give it the current one."
        }
        Refusal::CredentialRevoked => "A program still has this credential. Give it another one, or stop it.",
        Refusal::CredentialDisabled => "Enable the credential, or stop the program.",
        Refusal::CredentialEnded => "Generate a replacement, or stop the program.",
        Refusal::AddressNotAllowed => "Add the address to the allowed ranges if the program may run there.",
        Refusal::ScopeMalformed => "Separate scopes by one space in the program’s request.",
        Refusal::ScopeNotAllowed => "Add the scope to the credential, or let the program ask for less.",
        Refusal::TeamNotAllowed => "An administrator can open the MCP server to this team.",
        Refusal::ServerArchived => "Unarchive the MCP server, or give the credential another one.",
        Refusal::TargetNotAllowed => "Add the MCP server to the credential, or correct the resource in the program.",
    }
}

/// The refusals of the last 30 days by cause, each with what to do. Nothing when there are none.
fn refused(credential: &Credential, refusals: Vec<RefusalSummary>, manages: bool) -> Option<AnyView> {
    if refusals.is_empty() {
        return None;
    }
    let rows = refusals.into_iter().map(|refusal| {
        let from = [refusal.last_address.map(|address| format!("from {address}")), refusal.last_agent];
        let from: Vec<String> = from.into_iter().flatten().collect();
        let received = refusal.last_received.filter(|_| manages).map(|text| sub(format!("In the token: {text}")));
        let is_endpoint = refusal.cause == Refusal::AssertionForTokenEndpoint;
        let switch = (is_endpoint && manages && !credential.assertions.token_endpoint_audience).then(|| {
            let edit = links::edit_credential(&credential.client_id);
            sub(html! { "Change the program, or "<a href=edit>"accept the token endpoint as audience"</a>"." })
        });
        cells![
            html! {
                {cause_words(refusal.cause)}{refusal.last_detail.map(sub)}{received}{sub(advice(refusal.cause))}{switch}
            },
            grouped(refusal.count),
            html! { {distance(refusal.last_at)}{sub(from.join(", "))} },
        ]
    });
    let rows = table(["Cause and what to do".into(), Column::number("Times"), "Latest".into()], rows);
    Some(panel("refused", "Refused exchanges", muted("last 30 days"), rows))
}

/// The facts that the pages show before they stop credentials. `tokens` says what happens to the live tokens.
pub(crate) fn impact_facts(impact: &Impact, tokens: &'static str) -> AnyView {
    let words = |number: i64, none: &str, one: &str, many: &str| match number {
        0 => none.to_owned(),
        number => counted(number, one, many),
    };
    html! {
        <dl class="facts">
            <div><dt>"Used in the last 24 hours"</dt><dd>{words(impact.exchanges, "Never", "time", "times")}</dd></div>
            {(impact.addresses > 0).then(|| view! {
                <div><dt>"From"</dt><dd>{counted(impact.addresses, "address", "addresses")}</dd></div>
            })}
            <div><dt>{tokens}</dt><dd>{if impact.live_tokens == 0 { "None".to_owned() } else { grouped(impact.live_tokens) }}</dd></div>
        </dl>
    }
}
