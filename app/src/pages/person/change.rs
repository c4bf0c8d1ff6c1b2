//! Changing a person: the question before each change, with what it takes away.

use domain::credential::inspect;
use domain::model::person::Person;
use domain::person::access::{self, EndAlso};
use domain::person::manage::{self, Listed};
use domain::person::session;

use crate::components::sessions::{end_also, end_tokens_also};
use crate::pages::person::people::{find, team_roles};
use crate::pages::team::only_manager_of;
use crate::prelude::*;

macro_rules! changes {
    ($($(#[$doc:meta])* $change:ident = $word:literal, $done:ident, $verb:literal, $takes:literal: $title:literal $words:literal;)*) => {
        /// A change that an administrator makes to a person.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Change {
            $($(#[$doc])* $change,)*
        }

        impl Change {
            /// The value in forms and addresses.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$change => $word,)* }
            }

            /// Whether an incident cannot wait for the password of the administrator.
            pub fn is_urgent(self) -> bool {
                matches!(self, Self::Disabled | Self::AccessEnded)
            }

            /// The receipt of the change.
            pub fn done(self) -> Done {
                match self { $(Self::$change => Done::$done,)* }
            }

            /// Reads a value of a form or address.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$change),)*
                    _ => None,
                }
            }

            /// The question before it: title, text, button, and whether it takes something away from the person.
            fn question(self, name: &str) -> (String, &'static str, &'static str, bool) {
                match self { $(Self::$change => (format!($title, name = name), $words, $verb, $takes),)* }
            }
        }
    };
}

// The word, the receipt, the button, whether it takes something away; then the title and the text of its question.
changes! {
    /// Shut the person out.
    Disabled = "disabled", PersonDisabled, "Disable person", true: "Disable {name}?"
        "Their sessions, connected apps and personal tokens end now. They cannot sign in, and the invitations they sent are \
         withdrawn. The credentials they generated belong to their team and stay: to end them too, use “Revoke everything \
         from this person”.";
    /// Let the person in again.
    Enabled = "enabled", PersonEnabled, "Enable person", false: "Enable {name}?"
        "They can sign in again, with the roles they have.";
    /// Make the person an administrator.
    Administrator = "administrator", PersonAdministrator, "Make administrator", false:
        "Make {name} an administrator?"
        "They see and do everything, in every team: people, settings, the emergency stop.";
    /// Take the role of administrator from the person.
    Person = "person", PersonNoAdministrator, "Remove as administrator", true: "Remove {name} as administrator?"
        "Their roles in teams stay. The invitations they sent are withdrawn.";
    /// End the sessions of the person, their tokens and their apps.
    AccessEnded = "access-ended", PersonSessionsEnded, "End access", true: "End the access of {name}?"
        "Every browser of this person is signed out now. They can sign in again: to prevent that, disable them.";
    /// Remove the second factor that the person lost.
    SecondFactorRemoved = "second-factor-removed", PersonSecondFactorRemoved, "Remove second factor", true:
        "Remove the second factor of {name}?"
        "For a person who lost it, after you have checked who is asking. Their authenticator app, passkeys and recovery codes \
         stop working and their sessions end now. Until they set up a new factor, their password alone signs them in.";
    /// Disconnect the account at the OpenID provider that the person signed in with.
    OpenIdDisconnected = "openid-disconnected", PersonDisconnected, "Disconnect OpenID account", true:
        "Disconnect the OpenID account of {name}?"
        "They can no longer sign in with their account at the provider, and their sessions end now. Their password stays, and \
         they can connect an account again.";
}

/// The actions of an administrator on another person. Each leads to its question.
pub(super) fn actions(person: &Person, has_openid: bool) -> AnyView {
    let change = |to: Change, words: &'static str, kind: Option<&'static str>| {
        let href = format!("{}?to={}", links::change_person(&person.id), to.as_str());
        html! { <a class="button" data-kind=kind href=href>{words}</a> }
    };
    let (disabled, administers) = (person.disabled_at.is_some(), person.administrator_since.is_some());
    let administration = match (disabled, administers) {
        (true, _) => None,
        (false, true) => Some(change(Change::Person, "Remove as administrator", None)),
        (false, false) => Some(change(Change::Administrator, "Make administrator", None)),
    };
    let shut = if disabled {
        change(Change::Enabled, "Enable", Some("primary"))
    } else {
        change(Change::Disabled, "Disable", None)
    };
    let reset = person.factors.any().then(|| change(Change::SecondFactorRemoved, "Remove second factor", None));
    let disconnect = has_openid.then(|| change(Change::OpenIdDisconnected, "Disconnect OpenID account", None));
    let rename = button_link(links::rename_person(&person.id), "Rename");
    let password = (!disabled).then(|| button_link(links::password_link_for(&person.id), "Password link"));
    html! { <div class="row">{rename}{password}{disconnect}{reset}{administration}{shut}</div> }
}

