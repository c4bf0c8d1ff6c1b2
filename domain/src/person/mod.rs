//! People who sign in to the dashboard.
//!
//! | module | operation |
//! |---|---|
//! | [`setup`] | the first administrator |
//! | [`sign_in`], [`session`] | password and second step; sessions |
//! | [`second_factor`], [`passkey`] | authenticator app, recovery codes; passkeys |
//! | [`openid`] | signing in with an account at an OpenID provider |
//! | [`access`] | ending everything that gives access to an account |
//! | [`team`], [`invitation`], [`authority`] | teams, how people join them, what their roles allow |
//! | [`password_link`] | how people who lost their password set another one |
//! | [`manage`] | what administrators do with other people's accounts |

pub mod access;
pub mod authority;
pub mod invitation;
pub mod manage;
pub mod openid;
pub mod passkey;
pub mod password_link;
pub mod second_factor;
pub mod session;
pub mod setup;
pub mod sign_in;
pub mod team;

use serde_json::json;

use crate::base::id::{PersonId, SessionId};
use crate::crypto::password::Password;
use crate::model::client::consent::EndCause;
use crate::model::person::{Factors, Person, check_email, check_name};
use crate::person::access::{EndAlso, EndedAccess};
use crate::person::sign_in::{ConfirmationProof, SignInError};
use crate::prelude::{
    Action, Actor, AtField, Change, Context, Errors, Event, Fault, FieldError, Target, operation_error,
};
use crate::store::{self, StoreError};

/// The form of a new person.
#[derive(Debug)]
pub struct NewPerson {
    /// The name that is shown. When it is empty, the e-mail address is shown instead.
    pub name: String,
    /// The e-mail address with which the person signs in.
    pub email: String,
    /// The password that the person chose.
    pub password: Password,
}

operation_error! {
    /// Why a person could not be made or changed.
    pub enum PersonError: Invalid {
        /// The person does not exist, or the actor may not see them.
        #[error("there is no such person")]
        NotFound,
    }
}

/// What operations on people return.
pub type Result<T, E = PersonError> = std::result::Result<T, E>;

/// Adds an administrator.
pub async fn create_administrator(context: &Context, actor: &Actor, new: NewPerson) -> Result<Person> {
    let mut person = prepare(context, new).await?;
    (person.administrator_since, person.address_proven_at) = (Some(context.now()), Some(context.now()));
    let mut change = context.begin_change().await?;
    insert(&mut change, &person).await?;
    change.commit(actor, &created_event(&person)).await?;
    Ok(person)
}

/// Checks the form and hashes the password: all steps that need no transaction. The person is no administrator yet.
pub(crate) async fn prepare(context: &Context, new: NewPerson) -> Result<Person> {
    let email = new.email.trim().to_lowercase();
    let mut errors = Errors::default();
    errors.0.extend(check_email(&email).err());
    let name =
        if new.name.trim().is_empty() { Some(email.clone()) } else { errors.take("name", check_name(&new.name)) };
    let name = name.unwrap_or_default();
    errors.take("password", new.password.check_choice(&name, &email));
    errors.none()?;
    let now = context.now();
    Ok(Person {
        id: PersonId::generate(context.random.as_ref()),
        name,
        email,
        password: context.hashing.hash(new.password).await?,
        password_changed_at: now,
        address_proven_at: None,
        administrator_since: None,
        disabled_at: None,
        factors: Factors::default(),
    })
}

pub(crate) async fn insert(change: &mut Change<'_>, person: &Person) -> Result<()> {
    store::person::insert(change, person).await.map_err(|error| match error {
        StoreError::Conflict => FieldError::new("email", "Somebody with this email address exists already.").into(),
        error => error.into(),
    })
}

pub(crate) fn created_event(person: &Person) -> Event {
    let details = json!({ "email": person.email, "administrator": person.administrator_since.is_some() });
    person.event(Action::PersonCreated).with(details)
}

/// The person with this identifier.
pub async fn find(context: &Context, id: &PersonId) -> Result<Option<Person>, Fault> {
    Ok(store::person::find(&context.store, id).await?)
}

/// The person who signs in with this address.
pub async fn find_by_email(context: &Context, email: &str) -> Result<Option<Person>, Fault> {
    Ok(store::person::find_by_email(&context.store, &email.trim().to_lowercase()).await?)
}

/// Whether any person can administer the instance.
pub(crate) async fn has_administrator(context: &Context) -> Result<bool, Fault> {
    Ok(store::person::administrators(&context.store).await? > 0)
}

/// Gives the person another name.
pub async fn rename(context: &Context, actor: &Actor, person: &Person, name: &str) -> Result<()> {
    let name = &check_name(name).at("name")?;
    let mut change = context.begin_change().await?;
    store::person::set_name(&mut change, &person.id, name).await?;
    let event = Event::new(Action::PersonRenamed, Target::Person, person.id.as_str(), name)
        .with(json!({ "name": { "before": person.name, "after": name } }));
    Ok(change.commit(actor, &event).await?)
}

/// Sets a password for a person who has none. The caller has made sure that the person proved who they are a moment
/// ago. Every session of the person ends, except `keep`.
///
/// # Errors
///
/// [`PersonError::Invalid`] when the person has a password by now, or the new one is not acceptable.
pub async fn set_first_password(
    context: &Context,
    actor: &Actor,
    person: &Person,
    keep: &SessionId,
    new: Password,
) -> Result<EndedAccess> {
    new.check_choice(&person.name, &person.email).at("new_password")?;
    if person.has_password() {
        return Err(FieldError::new("current_password", "Enter your present password.").into());
    }
    set_password(context, actor, person, keep, new, EndAlso::default()).await
}

/// Sets a new password. First it checks a passkey, or the present password and, when the person has a second factor, a
/// code. Then every session of the person ends, except `keep`, and so do the kinds in `also`.
///
/// # Errors
///
/// [`PersonError::Invalid`] when the passkey, the present password or the code is wrong, when there were too many
/// attempts, or when the new password is not acceptable.
pub async fn change_password(
    context: &Context,
    actor: &Actor,
    person: &Person,
    keep: &SessionId,
    present: ConfirmationProof,
    new: Password,
    also: EndAlso,
) -> Result<EndedAccess> {
    new.check_choice(&person.name, &person.email).at("new_password")?;
    sign_in::confirm(context, actor, person, present).await.map_err(|error| match error {
        SignInError::Fault(fault) => fault.into(),
        SignInError::WrongCode | SignInError::TooManyCodes { .. } => FieldError::new("code", error.to_words()).into(),
        error => PersonError::from(FieldError::new("current_password", error.to_words())),
    })?;
    set_password(context, actor, person, keep, new, also).await
}

async fn set_password(
    context: &Context,
    actor: &Actor,
    person: &Person,
    keep: &SessionId,
    new: Password,
    also: EndAlso,
) -> Result<EndedAccess> {
    let stored = context.hashing.hash(new).await?;
    let now = context.now();
    let mut change = context.begin_change().await?;
    // The proof was checked against the password that `person` was read with. A change that was proved with a stolen
    // password must not land after the owner's change.
    if !store::person::set_password(&mut change, person, &stored, now).await? {
        let message = "The password was changed in the meantime. Enter the new one.";
        return Err(FieldError::new("current_password", message).into());
    }
    let ended = access::end(&mut change, person, Some(keep), also, EndCause::Person).await?;
    change.commit(actor, &person.event(Action::PersonPasswordChanged).with(ended.details())).await?;
    Ok(ended)
}
