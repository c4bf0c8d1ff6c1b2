//! Settings of the instance: signing keys, and the emergency stop.

use domain::clock::Timestamp;
use domain::credential::emergency::{self, Means, Preview, Selection};
use domain::error::FieldError;
use domain::id::McpServerId;
use domain::keys::TokenAlgorithm;
use domain::keys::rotation::{self, Haste, RotationError, SigningKeyState};
use domain::mcp_server;
use leptos::prelude::*;

use crate::action::ActionError;
use crate::components::chart::counted;
use crate::components::field::{ConfirmPassword, Errors, Select, TextField};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::{Done, ErrorSummary};
use crate::components::time::{Moment, MomentOr};
use crate::render::{Frame, Page};
use crate::visit::{Visit, signed_in};

/// What has to be typed before many credentials are stopped.
pub const CONFIRMATION: &str = "STOP";

/// Lets the credentials go on that an emergency stop disabled. `stopped_at` is in milliseconds since the epoch.
#[server(prefix = "/fn", endpoint = "undo_emergency_stop")]
pub async fn undo_emergency_stop(stopped_at: i64) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let count = emergency::undo(&visit.context, &visit.actor()?, Timestamp::from_millis(stopped_at)).await?;
    Ok(format!("/settings?done=undone&count={count}"))
}

impl From<RotationError> for ActionError {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::NoSuchKey => Self::NotFound,
            RotationError::UnderWay => Self::Invalid(
                "A new key is published already and signs within a day. In an emergency, replace the key instead."
                    .to_owned(),
            ),
            RotationError::Fault(fault) => fault.into(),
        }
    }
}

/// What the address says was done.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// A word.
    pub done: String,
    /// How many credentials.
    pub count: String,
}

/// The page.
pub async fn page(outcome: Outcome) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let keys = rotation::list(&visit.context).await?;
    let servers = servers(&visit).await?;
    let body = view! {
        {done(&outcome)}
        {undoable(emergency::undoable(&visit.context).await?)}
        <div class="head"><div><h1>"Settings"</h1><p>"Signing keys, and what to do when everything has to stop."</p></div>
            <a class="button" href="/settings/webhooks">"Webhooks"</a>
        </div>
        <SigningKeys keys now=visit.now()/>
        <section class="panel" data-tone="danger" aria-labelledby="stop">
            <header><h2 id="stop">"Emergency stop"</h2></header>
            <form method="get" action="/settings/stop" class="body">
                <p class="muted">"Stops many credentials at once. The next page counts what it ends before anything happens."</p>
                {selection_fields(servers, &Typed::default(), &Errors::default())}
                <div class="row"><button class="button">"Count what it ends"</button></div>
            </form>
        </section>
    };
    Ok(Page::new("Settings", body))
}

fn done(outcome: &Outcome) -> AnyView {
    let count: i64 = outcome.count.parse().unwrap_or(0);
    let credentials = counted(count, "credential", "credentials");
    let text = match outcome.done.as_str() {
        "rotated" => {
            "A new key is published. It signs in 24 hours; the present one leaves when its last token has ended."
                .to_owned()
        }
        "replaced" => {
            "The key is replaced. The old one left the JWKS, and the tokens that it signed are refused.".to_owned()
        }
        "disabled" => format!("Stopped: {credentials}, until they are enabled again."),
        "revoked" => format!("Revoked: {credentials}, for ever."),
        "undone" => format!("Enabled again: {credentials}."),
        _ => return ().into_any(),
    };
    view! { <Done text/> }.into_any()
}

/// Stops that can be undone.
fn undoable(stops: Vec<(Timestamp, i64)>) -> AnyView {
    stops
        .into_iter()
        .map(|(at, count)| {
            let credentials = counted(count, "credential is", "credentials are");
            view! {
                <div class="notice" data-tone="warn">
                    <Drawing icon=Icon::Warning/>
                    <div>
                        <p><b>"Emergency stop "<Moment at/>". "</b>{credentials}" still disabled by it."</p>
                        <form method="post" action="/fn/undo_emergency_stop">
                            <FormToken/>
                            <input type="hidden" name="stopped_at" value=at.millis().to_string()/>
                            <button class="button" data-size="small">"Undo: enable them again"</button>
                        </form>
                    </div>
                </div>
            }
        })
        .collect_view()
        .into_any()
}

