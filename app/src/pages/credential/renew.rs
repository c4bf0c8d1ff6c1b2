//! New secrets for several credentials, which one text leaked or which are ticked in the list. The page asks
//! once and shows the secrets once.

use domain::base::clock::Timestamp;
use domain::base::text::csv_cell;
use domain::credential::CredentialError;
use domain::credential::generate::Generated;
use domain::credential::several::renew::{Renewal, Renewed};
use domain::model::credential::{AuthMethod, Credential, Status};
use domain::model::field_error::FieldError;
use domain::model::person::team::Team;
use domain::person::team;

use crate::components::reveal::{identifier_field, secret_field};
use crate::pages::credential::rotate::{deadlines, last_day, read_overlap};
use crate::pages::credential::{find, read_ids};
use crate::pages::message::message;
use crate::prelude::*;

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Client IDs, separated by spaces.
    pub client_ids: String,
    /// `rotate` or `replace`.
    pub how: String,
    /// How long the old secrets still work.
    pub overlap: String,
    /// The day for `date`.
    pub overlap_until: String,
    /// The query of the list in which they were ticked; absent after a leak.
    pub list: Option<String>,
}

impl Typed {
    /// Converts the fields to the input of the domain rules.
    pub fn renewal(&self) -> Result<Renewal, FieldError> {
        match self.how.as_str() {
            "replace" => Ok(Renewal::Replace),
            _ => read_overlap(&self.overlap, &self.overlap_until).map(Renewal::Rotate),
        }
    }

    fn replaces(&self) -> bool {
        self.how == "replace"
    }

    /// Where the form came from: its address and its name.
    fn origin(&self) -> (String, &'static str) {
        match &self.list {
            Some(list) => (links::credentials_of_query(list), "Credentials"),
            None => (links::LEAKS.to_owned(), "Leaks"),
        }
    }
}

