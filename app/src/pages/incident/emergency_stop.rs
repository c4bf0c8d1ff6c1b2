//! The emergency stop: what is selected, what it would end, its progress, and how to undo it.

use domain::base::clock::Timestamp;
use domain::base::id::{McpServerId, PersonId};
use domain::credential::list;
use domain::incident::{emergency_stop, record};
use domain::model::audit::Action;
use domain::model::credential::usage::Period;
use domain::model::field_error::FieldError;
use domain::model::incident::{Means, Preview, Selection};
use domain::person::{manage, team};
use domain::server;

use crate::pages::credential::fields::{read_optional, read_team};
use crate::pages::server::calls::{called_from_table, calls_table};
use crate::prelude::*;

/// The word that the person types before many credentials are stopped.
pub const CONFIRMATION: &str = "STOP";

/// Enables the credentials that an emergency stop disabled. `stopped_at` is in milliseconds since the epoch.
#[server(prefix = "/fn", endpoint = "undo_emergency_stop")]
pub(crate) async fn undo_emergency_stop(stopped_at: i64) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let count = emergency_stop::undo(&visit.context, &visit.actor()?, Timestamp::from_millis(stopped_at)).await?;
    Ok(format!("{}&count={count}", Done::EmergencyUndone.at(links::EMERGENCY)))
}

/// Stops that can be undone.
fn undoable(stops: Vec<(Timestamp, i64)>) -> AnyView {
    let stop = |(at, count): (Timestamp, i64)| {
        let credentials = counted(count, "credential is", "credentials are");
        let fields = [("stopped_at", at.millis().to_string())];
        let words = view! {
            <p><b>"In force since "{moment(at)}". "</b>{credentials}" disabled by this stop."</p>
            {post_button(links::UNDO_STOP, fields, None, true, "Undo: enable them again")}
        };
        notice("warn", words)
    };
    stops.into_iter().map(stop).collect_view().into_any()
}

/// The line above every page while a stop is in force. Nothing on the page of the emergency stop, which says more.
pub(crate) async fn stops_in_force(visit: &Visit) -> Option<AnyView> {
    let viewer = visit.viewer.as_ref()?;
    if visit.path.split('?').next() == Some(links::EMERGENCY) {
        return None;
    }
    let stops = emergency_stop::undoable(&visit.context).await;
    let stops = stops.inspect_err(|fault| tracing::warn!(%fault, "the stops in force could not be read")).ok()?;
    let (at, _) = *stops.first()?;
    let count: i64 = stops.iter().map(|(_, count)| count).sum();
    let words = if viewer.authority.is_administrator() {
        let credentials = counted(count, "credential is", "credentials are");
        html! { {credentials}" disabled. "<a href=links::EMERGENCY>"Review or undo"</a> }
    } else {
        "Credentials may be refused. An administrator can enable them again.".into_any()
    };
    Some(notice("warn", view! { <p><b>"Emergency stop in force since "{moment(at)}". "</b>{words}</p> }))
}

/// The numbers of a receipt, as the address has them.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The word of the receipt.
    pub done: Option<String>,
    /// Number of credentials.
    pub count: String,
    /// Number of connected apps that ended with them.
    pub apps: String,
    /// Number of personal tokens that ended with them.
    pub personal_tokens: String,
    /// Number of clients that were removed.
    pub clients: String,
    /// Number of the incident that the stop belongs to.
    pub incident: String,
}

