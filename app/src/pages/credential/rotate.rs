//! Rotation: a new secret or key beside the present one, and the actions while both work.
//!
//! A handler of the server answers the form that starts a rotation, because the answer may show a secret.

use std::net::IpAddr;
use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::credential::rotate::Overlap;
use domain::credential::{CredentialError, inspect, keys};
use domain::model::credential::{AuthMethod, AuthenticatorEnd, Credential};
use domain::model::field_error::FieldError;
use leptos::prelude::*;

use crate::components::form::field::{ProofFields, Select, TextField};
use crate::components::form::form_page::FormPage;
use crate::components::form::proof::{KeyFields, TypedKeys};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::{ErrorSummary, Receipt};
use crate::components::table::{table, used_from};
use crate::components::time::{Moment, MomentOr};
use crate::done::On;
use crate::error::ActionError;
use crate::form::{Errors, Form};
use crate::links;
use crate::page::{Frame, Page};
use crate::pages::credential::fields::ExpiryChoice;
use crate::pages::credential::find;
use crate::visit::{Visit, signed_in};

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The overlap: seconds, or `date`.
    pub overlap: String,
    /// The day for `date`.
    pub overlap_until: String,
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
        ("date", "Until the date below"),
    ];
    first.into_iter().chain(times).map(|(value, word)| (value.to_owned(), word.to_owned())).collect()
}

/// The form, with the typed values and the errors.
pub async fn form(client_id: String, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    if credential.revoked_at.is_some() {
        return Err(CredentialError::Revoked.into());
    }
    let (title, lead) = match credential.auth_method {
        AuthMethod::ClientSecret => {
            ("Rotate secret", "A new secret works beside the present one until the program has moved to it.")
        }
        AuthMethod::PrivateKeyJwt => {
            ("Rotate key", "A new key works beside the present ones until the program has moved to it.")
        }
        AuthMethod::Federated => return Err(CredentialError::OtherMethod.into()),
    };
    let Form { typed, errors, .. } = form;
    let key_fields = (credential.auth_method == AuthMethod::PrivateKeyJwt).then(|| {
        let (chosen, day) = (typed.keys.expiry.clone(), typed.keys.expires_on.clone());
        view! {
            <KeyFields typed=typed.keys errors=errors.clone()/>
            <ExpiryChoice chosen day error=errors.at("expiry") day_error=errors.at("expires_on")/>
        }
    });
    let chosen = if typed.overlap.is_empty() { "86400".to_owned() } else { typed.overlap };
    let options = deadlines(Some(("0", "None: the old one stops now")));
    let fields = view! {
        {key_fields}
        <Select id="overlap" label="Overlap" options chosen error=errors.at("overlap")
            hint="How long the old secret or key still works, at most until its own expiry. “None” also ends its tokens."/>
        <TextField id="overlap_until" label="Last day" kind="date" value=typed.overlap_until
            error=errors.at("overlap_until") hint="For “Until the date below”: until the end of that day, UTC."/>
    };
    let page = FormPage::new(format!("{title}: {}", credential.name), links::rotate_credential(&client_id), title)
        .heading(title)
        .back(links::credential(&client_id), format!("Back to {}", credential.name))
        .lead(lead)
        .panel(title, fields);
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// One secret or key of a rotation.
struct Side {
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    last_used_from: Option<IpAddr>,
    end: AuthenticatorEnd,
}

/// The old and the new secrets or keys.
async fn sides(visit: &Visit, credential: &Credential) -> Result<(Vec<Side>, Vec<Side>), ActionError> {
    let (context, id) = (&visit.context, &credential.client_id);
    let secrets = inspect::secrets(context, id).await?.into_iter().map(|secret| Side {
        name: format!("css_…{}", secret.hint),
        created_at: secret.created_at,
        last_used_at: secret.last_used_at,
        last_used_from: secret.last_used_from,
        end: secret.end(),
    });
    let keys = keys::list(context, id).await?.into_iter().map(|key| Side {
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        last_used_from: key.last_used_from,
        end: key.end(),
        name: key.label,
    });
    let now = visit.now();
    let live = secrets.chain(keys).filter(|side| side.end.is_live(now));
    Ok(live.partition(|side| side.end.retires_at.is_some()))
}

/// Whether the rotation can be finished now: a tone and a text.
fn advice(old: &[Side], new: &[Side]) -> (&'static str, &'static str) {
    let started = new.iter().map(|side| side.created_at).max();
    let new_used = new.iter().any(|side| side.last_used_at.is_some());
    let old_used_since = old.iter().any(|side| side.last_used_at.is_some_and(|used| Some(used) >= started));
    match (new.is_empty(), new_used, old_used_since) {
        (true, ..) => (
            "danger",
            "The new one does not work any more, and the old one ends soon. Cancel to keep the old one, or rotate again.",
        ),
        (_, false, _) => ("warn", "The new one was not used yet. Finishing now would stop the program."),
        (_, true, true) => {
            ("warn", "Both were used since the rotation began: some part of the program still has the old one.")
        }
        (_, true, false) => (
            "ok",
            "Only the new one was used since the rotation began. When every part of the program has run since, it is safe to finish.",
        ),
    }
}

fn side_rows(sides: &[Side], place: &'static str) -> AnyView {
    sides
        .iter()
        .map(|side| {
            let from = used_from(side.last_used_from);
            view! {
                <tr>
                    <th scope="row">{side.name.clone()}<div class="sub">{place}</div></th>
                    <td data-label="Generated"><Moment at=side.created_at/></td>
                    <td data-label="Last used"><MomentOr at=side.last_used_at otherwise="Never"/>{from}</td>
                    <td data-label="Ends"><MomentOr at=side.end.moment() otherwise="Never"/></td>
                </tr>
            }
        })
        .collect_view()
        .into_any()
}

/// A form that consists of one button.
fn step(
    client_id: &str,
    word: &'static str,
    fields: AnyView,
    kind: Option<&'static str>,
    verb: &'static str,
) -> AnyView {
    view! {
        <form method="post" action=links::rotation(client_id) class="stack">
            <FormToken/>
            <input type="hidden" name="step" value=word/>
            {fields}
            <div class="row"><button class="button" data-kind=kind>{verb}</button></div>
        </form>
    }
    .into_any()
}

/// A rotation in progress, with the errors of the typed values.
pub async fn under_way(client_id: String, done: Option<&str>, errors: Errors) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let (old, new) = sides(&visit, &credential).await?;
    let (tone, advice) = advice(&old, &new);
    let icon = if tone == "ok" { Icon::Check } else { Icon::Warning };
    let again = new.is_empty().then(|| {
        let href = format!("{}?again=yes", links::rotate_credential(&client_id));
        view! { <p><a class="button" data-kind="primary" href=href>"Rotate again"</a></p> }
    });
    let lead = if new.is_empty() { "Only the old one works." } else { "The old one and the new one both work." };
    let status = errors.status();
    let body = view! {
        <Receipt on=On::Rotation done/>
        <ErrorSummary errors=errors.clone()/>
        <div class="head"><div>
            <a href=links::credential(&client_id)>{format!("Back to {}", credential.name)}</a>
            <h1>"Rotation in progress"</h1><p>{lead}</p>
        </div></div>
        <div class="notice" data-tone=tone><Drawing icon/><div><p>{advice}</p>{again}</div></div>
        <section class="panel" aria-label="What is replaced, and by what">
            {table(["Which", "Generated", "Last used", "Ends"], view! { {side_rows(&old, "old")}{side_rows(&new, "new")} })}
        </section>
        {steps(&client_id, !new.is_empty(), visit.must_confirm(), &errors)}
    };
    Ok(Page::new(format!("Rotation: {}", credential.name), body).framed(Frame::Narrow).answering(status))
}

