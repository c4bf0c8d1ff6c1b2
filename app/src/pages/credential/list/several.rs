//! The page that asks before one action on several credentials: the facts, what the action needs, and the button.

use domain::base::id::{ClientId, McpServerId, PersonId, TeamId};
use domain::credential::several::Step;
use domain::model::credential::{Credential, Impact};
use domain::model::field_error::FieldError;
use domain::person::team;

use crate::pages::credential::fields::{owners_of, read_optional, read_owner};
use crate::pages::credential::list::outcome::read_entries;
use crate::pages::credential::list::{moving, replacing, rotations};
use crate::pages::credential::rotate::read_overlap;
use crate::pages::credential::stop::WHO_REFUSES;
use crate::pages::credential::usage::impact_facts;
use crate::pages::credential::{read_ids, renew, stop};
use crate::prelude::*;

/// What was ticked and typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The action: `revoke`, `rotate`, `finish`, `deadline`, `disable`, `enable`, `move`, `owner`, `unassign`, `undo`,
    /// `tag` or `export`.
    pub action: String,
    /// Client IDs.
    pub client_ids: Vec<String>,
    /// The query of the list.
    pub list: String,
    /// Why, for a revocation.
    pub reason: String,
    /// The new team.
    pub team: String,
    /// The new owner; for a move, the owner of what would lose its owner.
    pub owner: String,
    /// The MCP server to take away.
    pub server: String,
    /// The MCP server that comes instead, or `none`.
    pub instead: String,
    /// The entries to reverse: `212-213`.
    pub entries: String,
    /// Tags to add.
    pub add: String,
    /// Tags to remove.
    pub remove: String,
    /// Which rotations are finished: `all`, or else what is safe to finish.
    pub which: String,
    /// The new deadline of rotations: seconds, or `date`.
    pub overlap: String,
    /// The day for `date`.
    pub overlap_until: String,
    /// What was done on another page, which led back here.
    pub done: String,
}

impl Typed {
    /// Converts the fields to the input of the domain rules.
    pub fn step(&self) -> Result<Step, FieldError> {
        let words = |text: &str| text.split([' ', ',']).map(str::to_owned).collect();
        Ok(match self.action.as_str() {
            "revoke" => Step::Revoke(self.reason.clone()),
            "disable" => Step::Disable,
            "enable" => Step::Enable,
            "finish" => Step::Finish { only_moved: self.which != rotations::ALL },
            "deadline" => Step::Deadline(read_overlap(&self.overlap, &self.overlap_until)?),
            "move" => {
                let team = TeamId::parse(&self.team).ok_or_else(|| FieldError::new("team", "Choose a team."))?;
                Step::Move { team, owner: read_owner(&self.owner)? }
            }
            "owner" => {
                let owner = PersonId::parse(&self.owner).ok_or_else(|| FieldError::new("owner", "Choose a person."))?;
                Step::Own(owner)
            }
            "unassign" => {
                let unknown = || FieldError::new("server", "Choose an MCP server.");
                let server = McpServerId::parse(&self.server).ok_or_else(unknown)?;
                let instead = if self.instead == replacing::NOTHING { "" } else { &self.instead };
                let problem = "Choose another MCP server.";
                Step::Unassign { server, instead: read_optional(instead, McpServerId::parse, "instead", problem)? }
            }
            "undo" => {
                let (first, last) = read_entries(&self.entries)
                    .ok_or_else(|| FieldError::new("entries", "There is nothing to reverse."))?;
                Step::Undo { first, last }
            }
            _ => Step::Tag { add: words(&self.add), remove: words(&self.remove) },
        })
    }

    /// The ticked credentials.
    pub fn ids(&self) -> Result<Vec<ClientId>, ActionError> {
        read_ids(self.client_ids.iter().map(String::as_str))
    }

    /// Whether a person must have proven lately who they are: the action lets something work again, or gives it away.
    pub fn needs_proof(&self) -> bool {
        matches!(self.action.as_str(), "enable" | "deadline" | "move" | "undo")
            || (self.action == "unassign" && !["", replacing::NOTHING].contains(&self.instead.as_str()))
    }
}

/// What is wrong when nothing is ticked. The list shows it.
pub fn nothing_ticked() -> Errors {
    refused("Nothing is selected. Tick the credentials first.")
}

/// Why the action does not fit what is ticked.
pub fn refused(message: impl Into<String>) -> Errors {
    Errors(vec![FieldError::new("list", message)])
}