fn receipt(done: Done, outcome: &Outcome) -> AnyView {
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    let credentials = counted(number(&outcome.count), "credential", "credentials");
    let of_people = ended_of_people(&Preview {
        credentials: 0,
        live_tokens: 0,
        grants: number(&outcome.apps),
        personal_tokens: number(&outcome.personal_tokens),
        clients: number(&outcome.clients),
    });
    let (numbers, action) = match done {
        Done::EmergencyDisabled => (
            format!("{credentials}. They stay disabled until somebody enables them again.{of_people}"),
            Action::EmergencyStopped,
        ),
        Done::EmergencyRevoked => {
            (format!("{credentials}. This cannot be undone.{of_people}"), Action::EmergencyStopped)
        }
        _ => (format!("{credentials}."), Action::EmergencyUndone),
    };
    let entry = links::with_query(links::ACTIVITY, &[("action", action.as_str())]);
    let incident = outcome.incident.parse::<i64>().ok().map(|number| {
        view! { " "<a href=links::incident(number)>{format!("Go to incident #{number}")}</a> }
    });
    done_notice(view! { <p>{done.receipt()}{numbers}" "<a href=entry>"See the entry"</a>{incident}</p> })
}

/// What was chosen and typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of a team; empty: all.
    pub team: String,
    /// Identifier of the person who generated the credentials; empty: all.
    pub made_by: String,
    /// Identifier of an MCP server; empty: all.
    pub server: String,
    /// A tag; empty: all.
    pub tag: String,
    /// Day before which the credentials were generated; empty: all.
    pub created_before: String,
    /// `disable` or `revoke`.
    pub means: String,
    /// The reason.
    pub reason: String,
    /// Number of the incident that it belongs to; empty: none.
    pub incident: String,
    /// The confirmation word.
    pub confirmation: String,
}

impl Typed {
    /// Converts the fields to the input of the domain rules, or says what is wrong with each field.
    pub fn selection(&self) -> Result<(Selection, Means), Vec<FieldError>> {
        let listed = "Choose one from the list.";
        let (day, problem) = (self.created_before.trim(), "Write the day as 2026-11-21.");
        let team = read_team(&self.team);
        let made_by = read_optional(&self.made_by, PersonId::parse, "made_by", listed);
        let server = read_optional(&self.server, McpServerId::parse, "server", listed);
        let created_before = read_optional(day, Timestamp::start_of_day, "created_before", problem);
        let means = read_optional(&self.means, Means::parse, "means", listed);
        match (team, made_by, server, created_before, means) {
            (Ok(team), Ok(made_by), Ok(server), Ok(created_before), Ok(means)) => {
                let tag = Some(self.tag.trim()).filter(|tag| !tag.is_empty()).map(str::to_owned);
                Ok((Selection { team, made_by, server, created_before, tag }, means.unwrap_or(Means::Disable)))
            }
            (team, made_by, server, created_before, means) => {
                let errors = [team.err(), made_by.err(), server.err(), created_before.err(), means.err()];
                Err(errors.into_iter().flatten().collect())
            }
        }
    }
}

/// The choices that limit a stop: value and text of each.
struct Choices {
    teams: Vec<(String, String)>,
    people: Vec<(String, String)>,
    servers: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    incidents: Vec<(String, String)>,
}

impl Choices {
    async fn read(visit: &Visit) -> Result<Self, ActionError> {
        let teams = team::list(&visit.context, visit.authority()?).await?;
        let people = manage::list(&visit.context).await?.into_iter().map(|listed| listed.person);
        let servers = server::list(&visit.context).await?;
        let tags = list::tags(&visit.context, visit.authority()?).await?;
        let incidents = record::unclosed(&visit.context, visit.authority()?).await?;
        let incidents =
            incidents.into_iter().map(|one| (one.number.to_string(), format!("#{} {}", one.number, one.title())));
        Ok(Self {
            incidents: options_after("None", incidents),
            tags: options_after("Any tag", tags.into_iter().map(|tag| (tag.clone(), tag))),
            teams: options_after("All teams", teams.into_iter().map(|team| (team.id.to_string(), team.name))),
            people: options_after(
                "Anyone",
                people.map(|person| (person.id.to_string(), format!("{} ({})", person.name, person.email))),
            ),
            servers: options_after(
                "All MCP servers",
                servers.into_iter().map(|server| (server.id.to_string(), server.name)),
            ),
        })
    }

