//! The page of an incident: what leaked, what happened, who used it, and what is left to do.

use domain::base::clock::Timestamp;
use domain::incident::record::{self, export, story};
use domain::model::audit::Target;
use domain::model::field_error::FieldError;
use domain::model::incident::record::{Incident, Item, State};
use domain::model::incident::story::{Story, Task, TaskKind, Tone};
use domain::model::person::authority::Role;

use crate::components::icon::{Drawing, Icon};
use crate::components::parts::key_figures;
use crate::components::time::{duration, second};
use crate::pages::credential::fields::people_to_choose;
use crate::pages::incident::leaked::leaked_panel;
use crate::pages::incident::list::state_chip;
use crate::prelude::*;

/// What was typed into the forms of the page.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of the person who handles it.
    pub owner: String,
    /// Since when others could read what leaked, as it was typed.
    pub exposed_at: String,
    /// Where it was found.
    pub found_at: String,
    /// A note.
    pub note: String,
    /// The word of a receipt.
    pub done: Option<String>,
    /// Whether owner, exposure and place were typed. Otherwise the form shows the stored ones.
    pub edited: bool,
}

/// Reads a moment that a person typed or copied: `2026-11-28 19:41`, `2026-11-28`, RFC 3339, or the date of a commit
/// with its offset. Without an offset it is in UTC.
///
/// # Errors
///
/// An error at `exposed_at`.
pub fn read_moment(text: &str) -> Result<Option<Timestamp>, FieldError> {
    let text = text.trim();
    let problem = || FieldError::new("exposed_at", "Write the moment as 2026-11-28 19:41, in UTC.");
    match text.len() {
        0 => Ok(None),
        10 => Timestamp::start_of_day(text).map(Some).ok_or_else(problem),
        _ => {
            let joined = text.replacen(' ', "T", 1).replace(' ', "");
            let (moment, offset) = match joined.get(16..).and_then(|rest| rest.find(['+', '-', 'Z'])) {
                Some(at) => joined.split_at(at + 16),
                None => (joined.as_str(), "Z"),
            };
            let seconds = if moment.len() == 16 { ":00" } else { "" };
            let colon = offset.len() == 5 && offset.is_ascii() && !offset.contains(':');
            let offset = if colon { format!("{}:{}", &offset[..3], &offset[3..]) } else { offset.to_owned() };
            Timestamp::parse_rfc3339(&format!("{moment}{seconds}{offset}")).map(Some).ok_or_else(problem)
        }
    }
}

/// The page.
pub async fn page(number: String, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (context, authority) = (&visit.context, visit.authority()?);
    let number = number.parse().map_err(|_| ActionError::NotFound)?;
    let incident = record::find(context, authority, number).await?.ok_or(ActionError::NotFound)?;
    let story = story::read(context, authority, &incident).await?;
    let Form { typed, errors, .. } = form;
    let (status, may_change) = (errors.status(), incident.may_be_changed_by(authority));
    let title = incident.title();
    let ticket = export::markdown(context, &incident, &story);
    let edit = if may_change { Some(edit_panel(&visit, &incident, &typed, &errors).await?) } else { None };
    let receipt = typed.done.as_deref();
    let body = view! {
        <ErrorSummary errors=errors.clone()/>
        <Receipt on=On::Incident done=receipt/>
        {head(
            (links::LEAKS, "Leaks"),
            html! { <span class="row">{title.clone()}" "{state_chip(&incident)}</span> },
            lead(&visit, &incident, &story),
            actions(&incident, &story, may_change),
        )}
        {works_notice(&visit, &incident, may_change)}
        {figures(&story, &incident)}
        <div class="grid duo">
            {panel("tasks", "What is left to do", (), tasks(&visit, &incident, &story, may_change))}
            {leaked_panel(&visit, &incident).await?}
        </div>
        {panel("happened", "What happened", muted(line_words(&incident)), timeline(&incident, &story))}
        {used_panel(&story, &incident)}
        {notes_panel(&incident, &story, &typed, &errors, may_change)}
        {edit}
        <input type="hidden" id="ticket" value=ticket/>
    };
    Ok(Page::new(format!("#{} {title}", incident.number), body).answering(status))
}

