//! Rotation: a new secret or key beside the present one, and the actions while both work.
//!
//! A handler of the server answers the form that starts a rotation, because the answer may show a secret.

use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::credential::rotate::{Overlap, Progress, Side, Sides, next_expiry, sides};
use domain::credential::{CredentialError, inspect};
use domain::model::credential::{AuthMethod, Credential};
use domain::model::field_error::FieldError;

use crate::components::form::field::ProofFields;
use crate::components::form::proof::TypedKeys;
use crate::components::time::relative;
use crate::pages::credential::fields::{ExpiryLimits, key_with_expiry};
use crate::pages::credential::find;
use crate::pages::credential::usage::{impact_facts, secrets_by_use};
use crate::prelude::*;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The overlap: seconds, or `date`.
    pub overlap: String,
    /// The day for `date`.
    pub overlap_until: String,
    /// The identifier of the secret or key to replace; empty: all of them.
    pub replaced: String,
    /// The new key, for a credential that has keys.
    pub keys: TypedKeys,
}

/// Reads the choice of an overlap: seconds, or `date` with a day.
pub fn read_overlap(choice: &str, day: &str) -> Result<Overlap, FieldError> {
    match choice {
        "" => Ok(Overlap::default()),
        "0" => Ok(Overlap::Nothing),
        "date" => Timestamp::end_of_day(day)
            .map(Overlap::Until)
            .ok_or_else(|| FieldError::new("overlap_until", "Choose the day until which both work.")),
        seconds => seconds
            .parse()
            .map(|seconds| Overlap::For(Duration::from_secs(seconds)))
            .map_err(|_| FieldError::new("overlap", "Choose one of the times.")),
    }
}

/// An action on a rotation in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ends the old secret or keys.
    Finish,
    /// Gives the old secret or keys another deadline.
    Extend,
    /// Ends the new secret or keys.
    Cancel,
}

impl Step {
    /// Reads the value of a form.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "finish" => Some(Self::Finish),
            "extend" => Some(Self::Extend),
            "cancel" => Some(Self::Cancel),
            _ => None,
        }
    }
}

/// The page: the form, or the rotation in progress. `again` shows the form in both cases.
pub async fn page(client_id: String, done: Option<&str>, again: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    if credential.is_rotating(visit.now()) && !again {
        return under_way(client_id, done, Errors::default()).await;
    }
    form(client_id, Form::default()).await
}

/// The overlaps to choose from, after `first`.
pub(crate) fn deadlines(first: Option<(&'static str, &'static str)>) -> Vec<(String, String)> {
    let times = [
        ("900", "15 minutes"),
        ("3600", "1 hour"),
        ("86400", "24 hours"),
        ("604800", "7 days"),
        ("date", "Until a date"),
    ];
    options(first.into_iter().chain(times))
}