/// The page that asks before a person is changed. Without a value it asks about shutting the person out, or about
/// letting them in again.
pub async fn change_page(id: String, form: Form<TypedChange>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let usual = if listed.person.disabled_at.is_some() { Change::Enabled } else { Change::Disabled };
    let Form { typed, errors, .. } = form;
    let to = typed.to.unwrap_or(usual);
    let name = listed.person.name.clone();
    let (title, words, verb, is_danger) = to.question(&name);
    let facts = facts(&visit, to, &listed).await?;
    let words = view! {
        <section class="panel body" id="person" tabindex="-1" aria-label="What happens"><p>{words}</p>{facts}</section>
    };
    let mut page = FormPage::new(title, links::change_person(&id), verb)
        .back(links::person(&id), name.clone())
        .hidden("to", to.as_str())
        .fields(words);
    if to == Change::SecondFactorRemoved {
        let (value, error) = (typed.reason, errors.at("reason"));
        let hint = "Optional. Shown in the audit log.";
        page = page.panel("Why", view! { <TextField id="reason" label="Reason" value hint error/> });
    }
    let held = access::count(&visit.context, &listed.person.id).await?;
    if to == Change::OpenIdDisconnected {
        page = page.panel("What else ends", end_also("ends", held, typed.ends));
    }
    if to == Change::AccessEnded && held.personal_tokens + held.apps > 0 {
        page = page.panel("What else ends", end_tokens_also("ends", held, typed.ends));
    }
    if matches!(to, Change::Disabled | Change::AccessEnded) {
        page = page.quiet();
    } else if is_danger {
        page = page.danger();
    }
    Ok(page.confirm(!to.is_urgent() && visit.must_confirm()).page(errors))
}

/// What the change touches, in numbers and names.
async fn facts(visit: &Visit, to: Change, listed: &Listed) -> Result<AnyView, ActionError> {
    let person = &listed.person;
    let sessions = session::list(&visit.context, &person.id).await?.len();
    let signed_in = || format!("Ends now: {}.", counted(sessions, "session", "sessions"));
    let roles = match listed.teams.is_empty() {
        true => format!("{} is in no team.", person.name),
        false => format!("Roles in teams: {}.", team_roles(listed)),
    };
    Ok(match to {
        Change::Disabled => shut_out(visit, listed, sessions).await?,
        Change::Enabled | Change::Person | Change::Administrator => html! { <p>{roles}</p> },
        Change::AccessEnded | Change::SecondFactorRemoved | Change::OpenIdDisconnected => {
            html! { <p>{signed_in()}</p> }
        }
    })
}

/// What ends when the person is disabled, and what then needs another owner.
async fn shut_out(visit: &Visit, listed: &Listed, sessions: usize) -> Result<AnyView, ActionError> {
    let person = &listed.person;
    let teams: Vec<_> = listed.teams.iter().map(|own| own.team.clone()).collect();
    let alone = only_manager_of(visit, &person.id, &teams).await?;
    let alone = (!alone.is_empty()).then(|| {
        let has = if alone.len() == 1 { "has" } else { "have" };
        let words = format!(
            "{} {has} no other manager. Only administrators will be able to edit its credentials.",
            alone.join(", ")
        );
        view! { <p>{words}</p> }
    });
    let held = access::count(&visit.context, &person.id).await?;
    let (_, owned) = inspect::owned_by(&visit.context, &person.id, 1).await?;
    let known = manage::secrets_known_to(&visit.context, &person.id).await?.len();
    let known = (known > 0).then(|| {
        let words = counted(known, "secret that works", "secrets that work");
        view! { <p>{format!("{} knows {words}. Rotate them on the next page.", person.name)}</p> }
    });
    let ends = [
        counted(sessions, "session", "sessions"),
        counted(held.apps, "connected app", "connected apps"),
        counted(held.personal_tokens, "personal token", "personal tokens"),
    ];
    let owned = (owned > 0).then(|| {
        let words = counted(owned, "credential", "credentials");
        view! { <p>{format!("{} owns {words}. Give them to somebody else on the next page.", person.name)}</p> }
    });
    Ok(html! { <p>{format!("Ends now: {}.", ends.join(", "))}</p>{alone}{owned}{known} })
}

/// What was chosen and typed to change a person.
#[derive(Debug, Clone, Default)]
pub struct TypedChange {
    /// The change.
    pub to: Option<Change>,
    /// The reason.
    pub reason: String,
    /// What else ends.
    pub ends: Option<EndAlso>,
}

/// The form for another name of a person. It holds a name that was not accepted.
pub async fn rename_page(id: String, form: Form<Option<String>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let person = find(&visit, &id).await?.person;
    let Form { typed, errors, .. } = form;
    let value = typed.unwrap_or_else(|| person.name.clone());
    let page = FormPage::new(format!("Rename {}", person.name), links::rename_person(&id), "Save name")
        .back(links::person(&id), person.name.clone())
        .lead("Entries in the activity log keep the old name.");
    let field = view! { <TextField id="name" label="Name" value required=true error=errors.at("name")/> };
    Ok(page.panel("Name", field).page(errors))
}