/// One line below the heading.
fn lead(visit: &Visit, incident: &Incident, story: &Story) -> AnyView {
    let owner = incident.owner.as_ref().map_or_else(|| "nobody".to_owned(), |owner| owner.name.clone());
    let end = incident.contained_at.or(incident.closed_at).unwrap_or_else(|| visit.now());
    let exposed = incident.exposed_at.filter(|_| !incident.dismissed).map(|at| {
        let at = story.born_at.map_or(at, |born| born.max(at));
        let length = end.since(at);
        let word = if incident.contained_at.is_some() { "exposed for" } else { "exposed so far for" };
        let length = if length.as_secs() < 60 { "less than a minute".to_owned() } else { rounded(length) };
        format!(" · {word} {length}")
    });
    html! { {format!("#{} · found ", incident.number)}{distance(incident.opened_at)}{format!(" · handled by {owner}")}{exposed} }
}

/// A length of time in its largest unit, rounded up.
fn rounded(length: std::time::Duration) -> String {
    let seconds = length.as_secs();
    let unit = [86_400, 3600, 60, 1].into_iter().find(|unit| seconds >= 2 * unit).unwrap_or(1);
    match unit {
        86_400 => counted((seconds / 86_400) as i64, "day", "days"),
        unit => duration(std::time::Duration::from_secs(seconds.div_ceil(unit) * unit)),
    }
}

fn actions(incident: &Incident, story: &Story, may_change: bool) -> AnyView {
    let all_done = story.tasks.iter().all(|task| task.done);
    let number = incident.number;
    let state = |to: &'static str, kind: Option<&'static str>, words: &'static str| state_form(number, to, kind, words);
    let step = may_change.then(|| match incident.state() {
        State::Open => ask(
            false,
            "False alarm",
            "Close the incident because nothing leaked? The secret works as before, and the alarm ends.",
            state("false_alarm", None, "Close as a false alarm"),
        ),
        State::Contained => state("handled", all_done.then_some("primary"), "Close incident"),
        State::Closed => state("open", None, "Open again"),
    });
    html! {
        <div class="row">
            {copy_button("ticket", "Copy for a ticket")}
            <details class="menu">
                <summary class="button">"Export"<Drawing icon=Icon::Open/></summary>
                <ul>
                    <li><a href=links::incident_markdown(number) download="">"Markdown"</a></li>
                    <li><a href=links::incident_json(number) download="">"JSON"</a></li>
                </ul>
            </details>
            {step}
        </div>
    }
}

/// A button that brings the incident to another state.
fn state_form(number: i64, to: &'static str, kind: Option<&'static str>, words: impl IntoAny) -> AnyView {
    let action = links::incident_state(number);
    html! {
        <form method="post" action=action>
            <FormToken/>
            {hidden("to", to)}
            <button class="button" data-kind=kind>{words.into_any()}</button>
        </form>
    }
}

/// What works, and the button that stops it.
fn works_notice(visit: &Visit, incident: &Incident, may_change: bool) -> Option<AnyView> {
    let working: Vec<&Item> = incident.items.iter().filter(|item| item.works).collect();
    let Some(first) = working.first() else {
        let words = "Something that you cannot see still works. Ask an administrator to stop it.";
        return (incident.unseen_working > 0).then(|| notice("danger", view! { <p><b>{words}</b></p> }));
    };
    let words = match working.len() {
        1 => format!("{} still works. Anyone who has what leaked can use it.", first.name),
        many => format!("{many} things that leaked still work. Anyone who has what leaked can use them."),
    };
    let authority = visit.authority().ok()?;
    let mine = working.iter().filter(|item| item.role_of(authority) >= Some(Role::Member)).count();
    let stop = (may_change && mine > 0).then(|| {
        let words = if mine == 1 { "Revoke it now".to_owned() } else { format!("Revoke all {mine} now") };
        state_form(incident.number, "stop", Some("danger"), words)
    });
    let rotate = working
        .iter()
        .filter(|item| item.kind == Target::Credential && item.role_of(authority) >= Some(Role::Member))
        .take(3)
        .map(|item| {
            let words = if mine == 1 { "Rotate instead".to_owned() } else { format!("Rotate {}", item.name) };
            button_link(links::rotate_credential(&item.id), words)
        });
    let rotate = rotate.collect_view();
    let emergency = links::with_query(links::EMERGENCY, &[("incident", &incident.number.to_string())]);
    let emergency = authority.is_administrator().then(|| button_link(emergency, "Stop more credentials"));
    let buttons = html! { <div class="row" id="works" tabindex="-1">{stop}{rotate}{emergency}</div> };
    Some(notice("danger", html! { <p><b>{words}</b></p>{buttons} }))
}