/// The form, with the typed values and the errors.
pub async fn form(client_id: String, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    if credential.revoked_at.is_some() {
        return Err(CredentialError::Revoked.into());
    }
    if !credential.can_rotate() && credential.auth_method == AuthMethod::PrivateKeyJwt {
        let words = "The program publishes its keys: publish the new key at that address.";
        return Err(ActionError::Invalid(words.to_owned()));
    }
    let (title, lead) = match credential.auth_method {
        AuthMethod::ClientSecret => {
            ("Rotate secret", "A new secret works beside the old one until the program has moved to it.")
        }
        AuthMethod::PrivateKeyJwt => {
            ("Rotate key", "A new key works beside the old one until the program has moved to it.")
        }
        AuthMethod::Federated => return Err(CredentialError::OtherMethod.into()),
    };
    let Form { typed, errors, .. } = form;
    let limits = ExpiryLimits::of(&visit, credential.auth_method).await?;
    let key_fields =
        (credential.auth_method == AuthMethod::PrivateKeyJwt).then(|| key_with_expiry(typed.keys, &errors, limits));
    let Sides { new, others, .. } = sides(&visit.context, &credential).await?;
    let present: Vec<Side> = new.into_iter().chain(others).collect();
    let expiry = match credential.auth_method {
        // Which one is replaced is not chosen yet, and each may have another life.
        AuthMethod::ClientSecret if present.len() > 1 => {
            Some("The new secret gets the same lifetime as the replaced one.".into_any())
        }
        AuthMethod::ClientSecret => Some(match next_expiry(&visit.context, &credential).await? {
            Some(at) => {
                html! { "The new secret gets the same lifetime as the current one: it expires on "{moment(at)}"." }
            }
            None => "The new secret never expires, like the current one.".into_any(),
        }),
        _ => None,
    };
    let options = deadlines(Some(("0", "None: it stops now")));
    let fields = view! {
        {replaced_choice(present, typed.replaced, errors.at("replaced"))}
        {key_fields}
        <div class="stack dated">
            <Select id="overlap" label="Overlap" options chosen=typed.overlap otherwise="86400" error=errors.at("overlap")
                hint="How long the old secret or key still works, at most until it expires. With “None”, its tokens end too."/>
            {last_day(typed.overlap_until, &errors)}
        </div>
        {expiry.map(|words| view! { <p class="muted">{words}</p> })}
    };
    let impact = inspect::impact(&visit.context, &credential).await?;
    let facts = view! {
        <section class="panel" aria-label="What depends on it">{impact_facts(&impact, "Live tokens")}</section>
    };
    let page = FormPage::new(format!("{title}: {}", credential.name), links::rotate_credential(&client_id), title)
        .heading(title)
        .above(facts)
        .back(links::credential(&client_id), credential.name)
        .lead(lead)
        .panel(title, fields);
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// The choice of what is replaced, when there are several: another program may use each of them.
fn replaced_choice(present: Vec<Side>, chosen: String, error: Option<String>) -> Option<AnyView> {
    if present.len() < 2 {
        return None;
    }
    let now = Visit::current().now();
    let use_words = |side: &Side| match side.last_used_at {
        Some(at) => format!("last used {}", relative(at, now)),
        None => "never used".to_owned(),
    };
    let options =
        present.iter().map(|side| (side.id.as_str().to_owned(), format!("{}, {}", side.name, use_words(side))));
    let options: Vec<_> =
        options.chain([(ALL_OF_THEM.to_owned(), format!("All {}: each of them stops", present.len()))]).collect();
    let options = options_after("Choose", options);
    let hint = "The others stay as they are: another program may use them.";
    Some(html! { <Select id="replaced" label="Replace" options chosen error hint/> })
}

/// Whether a form must say what it replaces: nobody shall end a secret that another program uses without seeing it.
pub async fn needs_choice(visit: &Visit, credential: &Credential) -> Result<bool, ActionError> {
    let Sides { old, new, others } = sides(&visit.context, credential).await?;
    Ok(old.is_empty() && new.len() + others.len() > 1)
}

/// The value of the choice that replaces everything.
pub const ALL_OF_THEM: &str = "all";

/// The day of the choice “Until a date”.
pub(crate) fn last_day(value: String, errors: &Errors) -> AnyView {
    html! {
        <div class="on-date">
            <TextField id="overlap_until" label="Last day of the old secret or key" kind="date" value error=errors.at("overlap_until")
                hint="Until the end of that day, UTC. Only for “Until a date”."/>
        </div>
    }
}

/// Within this time a use counts as one of this moment.
const JUST_NOW: Duration = Duration::from_secs(3600);

/// Whether the rotation can be finished now: a tone and a text. `last_of_old` is the last use of what is replaced.
fn advice(progress: Progress, last_of_old: Option<Timestamp>, now: Timestamp) -> (&'static str, AnyView) {
    let (tone, words) = match progress {
        Progress::Broken => (
            "danger",
            "The new secret or key no longer works, and the old one ends soon. Cancel the rotation to keep the old one, or rotate again.",
        ),
        Progress::Unused => {
            ("warn", "The new secret or key was not used yet. Finishing now stops a program that uses the old one.")
        }
        Progress::Both => match last_of_old.filter(|last| last.plus(JUST_NOW) < now) {
            None => (
                "warn",
                "Both were used since the rotation began: some part of the program still uses the old secret or key.",
            ),
            Some(last) => {
                let words = html! {
                    "Both were used since the rotation began, the old one last "{distance(last)}". If every part of the "
                    "program has run since then, it is safe to finish."
                };
                return ("warn", words);
            }
        },
        Progress::Moved => (
            "ok",
            "Only the new secret or key was used since the rotation began. If every part of the program has run since then, it is safe to finish.",
        ),
    };
    (tone, words.into_any())
}

fn side_row(side: Side, place: &'static str) -> Vec<AnyView> {
    cells![
        html! { {side.name}{sub(place)} },
        distance(side.created_at),
        last_use(side.last_used_at, side.last_used_from),
        distance_or(side.end.moment(), "Never"),
    ]
}

/// A rotation in progress, with the errors of the typed values.
pub async fn under_way(client_id: String, done: Option<&str>, errors: Errors) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let sides = sides(&visit.context, &credential).await?;
    let progress = sides.progress();
    let last_of_old = sides.old.iter().filter_map(|side| side.last_used_at).max();
    let (tone, advice) = advice(progress, last_of_old, visit.now());
    let Sides { old, new, others } = sides;
    let works = !new.is_empty();
    let again = (!works).then(|| {
        let href = format!("{}?again=yes", links::rotate_credential(&client_id));
        view! { <p>{primary_link(href, "Rotate again")}</p> }
    });
    let what = if credential.auth_method == AuthMethod::PrivateKeyJwt { "key" } else { "secret" };
    let lead =
        if works { format!("The old and the new {what} both work.") } else { format!("Only the old {what} works.") };
    let back = (links::credential(&client_id), credential.name.clone());
    let rows = old.into_iter().map(|side| side_row(side, "old"));
    let rows = rows.chain(new.into_iter().map(|side| side_row(side, "new")));
    let rows = rows.chain(others.into_iter().map(|side| side_row(side, "not part of the rotation")));
    let status = errors.status();
    let by_use = secrets_by_use(&visit, &credential).await?;
    let body = view! {
        <Receipt on=On::Rotation done/>
        <ErrorSummary errors=errors.clone()/>
        {head(back, "Rotation in progress", lead, ())}
        {notice(tone, view! { <p>{advice}</p>{again} })}
        <section class="panel" aria-label="What is replaced, and by what">
            {table(["Secret or key", "Generated", "Last used", "End"], rows)}
        </section>
        {by_use}
        {steps(&credential, progress, visit.must_confirm(), &errors)}
    };
    Ok(Page::new(format!("Rotation: {}", credential.name), body).framed(Frame::Narrow).answering(status))
}