/// The page. Of a revocation and a rotation, the pages stand elsewhere.
pub async fn page(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, confirm } = form;
    let ids = typed.ids()?;
    if typed.action == "rotate" {
        return renew::page(Form::new(renew::Typed {
            client_ids: typed.client_ids.join(" "),
            how: "rotate".to_owned(),
            list: Some(typed.list),
            ..renew::Typed::default()
        }))
        .await;
    }
    let (credentials, impact) = stop::read(&visit, &ids).await?;
    match typed.action.as_str() {
        "move" => return moving::page(&visit, typed, errors, confirm, credentials).await,
        "unassign" => return replacing::page(&visit, typed, errors, confirm, credentials).await,
        "finish" => return rotations::finish_page(&visit, typed, errors, credentials).await,
        "deadline" => return rotations::deadline_page(&visit, typed, errors, confirm, credentials).await,
        _ => {}
    }
    let count = counted(credentials.len(), "credential", "credentials");
    let (title, lead, verb) = match typed.action.as_str() {
        "revoke" => (format!("Revoke {count}?"), "", "Revoke credentials"),
        "disable" => (
            format!("Disable {count}?"),
            "You can enable them again at any time, with the same secrets.",
            "Disable credentials",
        ),
        "enable" => (format!("Enable {count}?"), "Their secrets work again at once.", "Enable credentials"),
        "owner" => (
            format!("Give {count} to another owner"),
            "The owner is the person to ask about a credential. A credential keeps its owner if the new owner is not in its team.",
            "Change owner",
        ),
        "undo" => (
            format!("Reverse this for {count}?"),
            "Each credential gets back the team, the owner, the MCP servers or the tags that it had. One that was changed since stays as it is.",
            "Reverse",
        ),
        "tag" => (format!("Tag {count}"), "Tags group credentials, for example by environment: env:prod.", "Save tags"),
        _ => return Err(ActionError::NotFound),
    };
    let (fields, fields_below) = match fields(&visit, &typed, &credentials, &errors).await? {
        fields if typed.action == "revoke" => (fields, None),
        fields => (None, fields),
    };
    let page = form_page(&typed, title, verb).lead(lead).hidden("entries", typed.entries.clone());
    let selected = names(&visit, credentials, &typed.action).await?;
    let page = match typed.action.as_str() {
        "revoke" => page.fields(revocation(&impact, selected, fields)).danger(),
        "disable" => page.fields(view! {
            <section class="panel" aria-label="What is selected">
                {impact_facts(&impact, "Tokens that are refused while disabled")}{selected}
            </section>
        }),
        _ => page.fields(view! { <section class="panel" aria-label="What is selected">{selected}</section> }),
    };
    let page = match fields_below {
        Some(fields) => page.panel("What the action needs", fields),
        None => page,
    };
    let page = if typed.action == "disable" { page.quiet() } else { page };
    Ok(page.confirm(confirm || typed.needs_proof() && visit.must_confirm()).page(errors))
}

/// The form of an action, with what was ticked.
pub(super) fn form_page(typed: &Typed, title: String, verb: impl Into<String>) -> FormPage {
    let page = FormPage::new(title, links::SEVERAL, verb)
        .back(links::credentials_of_query(&typed.list), "Credentials")
        .hidden("do", typed.action.clone())
        .hidden("list", typed.list.clone());
    typed.client_ids.iter().fold(page, |page, id| page.hidden("client_id", id.clone()))
}

/// The form that asks for a choice, which the next page needs.
pub(super) fn choice_page(
    typed: &Typed,
    errors: Errors,
    title: String,
    lead: &'static str,
    fields: impl IntoAny,
) -> Page {
    let ids = typed.client_ids.iter().map(|id| hidden("client_id", id.clone())).collect_view();
    let status = errors.status();
    let body = view! {
        <ErrorSummary errors/>
        {head((links::credentials_of_query(&typed.list), "Credentials"), title.clone(), lead, ())}
        <form method="get" action=links::SEVERAL class="stack">
            {hidden("do", typed.action.clone())}{hidden("list", typed.list.clone())}{ids}
            <section class="panel body" aria-label="Choice">{fields.into_any()}</section>
            {submit(Some("primary"), "Continue")}
        </form>
    };
    Page::new(title, body).framed(Frame::Narrow).answering(status)
}

/// The fields of the action, if it has some.
async fn fields(
    visit: &Visit,
    typed: &Typed,
    credentials: &[Credential],
    errors: &Errors,
) -> Result<Option<AnyView>, ActionError> {
    Ok(Some(match typed.action.as_str() {
        "revoke" => html! {
            <TextField id="reason" label="Reason" hint="Optional. Stays in the audit log." value=typed.reason.clone()
                error=errors.at("reason")/>
        },
        "owner" => {
            let (chosen, error) = (typed.owner.clone(), errors.at("owner"));
            let options = options_after("Choose a person", owners_of(visit, credentials).await?);
            let hint = "With how many of the credentials each person can get.";
            html! { <Select id="owner" label="Owner" options chosen error hint/> }
        }
        "tag" => html! {
            <TextField id="add" label="Add tags" hint="Separated by spaces. Small letters, digits and : _ . - are possible."
                value=typed.add.clone() error=errors.at("add")/>
            <TextField id="remove" label="Remove tags" value=typed.remove.clone() error=errors.at("remove")/>
        },
        _ => return Ok(None),
    }))
}

/// The panel of a revocation, as the page of one credential has it: what depends on them, the credentials, the reason.
fn revocation(impact: &Impact, selected: AnyView, fields: Option<AnyView>) -> AnyView {
    let title = html! { <Drawing icon=Icon::Warning/>"This cannot be undone." };
    let facts = impact_facts(impact, "Live tokens that end");
    let below = view! {
        <div class="body">
            <p>"Every secret of these credentials stops working."</p>
            <p class="muted">{WHO_REFUSES}</p>
            {fields}
        </div>
    };
    html! {
        <section class="panel" data-tone="danger" aria-labelledby="final">
            <header><h2 id="final" class="row">{title}</h2></header>
            {facts}{selected}{below}
        </section>
    }
}

/// The credentials, each with its team and its state. An action that changes the team or the owner shows the present
/// one.
async fn names(visit: &Visit, credentials: Vec<Credential>, action: &str) -> Result<AnyView, ActionError> {
    let now = visit.now();
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let line = |credential: Credential| {
        let status = credential_status(&credential, now);
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        let owner = credential.owner.map(|owner| owner.name);
        cells![
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name}</a> },
            team,
            owner.unwrap_or_else(|| "Nobody".to_owned()),
            html! { <code>{credential.client_id.to_string()}</code> },
            status,
            distance_or(credential.last_used_at, "Never used"),
        ]
    };
    let columns = [
        "Name".into(),
        "Team".into(),
        Column::when("Present owner", action == "owner"),
        "Client ID".into(),
        "Status".into(),
        "Last used".into(),
    ];
    Ok(table(columns, credentials.into_iter().map(line)))
}
