//! The pages that ask before several rotations end, or get another deadline. They say how far each program has moved.

use domain::credential::rotate::{Progress, Side, Sides, sides};
use domain::model::credential::Credential;

use crate::pages::credential::list::ticked::{ALL, MOVED, Typed, form_page};
use crate::pages::credential::rotate::{deadlines, last_day};
use crate::prelude::*;

/// The page that asks before rotations are finished.
pub(super) async fn finish_page(
    visit: &Visit,
    typed: Typed,
    errors: Errors,
    credentials: Vec<Credential>,
) -> Result<Page, ActionError> {
    let all = read(visit, credentials).await?;
    let count = |progress: &[Progress]| {
        all.iter().filter(|(_, sides)| sides.is_rotating() && progress.contains(&sides.progress())).count()
    };
    let (moved, unsure) = (count(&[Progress::Moved]), count(&[Progress::Unused, Progress::Both]));
    let rotations = |count: usize| counted(count, "rotation", "rotations");
    let title = match moved + unsure {
        0 => "No rotation to finish".to_owned(),
        count => format!("Finish {}?", rotations(count)),
    };
    let page = form_page(&typed, title, "Finish rotations").lead(
        "The old secrets and keys stop working at once, and so do the tokens that they made. This cannot be undone.",
    );
    let choice = (unsure > 0).then(|| {
        let options = match moved {
            0 => vec![],
            count => {
                let are = if count == 1 { "is" } else { "are" };
                vec![(MOVED.to_owned(), format!("Only {} that {are} safe to finish", rotations(count)))]
            }
        };
        let all = format!("All {}: programs that still use an old secret or key stop", moved + unsure);
        let options = options.into_iter().chain([(ALL.to_owned(), all)]);
        let options = if moved == 0 { options_after("Choose", options) } else { options.collect() };
        let hint = "Safe means: since the rotation began, only the new secret or key was used.";
        view! { <Select id="which" label="Which" options chosen=typed.which.clone() error=errors.at("which") hint/> }
    });
    let page = if moved + unsure == 0 { page.without_button() } else { page.danger() };
    let page = match choice {
        Some(choice) => page.panel("What ends", choice),
        None => page.hidden("which", MOVED),
    };
    Ok(page.fields(selected(all)).page(errors))
}

/// The page that asks for another deadline.
pub(super) async fn deadline_page(
    visit: &Visit,
    typed: Typed,
    errors: Errors,
    confirm: bool,
    credentials: Vec<Credential>,
) -> Result<Page, ActionError> {
    let all = read(visit, credentials).await?;
    let able = all.iter().filter(|(_, sides)| sides.is_rotating()).count();
    let title = match able {
        0 => "No rotation is under way".to_owned(),
        able => format!("Change the deadline of {}", counted(able, "rotation", "rotations")),
    };
    let fields = view! {
        <div class="stack dated">
            <Select id="overlap" label="Old secrets and keys stop in" options=deadlines(None) chosen=typed.overlap.clone()
                otherwise="86400" error=errors.at("overlap") hint="At most 90 days, and not past the expiry of each."/>
            {last_day(typed.overlap_until.clone(), &errors)}
        </div>
    };
    let page = form_page(&typed, title, "Change deadline");
    let page = if able == 0 { page.without_button() } else { page.panel("Deadline", fields) };
    Ok(page.fields(selected(all)).confirm(confirm || visit.must_confirm()).page(errors))
}

async fn read(visit: &Visit, credentials: Vec<Credential>) -> Result<Vec<(Credential, Sides)>, ActionError> {
    let mut all = Vec::with_capacity(credentials.len());
    for credential in credentials {
        let sides = sides(&visit.context, &credential).await?;
        all.push((credential, sides));
    }
    Ok(all)
}

/// The credentials, each with the latest use of both sides and what that means.
fn selected(all: Vec<(Credential, Sides)>) -> AnyView {
    let used = |sides: &[Side]| {
        let latest = sides.iter().max_by_key(|side| side.last_used_at);
        latest.map(|side| last_use(side.last_used_at, side.last_used_from)).into_any()
    };
    let row = |(credential, sides): (Credential, Sides)| {
        let name = html! { <a class="name" href=links::rotate_credential(&credential.client_id)>{credential.name}</a> };
        if !sides.is_rotating() {
            return cells![name, "–", "–", "–", muted("No rotation is under way")];
        }
        let state = match sides.progress() {
            Progress::Moved => chip("Only the new one was used", "ok"),
            Progress::Both => chip("Both were used", "warn"),
            Progress::Unused => chip("The new one was not used", "warn"),
            Progress::Broken => chip("The new one has ended: it stays", "danger"),
        };
        let ends = sides.old.iter().filter_map(|side| side.end.moment()).max();
        cells![name, used(&sides.old), used(&sides.new), distance_or(ends, "Never"), state]
    };
    let columns = ["Name", "Old last used", "New last used", "Old ends", "Since the rotation began"];
    html! {
        <section class="panel" aria-label="What is selected">{table(columns, all.into_iter().map(row))}</section>
    }
}