#[component]
fn SigningKeys(keys: Vec<SigningKeyState>, now: Timestamp) -> AnyView {
    let mut algorithms: Vec<String> = keys.iter().map(|key| key.alg.clone()).collect();
    algorithms.dedup();
    let rows = keys
        .iter()
        .map(|key| {
            let newer = |other: &&SigningKeyState| {
                other.alg == key.alg && other.active_from <= now && other.active_from > key.active_from
            };
            let (word, tone) = if key.retired_at.is_some_and(|at| at <= now) {
                ("Gone", "danger")
            } else if key.active_from > now {
                ("Next", "idle")
            } else if keys.iter().any(|other| newer(&other)) {
                ("Leaving", "warn")
            } else {
                ("Signs", "ok")
            };
            let print: String = key.kid.chars().take(12).collect();
            view! {
                <tr>
                    <th scope="row"><code>{format!("{print}…")}</code><div class="sub">{key.alg.clone()}</div></th>
                    <td data-label="Made"><Moment at=key.created_at/></td>
                    <td data-label="Signs from"><Moment at=key.active_from/></td>
                    <td data-label="Leaves the JWKS"><MomentOr at=key.retired_at otherwise="Not planned"/></td>
                    <td data-label="State"><span class="chip" data-tone=tone>{word}</span></td>
                </tr>
            }
        })
        .collect_view();
    let link = |algorithm: &str, haste: &'static str, word: String| {
        let href = format!("/settings/keys?algorithm={algorithm}&haste={haste}");
        view! { <a class="button" href=href>{word}</a> }
    };
    let ordered = algorithms.iter().map(|alg| link(alg, "ordered", format!("Rotate {alg}"))).collect_view();
    let emergency = algorithms.iter().map(|alg| link(alg, "emergency", format!("Replace {alg}"))).collect_view();
    view! {
        <section class="panel" aria-labelledby="keys">
            <header><h2 id="keys">"Signing keys"</h2><a href="/mcp/oauth/jwks">"JWKS"</a></header>
            <table>
                <thead><tr>
                    <th scope="col">"Key"</th><th scope="col">"Made"</th><th scope="col">"Signs from"</th>
                    <th scope="col">"Leaves the JWKS"</th><th scope="col">"State"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
            <div class="body">
                <p class="muted">"In good order: a new key is published now and signs in 24 hours. Nobody notices."</p>
                <div class="row">{ordered}</div>
                <p class="muted">"When a key has leaked: the old key leaves the JWKS at once."</p>
                <div class="row">{emergency}</div>
            </div>
        </section>
    }
    .into_any()
}

/// Reads how a key is replaced.
pub fn read_haste(word: &str) -> Option<Haste> {
    match word {
        "ordered" => Some(Haste::Ordered),
        "emergency" => Some(Haste::Emergency),
        _ => None,
    }
}

/// Asks before a signing key is replaced.
pub async fn keys_page(
    algorithm: String,
    haste: String,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (Some(chosen), Some(how)) = (TokenAlgorithm::parse(&algorithm), read_haste(&haste)) else {
        return Err(ActionError::NotFound);
    };
    let name = chosen.as_str();
    let (title, kind, words) = match how {
        Haste::Ordered => (
            format!("Rotate {name}"),
            "primary",
            "A new key is published now and signs in 24 hours. The present one leaves when its last token has ended. Nobody notices.",
        ),
        Haste::Emergency => (
            format!("Replace {name} now"),
            "danger",
            "The old key leaves the JWKS now. This server refuses the tokens that it signed at once. A server that verifies \
             tokens itself still trusts the key until it reads the JWKS again: within five minutes with the programs \
             shown here. Programs get new tokens by themselves.",
        ),
    };
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/settings">"Back to the settings"</a><h1>{format!("{title}?")}</h1></div></div>
        <form method="post" action="/settings/keys" class="stack">
            <FormToken/>
            <input type="hidden" name="algorithm" value=algorithm/>
            <input type="hidden" name="haste" value=haste/>
            <section class="panel body" aria-label="What happens"><p>{words}</p></section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} error=of.at("your_password")/>
            <div class="row">
                <button class="button" data-kind=kind>{title.clone()}</button>
                <a class="button" data-kind="quiet" href="/settings">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).with_status(status))
}

/// What was chosen and typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of an MCP server; empty: all.
    pub server: String,
    /// Day before which the credentials were generated; empty: all.
    pub created_before: String,
    /// `disable` or `revoke`.
    pub means: String,
    /// Why.
    pub reason: String,
    /// What has to be typed.
    pub confirmation: String,
}