/// The page that asks first: the names, the overlap, and the password when that is due.
pub async fn page(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let mut credentials = Vec::new();
    for client_id in read_ids(typed.client_ids.split_whitespace())? {
        credentials.push(find(&visit, client_id.as_str()).await?);
    }
    let (possible, others): (Vec<_>, Vec<_>) =
        credentials.into_iter().partition(|credential| credential.auth_method == AuthMethod::ClientSecret);
    if possible.is_empty() {
        return Err(ActionError::Invalid(
            "None of these credentials has a secret. Change their keys or identities one by one.".to_owned(),
        ));
    }
    let (now, replaces) = (visit.now(), typed.replaces());
    let stays = |credential: &Credential| why_none(credential, replaces, now);
    let able = possible.iter().filter(|credential| stays(credential).is_none()).count();
    let is_under_way =
        |credential: &&Credential| !replaces && credential.revoked_at.is_none() && credential.is_rotating(now);
    let under_way = possible.iter().filter(is_under_way).map(|credential| credential.client_id.to_string());
    let under_way: Vec<String> = under_way.collect();
    let count = match able == possible.len() {
        true => counted(able, "secret", "secrets"),
        false => format!("{able} of {}", counted(possible.len(), "secret", "secrets")),
    };
    let leaked = typed.list.is_none();
    let (title, words, verb) = question(&typed, able, &count);
    let exposed = possible.iter().filter(|credential| credential.status(now) == Status::Leaked).count();
    let exposed = (!leaked && !replaces && exposed > 0).then(|| {
        let words = format!(
            "{} that still work. Anyone who has a leaked secret can use it until the overlap ends: choose “None”, or \
             revoke them.",
            counted(exposed, "leaked credential", "leaked credentials")
        );
        notice("danger", view! { <p>{words}</p> })
    });
    let overlap = (!typed.replaces() && able > 0).then(|| {
        let options = deadlines(Some(("0", "None: the old secrets stop now")));
        let hint = if leaked { "Anyone who has the text can use the old secrets for this long." } else { "" };
        view! {
            <div class="stack dated">
                <Select id="overlap" label="Overlap" options chosen=typed.overlap.clone()
                    otherwise=if leaked { "900" } else { "86400" } error=errors.at("overlap") hint=hint/>
                {last_day(typed.overlap_until.clone(), &errors)}
            </div>
        }
    });
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let names = selected(possible.into_iter().map(|credential| (stays(&credential), credential)), &teams, now);
    let under_way = (!under_way.is_empty()).then(|| {
        let finish = links::several("finish", &under_way);
        view! { <p><a href=finish>"Finish the rotations that are under way"</a></p> }
    });
    let left_out = (!others.is_empty()).then(|| {
        let names: Vec<String> = others.iter().map(|credential| credential.name.clone()).collect();
        view! { <p class="muted">{format!("Left out, because they have no secret: {}.", names.join(", "))}</p> }
    });
    let (back, words_of_back) = typed.origin();
    let address = if leaked { links::RENEW } else { links::RENEW_SEVERAL };
    let page = FormPage::new(title, address, verb)
        .back(back, words_of_back)
        .lead(words)
        .hidden("client_ids", typed.client_ids)
        .hidden("how", typed.how)
        .hidden("confirmed", "yes");
    let page = typed.list.into_iter().fold(page, |page, list| page.hidden("list", list));
    let page =
        page.above(exposed).fields(view! { <section class="panel" aria-label="What is selected">{names}</section> });
    let page = match (left_out, under_way, overlap) {
        (None, None, None) => page,
        (left_out, under_way, overlap) => page.panel("What happens", view! { {left_out}{under_way}{overlap} }),
    };
    let page = if able == 0 { page.without_button() } else { page };
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// Title, lead and button.
fn question(typed: &Typed, able: usize, count: &str) -> (String, &'static str, &'static str) {
    if typed.replaces() {
        let lead = "Each new credential has the settings of the one it replaces and expires in 90 days. The leaked credentials keep working until you revoke them.";
        return (format!("Generate {count} for new credentials?"), lead, "Generate replacements");
    }
    let lead = match typed.list {
        None => "Each gets a second secret. The leaked secrets work until the overlap ends.",
        Some(_) => "Each gets a second secret. The old secrets work until the overlap ends.",
    };
    match able {
        0 => ("No secret can be rotated now".to_owned(), "", "Rotate secrets"),
        _ => (format!("Rotate {count}?"), lead, "Rotate secrets"),
    }
}

/// Why the credential gets no new secret.
fn why_none(credential: &Credential, replaces: bool, now: Timestamp) -> Option<&'static str> {
    match replaces {
        true => None,
        false if credential.revoked_at.is_some() => Some("it is revoked"),
        false if credential.is_rotating(now) => Some("a rotation is under way"),
        false => None,
    }
}

/// The credentials, each with its team, and why it gets no new secret.
fn selected(
    credentials: impl Iterator<Item = (Option<&'static str>, Credential)>,
    teams: &[Team],
    now: Timestamp,
) -> AnyView {
    let row = |(stays, credential): (Option<&'static str>, Credential)| {
        let stays = stays.map(|why| sub(format!("No new secret: {why}")));
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        let status = credential_status(&credential, now);
        cells![
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name}</a>{stays} },
            status,
            team,
            html! { <code>{credential.client_id.to_string()}</code> },
            distance_or(credential.last_used_at, "Never used"),
        ]
    };
    table(["Name", "Status", "Team", "Client ID", "Last used"], credentials.map(row))
}