/// The actions on a rotation. `works` says whether the new secret or key works. `asked` says whether two of the forms
/// ask the person to prove who they are.
fn steps(client_id: &str, works: bool, asked: bool, errors: &Errors) -> AnyView {
    let proof = |ids: (&'static str, &'static str)| {
        // Each form has its own password field, because a browser does not send the fields of other forms.
        asked.then(|| {
            let hint = "This needs a confirmation from the last 5 minutes.";
            view! { <ProofFields errors=errors.clone() hint ids/> }
        })
    };
    let finish = works.then(|| {
        view! {
            <section class="panel body" aria-labelledby="finish">
                <h2 id="finish">"Finish"</h2>
                <p class="muted">"The old one and the tokens that it made stop working at once."</p>
                {step(client_id, "finish", ().into_any(), Some("primary"), "Finish now")}
            </section>
        }
    });
    let extend = view! {
        <Select id="deadline" label="From now" options=deadlines(None) chosen="86400" error=errors.at("overlap")
            hint="Never past the old one’s own expiry."/>
        <TextField id="overlap_until" label="Last day" kind="date" error=errors.at("overlap_until")
            hint="For “Until the date below”: until the end of that day, UTC."/>
        {proof(("your_password", "your_code"))}
    }
    .into_any();
    let cancel = proof(("your_password_to_cancel", "your_code_to_cancel")).into_any();
    view! {
        {finish}
        <section class="panel body" aria-labelledby="extend">
            <h2 id="extend">"Another deadline"</h2>
            {step(client_id, "extend", extend, None, "Change deadline")}
        </section>
        <section class="panel body" aria-labelledby="cancel">
            <h2 id="cancel">"Cancel"</h2>
            <p class="muted">"The new one and the tokens that it made stop working at once; the old one goes on as before."</p>
            {step(client_id, "cancel", cancel, Some("danger"), "Cancel rotation")}
        </section>
    }
    .into_any()
}