impl Typed {
    /// What the rules understand.
    pub fn selection(&self) -> Result<(Selection, Means), FieldError> {
        let server = match self.server.as_str() {
            "" => None,
            id => Some(McpServerId::parse(id).ok_or_else(|| FieldError::new("server", "Choose one of the list."))?),
        };
        let created_before = match self.created_before.trim() {
            "" => None,
            day => Some(
                Timestamp::start_of_day(day)
                    .ok_or_else(|| FieldError::new("created_before", "Write the day as 2026-11-21."))?,
            ),
        };
        let means = match self.means.as_str() {
            "" => Means::Disable,
            word => Means::parse(word).ok_or_else(|| FieldError::new("means", "Choose one of the list."))?,
        };
        Ok((Selection { server, created_before }, means))
    }
}

async fn servers(visit: &Visit) -> Result<Vec<(String, String)>, ActionError> {
    let all = [(String::new(), "All MCP servers".to_owned())];
    let servers = mcp_server::list(&visit.context).await?;
    Ok(all.into_iter().chain(servers.into_iter().map(|server| (server.id.to_string(), server.name))).collect())
}

fn selection_fields(servers: Vec<(String, String)>, typed: &Typed, of: &Errors) -> AnyView {
    let means =
        [("disable", "Disable: they can be enabled again"), ("revoke", "Revoke: final, with every secret they have")];
    let means = means.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    view! {
        <Select id="server" label="MCP server" options=servers chosen=typed.server.clone() error=of.at("server")
            hint="Credentials that may call it."/>
        <TextField id="created_before" label="Generated before" kind="date" value=typed.created_before.clone()
            error=of.at("created_before") hint="Empty: whenever they were generated."/>
        <Select id="means" label="How" options=means chosen=typed.means.clone() error=of.at("means")/>
    }
    .into_any()
}

/// Counts what a stop would end, and asks.
pub async fn stop_page(typed: Typed, errors: Vec<FieldError>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let (selection, means) = match typed.selection() {
        Ok(chosen) => chosen,
        Err(error) => return Err(ActionError::Invalid(error.message)),
    };
    let Preview { credentials, live_tokens } = emergency::preview(&visit.context, &selection, means).await?;
    let of = Errors(errors.clone());
    let count = counted(credentials, "credential", "credentials");
    let tokens = counted(live_tokens, "live token", "live tokens");
    let (title, verb, consequence) = match means {
        Means::Disable => (
            format!("Stop {count}?"),
            format!("Stop {count}"),
            "Exchanges and live tokens are refused until the credentials are enabled again. It can be undone at once.",
        ),
        Means::Revoke => (
            format!("Revoke {count}?"),
            format!("Revoke {count}"),
            "Final. Every secret of them stops working for ever, and each program needs a new credential.",
        ),
    };
    let form = if credentials == 0 {
        view! { <p>"There is nothing to stop. "<a href="/settings">"Choose differently"</a></p> }.into_any()
    } else {
        view! {
            <form method="post" action="/settings/stop" class="stack">
                <FormToken/>
                <input type="hidden" name="server" value=typed.server.clone()/>
                <input type="hidden" name="created_before" value=typed.created_before.clone()/>
                <input type="hidden" name="means" value=means.as_str()/>
                <p>{consequence}</p>
                <TextField id="reason" label="Reason" value=typed.reason.clone() error=of.at("reason")
                    hint="Optional. Kept in the audit log."/>
                <TextField id="confirmation" label="Type STOP to confirm" value=typed.confirmation.clone() required=true
                    error=of.at("confirmation")/>
                <div class="row">
                    <button class="button" data-kind="danger">{verb}</button>
                    <a class="button" data-kind="quiet" href="/settings">"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/settings">"Back to the settings"</a><h1>{title.clone()}</h1></div></div>
        <section class="panel" data-tone="danger" aria-labelledby="counted">
            <header><h2 id="counted" class="row"><Drawing icon=Icon::Warning/>"What it ends"</h2></header>
            <dl class="facts">
                <div><dt>"Credentials"</dt><dd>{count}</dd></div>
                <div><dt>"Live tokens"</dt><dd>{tokens}</dd></div>
            </dl>
            <div class="body">{form}</div>
        </section>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).with_status(status))
}