fn figures(story: &Story, incident: &Incident) -> AnyView {
    let (exchanges, from_new) = (story.exchanges, story.exchanges_from_new);
    let new = if from_new > 0 {
        format!("{} from new addresses", grouped(from_new))
    } else {
        "none from new addresses".to_owned()
    };
    let called: Vec<String> =
        story.used.iter().filter(|used| used.is_new() && !used.calls.is_empty()).map(|used| used.called()).collect();
    let servers = story.servers_reached();
    let or = |none: &'static str, text: String| if text.is_empty() { muted(none) } else { text.into_any() };
    let since = if incident.exposed_at.is_some() { "while exposed" } else { "since found" };
    // Before it is contained nothing has ended, and what counts is whether somebody uses it now.
    let ended = incident
        .contained_at
        .map(|at| ("Tokens ended", grouped(story.tokens_ended).into_any(), html! { "refused since "{moment(at)} }));
    let last_used = || {
        let last = story.used.iter().map(|used| used.last_at).max();
        ("Last used", distance_or(last, "Never"), since.into_any())
    };
    let tried = incident.contained_at.map(|_| {
        let note = if story.tried > 0 { "all refused" } else { "since it ended" };
        ("Tried since", grouped(story.tried).into_any(), note.into_any())
    });
    // Until a person sets the start of the exposure, the page says that the number is not known. A zero would be false.
    let first = match incident.exposed_at {
        Some(_) => ("Exchanges while exposed", grouped(exchanges).into_any(), new.into_any()),
        None => {
            let set = html! { <a href="#exposed_at">"Set since when it was exposed"</a> };
            ("Exchanges while exposed", muted("Not known"), html! { {grouped(exchanges)}" since found. "{set} })
        }
    };
    let figures = [
        first,
        ended.unwrap_or_else(last_used),
        (
            "Tools called from new addresses",
            or("None recorded", called.join(", ")),
            "calls through the gateway".into_any(),
        ),
        ("Servers it got tokens for", or("None", servers.join(", ")), since.into_any()),
    ];
    key_figures(figures.into_iter().chain(tried))
}

/// What the colour of the line means.
fn line_words(incident: &Incident) -> &'static str {
    match incident.exposed_at {
        Some(_) => "Times in UTC. Red: others could use it.",
        None => "Times in UTC. Red: others could use it. Before it was found, nobody knows.",
    }
}

/// What happened, as a line through time. The line is red while others could use what leaked.
fn timeline(incident: &Incident, story: &Story) -> AnyView {
    // Nothing was exposed before it was there, whatever somebody typed.
    let since = story.born_at.map_or(incident.exposed_since(), |born| born.max(incident.exposed_since()));
    let line = |at: Timestamp| match incident.contained_at {
        _ if at < since => Tone::Neutral,
        Some(end) if at >= end => Tone::Ok,
        _ => Tone::Danger,
    };
    let steps = story.moments.iter().map(|step| {
        let line = line(step.at).as_str();
        let subject = step.subject.clone().map(sub);
        view! {
            <li data-tone=line>
                <span class="did" data-tone=step.tone.as_str()>{step.words.clone()}</span>
                {subject}
                <span class="muted">{second(step.at)}</span>
            </li>
        }
    });
    html! { <div class="body"><ol class="flow">{steps.collect_view()}</ol></div> }
}

