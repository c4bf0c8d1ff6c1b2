//! The checklist on the overview: the steps from an empty instance to one that is ready for work. It stays until an
//! administrator dismisses it. Most steps are done when the instance holds what they ask for. A person ticks the
//! backup, because no program knows where the master key is kept.

use domain::model::operations::ChecklistMark;
use domain::operations::checklist;
use domain::person::{invitation, manage};
use domain::server;
use domain::webhook;

use crate::pages::operations::overview::OverviewCounts;
use crate::prelude::*;

/// Sets a mark of the checklist, or removes it: `on` is `yes` or `no`.
#[server(prefix = "/fn", endpoint = "change_checklist")]
pub(crate) async fn change_checklist(mark: String, on: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let mark = ChecklistMark::parse(&mark).ok_or(ActionError::NotFound)?;
    let on = on == "yes";
    checklist::set(&visit.context, &visit.actor()?, mark, on).await?;
    Ok(match (mark, on) {
        (ChecklistMark::Backup, true) => Done::OverviewBackupTicked.at(links::OVERVIEW),
        (ChecklistMark::Backup, false) => Done::OverviewBackupUnticked.at(links::OVERVIEW),
        (ChecklistMark::Dismissed, true) => Done::OverviewDismissed.at(links::OVERVIEW),
        (ChecklistMark::Dismissed, false) => Done::OverviewShown.at(links::OVERVIEW),
    })
}

/// The checklist. Nothing for people who do not administer, and after it is dismissed.
pub(crate) async fn steps(visit: &Visit, counts: OverviewCounts) -> Result<Option<AnyView>, ActionError> {
    let viewer = visit.viewer()?;
    let context = &visit.context;
    if !viewer.authority.is_administrator() {
        return Ok(None);
    }
    let marks = checklist::marks(context).await?;
    if marks.contains(&ChecklistMark::Dismissed) {
        return Ok(None);
    }
    let has_server = server::list(context).await?.iter().any(|server| !server.built_in);
    let has_colleague = manage::list(context).await?.len() > 1 || !invitation::list(context, None).await?.is_empty();
    let has_webhook = !webhook::list(context).await?.is_empty();
    let unverified = links::credentials_with_status("unverified");
    let exchange = if counts.all > 0 { unverified } else { String::new() };
    let kept = marks.contains(&ChecklistMark::Backup);
    let steps = [
        (counts.all > 0, step("Generate the first credential", links::NEW_CREDENTIAL)),
        (counts.all > counts.unverified, step("Exchange its secret for a token", &exchange)),
        (viewer.factors.any(), step("Protect your account with a second factor", links::ACCOUNT)),
        (has_server, step("Add your own MCP server", links::NEW_SERVER)),
        (has_colleague, step("Invite a colleague", links::INVITE)),
        (has_webhook, step("Send alerts to a webhook", links::NEW_WEBHOOK)),
        (kept, "Keep the master key and a backup elsewhere".into_any()),
    ];
    let done = steps.iter().filter(|(done, _)| *done).count();
    let aside = format!("{done} of {} done", steps.len());
    let last = steps.len() - 1;
    let rows = steps.into_iter().enumerate().map(|(position, (done, words))| {
        let how = (position == last).then(|| backup(kept));
        view! {
            <li data-done=done.then_some("")>
                <Drawing icon={if done { Icon::Check } else { Icon::Circle }}/>
                <span>{words}{done.then(|| view! { <span class="vh">" (done)"</span> })}</span>
                {how}
            </li>
        }
    });
    let list = html! { <ol class="list todo checklist">{rows.collect_view()}</ol> };
    let dismiss = [("mark", ChecklistMark::Dismissed.as_str().to_owned()), ("on", "yes".to_owned())];
    let dismiss = post_button(links::CHANGE_CHECKLIST, dismiss, None, true, "Dismiss");
    let aside = view! { <span class="row">{muted(aside)}{dismiss}</span> };
    Ok(Some(panel("checklist", "Get ready for work", aside, list)))
}

/// The words of a step as a link to the page where it is done.
fn step(words: &'static str, href: &str) -> AnyView {
    if href.is_empty() {
        return words.into_any();
    }
    html! { <a href=href.to_owned()>{words}</a> }
}

/// The button that ticks the backup, or takes the tick away.
fn backup(kept: bool) -> AnyView {
    let (on, words) = if kept { ("no", "Not any more") } else { ("yes", "I keep both elsewhere") };
    let fields = [("mark", ChecklistMark::Backup.as_str().to_owned()), ("on", on.to_owned())];
    let how = (!kept).then(|| view! { <code>"countersign backup FILE"</code> });
    html! { <span class="row">{how}{post_button(links::CHANGE_CHECKLIST, fields, None, true, words)}</span> }
}