    /// The limits of the stop, in words.
    fn limits(self, typed: &Typed) -> Vec<(&'static str, String)> {
        let word = |options: Vec<(String, String)>, chosen: &str| {
            options.into_iter().find(|(value, _)| value == chosen && !chosen.is_empty()).map(|(_, word)| word)
        };
        let day = (!typed.created_before.is_empty()).then(|| typed.created_before.clone());
        [
            ("Team", word(self.teams, &typed.team)),
            ("Generated by", word(self.people, &typed.made_by)),
            ("MCP server", word(self.servers, &typed.server)),
            ("Tag", Some(typed.tag.trim().to_owned()).filter(|tag| !tag.is_empty())),
            ("Generated before", day),
            ("Incident", word(self.incidents, &typed.incident)),
        ]
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .collect()
    }
}

fn selection_fields(choices: Choices, typed: &Typed, errors: &Errors) -> AnyView {
    let Choices { teams, people, servers, tags, incidents } = choices;
    // A stop during an incident most likely belongs to it: the first one is open, or the newest.
    let incident = match (typed.means.is_empty(), typed.incident.is_empty()) {
        (true, true) => incidents.get(1).map(|(number, _)| number.clone()).unwrap_or_default(),
        _ => typed.incident.clone(),
    };
    let is_of_incident = incidents.len() > 1;
    let means = options([("disable", "Disable: can be undone"), ("revoke", "Revoke: cannot be undone")]);
    html! {
        <Select id="means" label="How" options=means chosen=typed.means.clone() error=errors.at("means")/>
        <Select id="team" label="Team" options=teams chosen=typed.team.clone() error=errors.at("team")/>
        <Select id="made_by" label="Generated by" options=people chosen=typed.made_by.clone() error=errors.at("made_by")
            hint="Includes credentials whose current secret, key or identity this person created."/>
        <Select id="server" label="MCP server" options=servers chosen=typed.server.clone() error=errors.at("server")
            hint="Credentials that may call this server."/>
        <Select id="tag" label="Tag" options=tags chosen=typed.tag.clone() error=errors.at("tag")/>
        <TextField id="created_before" label="Generated before" kind="date" value=typed.created_before.clone()
            error=errors.at("created_before") hint="Optional."/>
        {is_of_incident.then(|| view! {
            <Select id="incident" label="Incident" options=incidents chosen=incident error=errors.at("incident")
                hint="Its record shows the result."/>
        })}
    }
}

/// The page where a person limits a stop. It also shows the stops in force.
pub async fn start_page(outcome: Outcome, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let status = errors.status();
    let stops = emergency_stop::undoable(&visit.context).await?;
    let choices = Choices::read(&visit).await?;
    let form = view! {
        <form method="get" action=links::EMERGENCY class="body">
            <p class="muted">
                "With “All teams” and “Any tag”, connected apps and personal tokens end too: people have to reconnect and create new tokens. "
                "The preview counts everything before anything happens."
            </p>
            {selection_fields(choices, &typed, &errors)}
            {submit(None, "Preview")}
        </form>
    };
    let earlier = links::with_query(links::ACTIVITY, &[("action", Action::EmergencyStopped.as_str())]);
    let body = view! {
        <ErrorSummary errors/>
        {Done::read(On::Emergency, outcome.done.as_deref()).map(|done| receipt(done, &outcome))}
        {head((), "Emergency stop", "Disable or revoke many credentials at once.", button_link(earlier, "Earlier stops"))}
        {undoable(stops)}
        {danger_panel("stop", "Stop credentials", form)}
    };
    Ok(Page::new("Emergency stop", body).framed(Frame::Narrow).answering(status))
}