fn used_panel(story: &Story, incident: &Incident) -> AnyView {
    let (title, aside) = match incident.exposed_at {
        Some(_) => ("Who used it while it was exposed", ().into_any()),
        None => ("Who used it since it was found", html! { <a href="#record">"Say since when it was exposed"</a> }),
    };
    if story.used.is_empty() {
        let words = match incident.exposed_at {
            Some(_) => "Nobody exchanged it while it was exposed.",
            None => {
                "Nobody exchanged it since it was found. Earlier use counts when you say since when it was exposed."
            }
        };
        return panel("used", title, aside, empty(words));
    }
    let many = incident.items.len() > 1;
    let rows = story.used.iter().map(|used| {
        let name = match used.address.as_str() {
            "" => muted("Unknown address"),
            address => html! { <code>{address.to_owned()}</code> },
        };
        let servers = used.servers.iter().map(|id| story.server_name(id)).collect::<Vec<_>>().join(", ");
        let known = match used.known_since {
            Some(at) => html! { "Yes, since "{moment(at)} },
            None => chip("No", "danger"),
        };
        cells![
            html! { {name}{many.then(|| sub(used.credential.clone()))} },
            known,
            grouped(used.exchanges),
            servers,
            used.called(),
            second(used.first_at),
            second(used.last_at),
        ]
    });
    let columns = [
        Column::from("Address"),
        Column::from("Known before"),
        Column::number("Exchanges"),
        Column::from("MCP servers"),
        Column::when("Called", story.used.iter().any(|used| !used.calls.is_empty())),
        Column::from("First"),
        Column::from("Last"),
    ];
    let cut = story.is_cut.then(|| {
        let words =
            "There is more. New addresses come first. Of calls, only the latest 200 of each credential are known.";
        view! { <div class="body"><p class="muted">{words}</p></div> }
    });
    panel("used", title, aside, html! { {table(columns, rows)}{cut} })
}

/// The tasks of the incident: open tasks first, then the finished ones.
fn tasks(visit: &Visit, incident: &Incident, story: &Story, may_change: bool) -> AnyView {
    // What is left comes first.
    let mut tasks: Vec<&Task> = story.tasks.iter().collect();
    tasks.sort_by_key(|task| task.done);
    let rows = tasks.into_iter().map(|task| {
        view! {
            <li data-done=task.done.then_some("")>
                <Drawing icon={if task.done { Icon::Check } else { Icon::Circle }}/>
                <span>{task.words.clone()}{task.done.then(|| view! { <span class="vh">" (done)"</span> })}</span>
                {may_change.then(|| how(visit, incident, story, task))}
            </li>
        }
    });
    html! { <ul class="list todo checklist">{rows.collect_view()}</ul> }
}

/// How a task is done.
fn how(visit: &Visit, incident: &Incident, story: &Story, task: &Task) -> AnyView {
    match &task.kind {
        // What works is rotated instead.
        TaskKind::Replace(id) if incident.items.iter().any(|item| item.works && item.id == id.as_str()) => {
            small_link(links::rotate_credential(id), "Rotate")
        }
        TaskKind::Replace(id) => small_link(links::credential_like(id), "Generate a replacement"),
        TaskKind::Look(id) => small_link(links::credential(id), "Open"),
        TaskKind::Assign if !task.done => small_link("#owner".to_owned(), "Assign"),
        TaskKind::Expose if !task.done => small_link("#exposed_at".to_owned(), "Set it"),
        TaskKind::Stop if !task.done => small_link("#works".to_owned(), "Revoke or rotate"),
        TaskKind::Tell(server) if !task.done => {
            let text = export::notice(&visit.context, incident, story, server);
            let id = format!("notice-{server}");
            html! {
                <span class="row">
                    {copy_button(id.clone(), "Copy text")}
                    {told_form(incident.number, server.as_str(), &story.server_name(server))}
                </span>
                <details class="ask"><summary class="button" data-size="small">"Show text"</summary>
                    <div><pre id=id class="lines">{text}</pre></div></details>
            }
        }
        TaskKind::Stop | TaskKind::Assign | TaskKind::Expose | TaskKind::Tell(_) => ().into_any(),
    }
}