/// The new secrets. The answer to the form that made them is the only place where they appear.
pub fn reveal(typed: &Typed, renewed: Vec<Renewed>) -> Page {
    let made = renewed.iter().filter(|one| one.result.is_ok()).count();
    let have = if renewed.len() == 1 { "credential has" } else { "credentials have" };
    let lead = format!("{made} of {} {have} a new secret.", renewed.len());
    let (back, words_of_back) = typed.origin();
    if made == 0 {
        let lines =
            renewed.into_iter().filter_map(|one| Some(format!("{}: {}", one.credential.name, why(one.result.err()?))));
        return message(409, "No new secret", lines.collect::<Vec<_>>().join(" "), (back, words_of_back));
    }
    let new: Vec<&Generated> = renewed.iter().filter_map(|one| one.result.as_ref().ok()).collect();
    let table = as_table(&new);
    let later = (!typed.replaces()).then(|| {
        let ids: Vec<String> = new.iter().map(|generated| generated.credential.client_id.to_string()).collect();
        let finish = links::several("finish", &ids);
        view! {
            <p class="muted">
                "When the programs use the new secrets: "<a href=finish>"finish these rotations"</a>
                ". The page says which programs have moved."
            </p>
        }
    });
    let panels = renewed.into_iter().enumerate().map(|(number, one)| secret_panel(number, one)).collect_view();
    Reveal::new("Save your new client secrets", None, back)
        .lead(lead)
        .if_lost("If a secret is lost, rotate that credential again.")
        .inside((made > 1).then(|| all_together(table)))
        .inside(panels)
        .inside(later)
        .stored("I have stored these secrets")
        .page()
}

/// The new secrets as CSV.
fn as_table(new: &[&Generated]) -> String {
    let line = |generated: &&Generated| {
        let credential = &generated.credential;
        let secret = generated.secret.as_ref().map(|secret| secret.expose()).unwrap_or_default();
        format!("{},{},{secret}\n", csv_cell(&credential.name), csv_cell(credential.client_id.as_str()))
    };
    let lines: String = new.iter().map(line).collect();
    format!("name,client_id,client_secret\n{lines}")
}

/// All secrets in one text, to copy or to save at once.
fn all_together(table: String) -> AnyView {
    html! {
        <section class="panel body" aria-labelledby="together">
            <h2 id="together">"All secrets as CSV"</h2>
            <div class="row">
                <button type="button" class="button needs-script" data-copy="csv"><Drawing icon=Icon::Copy/><span>"Copy all"</span></button>
                <a class="button needs-script" data-stored="" download="secrets.csv">"Save as a file"</a>
            </div>
            <details>
                <summary>"Show the text"</summary>
                <textarea id="csv" readonly=true rows="6" data-secret="" data-all="" autocomplete="off" spellcheck="false"
                    aria-labelledby="together">{table}</textarea>
            </details>
        </section>
    }
}

fn secret_panel(number: usize, one: Renewed) -> AnyView {
    let name = one.credential.name;
    let fields = match one.result {
        Ok(generated) => {
            let plain = generated.secret.map(|secret| secret.expose().to_owned()).unwrap_or_default();
            let id = generated.credential.client_id.to_string();
            let old = generated.credential.rotation_ends_at.map(|until| {
                view! { <p class="muted">"The old secret works until "{moment(until)}"."</p> }
            });
            html! {
                {identifier_field(format!("id-{number}"), "Client ID", Some(&name), id)}
                {secret_field(format!("secret-{number}"), "Client secret", Some(&name), plain)}
                {old}
            }
        }
        Err(error) => html! { <p>{why(error)}</p> },
    };
    html! { <section class="panel body" aria-label=name.clone()><h2>{name.clone()}</h2>{fields}</section> }
}

/// Why a credential got no new secret.
fn why(error: CredentialError) -> String {
    let words = match error {
        CredentialError::OtherMethod => "No new secret: this credential has no secret.",
        CredentialError::RotationUnderWay => "No new secret: a rotation is under way. Finish or cancel it first.",
        CredentialError::NeedsApproval => "No new secret: a manager of the team must approve it first.",
        CredentialError::Revoked => "No new secret: this credential is revoked.",
        CredentialError::AlreadySubmitted(_) => "This form was sent before. Its new secret was shown then.",
        CredentialError::NotFound | CredentialError::Forbidden => "No new secret: your role does not allow it.",
        CredentialError::Invalid(errors) => {
            let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            return format!("No new secret. {}", messages.join(" "));
        }
        CredentialError::Fault(fault) => {
            tracing::error!(%fault, "a credential could not be renewed");
            "No new secret: the database does not answer. Try again for this one."
        }
    };
    words.to_owned()
}