/// Counts what a stop would end, and asks for confirmation.
pub async fn page(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let status = errors.status();
    let (selection, means) = match typed.selection() {
        Ok(selection) => selection,
        Err(errors) => {
            return start_page(Outcome::default(), Form { typed, errors: Errors(errors), confirm: false }).await;
        }
    };
    let preview = emergency_stop::preview(&visit.context, &selection, means).await?;
    let Preview { credentials, live_tokens, grants, personal_tokens, clients } = preview;
    let limits = Choices::read(&visit).await?.limits(&typed);
    let called = called_panel(&visit, &selection, means, credentials).await?;
    let all = everything(&preview);
    let (verb, consequence) = match means {
        Means::Disable => (
            format!("Stop {all}"),
            "Exchanges and live tokens are refused until somebody enables the credentials again. One click enables them all.",
        ),
        Means::Revoke => (
            format!("Revoke {all}"),
            "This cannot be undone. Every secret stops working, and each program needs a new credential.",
        ),
    };
    let title = format!("{verb}?");
    let of_people = grants + personal_tokens + clients;
    let form = if credentials + of_people == 0 {
        html! { <p>"There is nothing to stop. "<a href=links::EMERGENCY>"Change the selection"</a></p> }
    } else {
        let fields = view! {
            {hidden("team", typed.team)}{hidden("made_by", typed.made_by)}{hidden("server", typed.server)}
            {hidden("tag", typed.tag)}{hidden("incident", typed.incident)}{hidden("created_before", typed.created_before)}{hidden("means", means.as_str())}
            {(credentials > 0).then(|| view! { <p>{consequence}</p> })}
            <TextField id="reason" label="Reason" value=typed.reason error=errors.at("reason")
                hint="Optional. Shown in the audit log."/>
            <TextField id="confirmation" label="Type STOP to confirm" value=typed.confirmation required=true
                error=errors.at("confirmation")/>
            <div class="row">
                <button class="button" data-kind="danger">{verb}</button>
                <a class="button" data-kind="quiet" href=links::EMERGENCY>"Cancel"</a>
            </div>
        };
        post_form(links::EMERGENCY, "stack", fields)
    };
    let body = view! {
        <ErrorSummary errors/>
        {head((links::EMERGENCY, "Emergency stop"), title.clone(), (), ())}
        <section class="panel" data-tone="danger" aria-labelledby="counted">
            <header><h2 id="counted" class="row"><Drawing icon=Icon::Warning/>"What the stop ends"</h2></header>
            <dl class="facts">
                {limits.into_iter().map(|(word, value)| view! { <div><dt>{word}</dt><dd>{value}</dd></div> }).collect_view()}
                <div><dt>"Credentials"</dt><dd>{grouped(credentials)}</dd></div>
                <div><dt>"Live tokens"</dt><dd>{grouped(live_tokens)}</dd></div>
                <div><dt>"Connected apps"</dt><dd>{grouped(grants)}</dd></div>
                <div><dt>"Personal tokens"</dt><dd>{grouped(personal_tokens)}</dd></div>
                {(clients > 0).then(|| view! { <div><dt>"Clients"</dt><dd>{grouped(clients)}</dd></div> })}
            </dl>
            <div class="body">
                {(of_people > 0).then(|| view! {
                    <p>
                        "Connected apps and personal tokens end, and do not come back: people have to reconnect and create new tokens."
                        {(clients > 0).then_some(" Clients are removed: an administrator has to add them again.")}
                    </p>
                })}
                {form}
            </div>
        </section>
        {called}
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// What the credentials called through the gateway, if they did.
async fn called_panel(
    visit: &Visit,
    selection: &Selection,
    means: Means,
    credentials: i64,
) -> Result<Option<AnyView>, ActionError> {
    const MOST_ROWS: u16 = 50;
    let since = Period::Week.first_hour(visit.now());
    let calls = emergency_stop::calls(&visit.context, selection, means, since).await?;
    if calls.is_empty() {
        return Ok(None);
    }
    let servers = server::list(&visit.context).await?;
    let counted = (credentials, Timestamp::from_millis(since * 3_600_000));
    let from = emergency_stop::calls_by_address(&visit.context, selection, means, counted, MOST_ROWS).await?;
    let by_address = match from {
        Some(from) => called_from_table(from, &servers),
        None => muted("Select fewer credentials, for example one team, to see the addresses."),
    };
    let content = html! {
        {calls_table(calls, Some(&servers))}
        <h3 class="under">"By address (the latest 200 calls of each)"</h3>
        {by_address}
    };
    Ok(Some(panel("calls", "What these credentials called", muted("last 7 days, through the gateway"), content)))
}

/// What a stop would end, in words: the credentials, and what acts for people if there is any.
fn everything(counts: &Preview) -> String {
    let nothing_else = counts.grants + counts.personal_tokens + counts.clients == 0;
    let mut parts = Vec::new();
    for (count, one, many) in [
        (counts.credentials, "credential", "credentials"),
        (counts.grants, "connected app", "connected apps"),
        (counts.personal_tokens, "personal token", "personal tokens"),
        (counts.clients, "client", "clients"),
    ] {
        if count > 0 || (one == "credential" && nothing_else) {
            parts.push(counted(count, one, many));
        }
    }
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

/// A sentence (after a space) about what ended that acts for people. Empty when nothing of that kind ended.
fn ended_of_people(of: &Preview) -> String {
    if of.grants + of.personal_tokens + of.clients == 0 {
        return String::new();
    }
    format!(" Also ended: {}.", everything(&Preview { credentials: 0, ..*of }))
}

/// The address that shows a stop's result: `count` credentials stopped, and `of` says what ended that acts for people.
pub fn done_address(means: Means, count: u64, of: &Preview, incident: Option<i64>) -> String {
    let done = if means == Means::Disable { Done::EmergencyDisabled } else { Done::EmergencyRevoked };
    let mut address = format!("{}&count={count}", done.at(links::EMERGENCY));
    for (name, number) in [("apps", of.grants), ("personal_tokens", of.personal_tokens), ("clients", of.clients)] {
        if number > 0 {
            address += &format!("&{name}={number}");
        }
    }
    if let Some(number) = incident {
        address += &format!("&incident={number}");
    }
    address
}

/// Marks the place in [`progress_page`] where the server writes lines while the stop runs.
pub const PROGRESS_MARK: &str = "(progress)";

/// The page of a stop that takes some time.
pub fn progress_page(means: Means, preview: &Preview) -> Page {
    let all = everything(preview);
    let title = match means {
        Means::Disable => format!("Stopping {all}"),
        Means::Revoke => format!("Revoking {all}"),
    };
    let body = view! {
        {head((), title.clone(), "The stop continues if you leave this page.", ())}
        <section class="panel" aria-label="Progress"><ol class="list" role="status">{PROGRESS_MARK}</ol></section>
    };
    Page::new(title, body).framed(Frame::Narrow)
}

/// A line of the progress.
pub fn progress_line(stopped: u64, of: i64) -> String {
    view! { <li class="body"><p>{format!("{} of {}", grouped(stopped), grouped(of))}</p></li> }.to_html()
}

/// The last line.
pub fn progress_end(means: Means, count: u64, of: &Preview, incident: Option<i64>) -> String {
    let done = if means == Means::Disable { "Stopped" } else { "Revoked" };
    let words = format!("Done. {done}: {}.{} ", counted(count, "credential", "credentials"), ended_of_people(of));
    let address = done_address(means, count, of, incident);
    view! { <li class="body"><p>{words}<a href=address>"Go to the emergency stop"</a></p></li> }.to_html()
}

/// The last line when the stop failed before its end.
pub fn progress_broken() -> String {
    view! {
        <li class="body"><p>
            "The stop was interrupted: the database does not answer. The credentials counted above are stopped. "
            <a href=links::EMERGENCY>"Stop the rest"</a>
        </p></li>
    }
    .to_html()
}
