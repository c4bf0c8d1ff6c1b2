//! What was ticked in the list and typed in the forms of an action on several credentials, and the form around it.

use domain::base::id::{ClientId, McpServerId, PersonId, TeamId};
use domain::credential::several::Step;
use domain::model::field_error::FieldError;

use crate::pages::credential::fields::{read_optional, read_owner};
use crate::pages::credential::list::outcome::read_entries;
use crate::pages::credential::read_ids;
use crate::pages::credential::rotate::read_overlap;
use crate::prelude::*;

/// The choice to end also the old secrets that a program may still need.
pub(super) const ALL: &str = "all";
/// The choice to end only what no program used since its rotation began.
pub(super) const MOVED: &str = "moved";
/// The choice to put nothing in the place of an MCP server.
pub(super) const NOTHING: &str = "none";

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
    /// Which rotations are finished: `all`, or `moved`, which is what is safe to finish.
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
            "finish" if self.which.is_empty() => {
                return Err(FieldError::new("which", "Choose which rotations to finish."));
            }
            "finish" => Step::Finish { only_moved: self.which != ALL },
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
                let instead = if self.instead == NOTHING { "" } else { &self.instead };
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
            || (self.action == "unassign" && !["", NOTHING].contains(&self.instead.as_str()))
    }
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
    let list = links::credentials_of_query(&typed.list);
    let body = view! {
        <ErrorSummary errors/>
        {head((list.clone(), "Credentials"), title.clone(), lead, ())}
        <form method="get" action=links::SEVERAL class="stack">
            {hidden("do", typed.action.clone())}{hidden("list", typed.list.clone())}{ids}
            <section class="panel" aria-label="Choice">{fields.into_any()}</section>
            <div class="row">
                <button class="button" data-kind="primary">"Continue"</button>
                <a class="button" data-kind="quiet" href=list>"Cancel"</a>
            </div>
        </form>
    };
    Page::new(title, body).framed(Frame::Narrow).answering(status)
}