/// The actions on a rotation. `asked` says whether two of the forms ask the person to prove who they are.
fn steps(credential: &Credential, progress: Progress, asked: bool, errors: &Errors) -> AnyView {
    let safe = (progress != Progress::Broken).then_some(progress == Progress::Moved);
    let client_id = &credential.client_id;
    let is_key = credential.auth_method == AuthMethod::PrivateKeyJwt;
    let step = |word: &'static str, fields: AnyView, kind: Option<&'static str>, verb: &'static str| {
        let content = view! { {hidden("step", word)}{fields}{submit(kind, verb)} };
        post_form(links::rotation(client_id), "stack", content)
    };
    let proof = |ids: (&'static str, &'static str)| {
        // Each form has its own password field, because a browser does not send the fields of other forms.
        let hint = "This needs a confirmation from the last 5 minutes.";
        asked.then(|| view! { <ProofFields errors=errors.clone() hint ids/> })
    };
    let finish = safe.map(|safe| {
        let words = match is_key {
            true => "The old key and its tokens stop working at once.",
            false => "The old secret and its tokens stop working at once.",
        };
        let form = match safe {
            true => step("finish", ().into_any(), Some("primary"), "Finish now"),
            false => {
                let question = "A program may still need the old secret or key. Finish all the same?";
                let form = step("finish", ().into_any(), Some("danger"), "Finish now");
                ask(false, "Finish anyway…", question, form)
            }
        };
        body_panel("finish", "Finish", view! { <p class="muted">{words}</p>{form} })
    });
    let label = if is_key { "Old key stops in" } else { "Old secret stops in" };
    let extend = html! {
        <div class="stack dated">
            <Select id="deadline" label options=deadlines(None) chosen="86400" error=errors.at("overlap")
                hint="At most 90 days, and not past its own expiry."/>
            {last_day(String::new(), errors)}
        </div>
        {proof(("your_password", "your_code"))}
    };
    let cancel = proof(("your_password_to_cancel", "your_code_to_cancel")).into_any();
    let question = match progress {
        Progress::Both | Progress::Moved => "A program uses the new secret or key: it stops. Cancel all the same?",
        Progress::Unused | Progress::Broken => "The new secret or key ends. This cannot be undone.",
    };
    let cancel = ask(false, "Cancel rotation…", question, step("cancel", cancel, Some("danger"), "Cancel rotation"));
    let words = match is_key {
        true => "The new key and its tokens stop working at once. The old key stays.",
        false => "The new secret and its tokens stop working at once. The old secret stays.",
    };
    html! {
        {finish}
        {body_panel("extend", "Change the deadline", step("extend", extend, None, "Change deadline"))}
        {body_panel("cancel", "Cancel", view! { <p class="muted">{words}</p>{cancel} })}
    }
}