fn told_form(number: i64, server: &str, name: &str) -> AnyView {
    let action = links::incident_note(number);
    html! {
        <form method="post" action=action>
            <FormToken/>
            {hidden("about", server)}
            {hidden("note", format!("The owner of {name} was told."))}
            <button class="button" data-size="small">"Told"</button>
        </form>
    }
}

fn notes_panel(incident: &Incident, story: &Story, typed: &Typed, errors: &Errors, may_change: bool) -> AnyView {
    let notes = story.notes.iter().map(|note| {
        view! {
            <li class="entry">
                {moment(note.at)}<span class="lines">{note.text.clone()}</span><span class="muted">{note.author.clone()}</span>
            </li>
        }
    });
    let list = match story.notes.is_empty() {
        true => ().into_any(),
        false => html! { <ul class="list">{notes.collect_view()}</ul> },
    };
    let form = may_change.then(|| {
        post_form(
            links::incident_note(incident.number),
            "body",
            view! {
                <TextArea id="note" label="Note" value=typed.note.clone() error=errors.at("note")
                    hint="What you did, whom you asked, what you found out. No secrets: notes are copied into tickets."/>
                {submit(None, "Add note")}
            },
        )
    });
    if story.notes.is_empty() && !may_change {
        return ().into_any();
    }
    panel("notes", "Notes", (), html! { {list}{form} })
}

/// Who handles it, since when it was exposed, and where it was found.
async fn edit_panel(
    visit: &Visit,
    incident: &Incident,
    typed: &Typed,
    errors: &Errors,
) -> Result<AnyView, ActionError> {
    let people = people_to_choose(visit, Role::Viewer, false, incident.owner.as_ref()).await?;
    let (owner, exposed_at, found_at) = if typed.edited {
        (typed.owner.clone(), typed.exposed_at.clone(), typed.found_at.clone())
    } else {
        let owner = incident.owner.as_ref().map(|owner| owner.id.to_string()).unwrap_or_default();
        let exposed_at = incident.exposed_at.map(|at| at.rfc3339().replace('T', " ").replace('Z', ""));
        (owner, exposed_at.unwrap_or_default(), incident.found_at.clone().unwrap_or_default())
    };
    let fields = view! {
        <Select id="owner" label="Handled by" options=options_after("Nobody", people) chosen=owner
            error=errors.at("owner")/>
        <TextField id="exposed_at" label="Exposed since" value=exposed_at error=errors.at("exposed_at")
            hint="UTC, for example 2026-11-28 19:41. The date of a commit with its offset is read too. Empty: not known."/>
        <TextField id="found_at" label="Found where" value=found_at hint="The address of a page or a log, or words."/>
        {submit(None, "Save")}
    };
    Ok(panel("record", "Record", (), post_form(links::incident(incident.number), "body", fields)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_copy_them() {
        for (text, expected) in [
            ("2026-11-28 19:41", "2026-11-28T19:41:00Z"),
            ("2026-11-28", "2026-11-28T00:00:00Z"),
            (" 2026-11-28T19:41:03Z ", "2026-11-28T19:41:03Z"),
            ("2026-11-28 20:41:03 +0100", "2026-11-28T19:41:03Z"),
            ("2026-11-28T20:41:03+01:00", "2026-11-28T19:41:03Z"),
            ("2026-11-28 14:41 -0500", "2026-11-28T19:41:00Z"),
        ] {
            let read = read_moment(text).expect(text).map(Timestamp::rfc3339);
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        assert_eq!(read_moment("  ").map(|moment| moment.is_none()), Ok(true));
        for text in
            ["yesterday", "2026-13-01 10:00", "2026-11-28 19:41 Berlin", "28.11.2026 19:41", "ü2026-11-28 19:41:0ü"]
        {
            assert!(read_moment(text).is_err(), "{text}");
        }
    }
}
