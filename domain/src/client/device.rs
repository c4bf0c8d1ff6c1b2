//! The device grant (RFC 8628), as a person sees it: they enter the code that a program without a browser shows, read
//! who asks and where it asked from, and allow or deny it.
//!
//! The program's side is in [`crate::token::device_authorization`] and [`crate::token::grants::device_code`].

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::{AppClientId, PersonId};
use crate::client;
use crate::client::authorization::{DISABLED, is_open};
use crate::client::metadata_document::{self, DocumentError};
use crate::client::offer::{Asking, Offer};
use crate::model::client::AppClient;
use crate::model::client::consent::EndCause;
use crate::model::client::device::{DeviceRequest, DeviceState, UserCode};
use crate::prelude::{Action, Actor, Change, Context, Event, Result, Timestamp, operation_error};
use crate::store;

/// Wrong codes of one person within [`GUESS_WINDOW`].
const MOST_GUESSES: i64 = 10;
/// A count of wrong codes starts again at zero after this time.
const GUESS_WINDOW: Duration = Duration::from_secs(15 * 60);

operation_error! {
    /// Why a person cannot answer.
    pub enum DeviceError {
        /// No program waits with this code.
        #[error("no program waits with this code")]
        NotFound,
        /// The time of the code is over.
        #[error("the code has expired")]
        Expired,
        /// The request was answered before, or ended.
        #[error("the code was used before")]
        Answered,
        /// Too many wrong codes. Nothing was looked up.
        #[error("too many wrong codes")]
        TooManyGuesses {
            /// When to try again.
            retry_after: Duration,
        },
        /// The app cannot be allowed. The text is for the person.
        #[error("{0}")]
        Refused(String),
        /// The MCP server is not open to the person's teams.
        #[error("the MCP server is not open to the teams of the person")]
        NotOpen,
        /// The person has not chosen an MCP server.
        #[error("the request is for several MCP servers")]
        NotChosen,
        /// What the app would get is not what the page showed.
        #[error("the page showed something else")]
        Changed,
    }
}

/// A request that waits for the person who entered its code.
#[derive(Debug)]
pub struct WaitingDevice {
    /// The request.
    pub request: DeviceRequest,
    /// The client that asks.
    pub client: AppClient,
    /// What the person can allow; several when the request does not say which MCP server it is for.
    pub offers: Vec<Offer>,
}

/// Finds the request with the code that `person`, the actor, entered.
///
/// # Errors
///
/// [`DeviceError`] says why the person cannot answer. Only codes that no request has count as guesses.
pub async fn find(
    context: &Context,
    actor: &Actor,
    person: &PersonId,
    entered: &str,
) -> Result<WaitingDevice, DeviceError> {
    let request = look_up(context, person, entered).await?;
    match request.state(context.now()) {
        DeviceState::Waiting => {}
        DeviceState::Expired => return Err(DeviceError::Expired),
        DeviceState::Allowed | DeviceState::Denied | DeviceState::Redeemed => return Err(DeviceError::Answered),
    }
    let client = client_of(context, actor, &request.client_id).await?;
    let servers = store::server::list(&context.store).await?;
    let authority = store::person::team::authority(&context.store, actor).await?;
    let gone = || DeviceError::Refused("The MCP server that the app asked for is not here any more.".to_owned());
    let named = match &request.asked_server {
        Some(id) => Some(servers.iter().find(|server| server.id == *id).ok_or_else(gone)?),
        None => None,
    };
    let default = context.settings.default_resource.as_deref();
    let asking = Asking { privileges: Asking::may_get_privileges(&client, true), authority: Some(&authority), default };
    let offers = asking.offers_of(request.asked_scope.as_deref(), named, &servers);
    let offers = offers.map_err(|error| DeviceError::Refused(error.description.into_owned()))?;
    Ok(WaitingDevice { request, client, offers })
}

/// The request with this code. Wrong codes are counted for the person, before the look-up: of many guesses at the same
/// moment no more are looked up than of guesses one after the other.
async fn look_up(context: &Context, person: &PersonId, entered: &str) -> Result<DeviceRequest, DeviceError> {
    let (now, bucket) = (context.now(), format!("device:{person}"));
    // Read first, without a write permit: guesses must not delay a revocation.
    let counted = store::person::sign_in_count(&context.store, &bucket, now, GUESS_WINDOW).await?;
    let too_many = |started_at: Timestamp| DeviceError::TooManyGuesses {
        retry_after: started_at.plus(GUESS_WINDOW).since(now).max(Duration::from_secs(1)),
    };
    if let Some((_, started_at)) = counted.filter(|(guesses, _)| *guesses >= MOST_GUESSES) {
        return Err(too_many(started_at));
    }
    let mut transaction = context.store.begin_exchange().await?;
    let (guesses, started_at) = store::person::count_sign_in(&mut transaction, &bucket, now, GUESS_WINDOW).await?;
    if guesses > MOST_GUESSES {
        return Err(too_many(started_at));
    }
    let found = match UserCode::parse(entered) {
        Some(code) => {
            store::client::device::find_by_user_code(&mut transaction, &code.hash(&context.keys.pepper)).await?
        }
        None => None,
    };
    if found.is_some() {
        store::person::uncount_sign_in(&mut transaction, &bucket).await?;
    }
    transaction.commit().await?;
    found.ok_or(DeviceError::NotFound)
}

/// The client that asks, if it may use the device grant now.
async fn client_of(context: &Context, actor: &Actor, id: &AppClientId) -> Result<AppClient, DeviceError> {
    let refused = |text: &str| DeviceError::Refused(text.to_owned());
    let client = match id.document() {
        None => client::find(context, id).await?.filter(AppClient::is_present),
        Some(_) if !context.settings.client_id_metadata_documents => None,
        Some(_) => match metadata_document::client(context, actor, id).await {
            Ok(client) => Some(client),
            Err(DocumentError::Unusable(problem) | DocumentError::Unread(problem)) => {
                let words = format!("The client ID of the app names a document that cannot be used. {problem}");
                return Err(DeviceError::Refused(words));
            }
            Err(DocumentError::Fault(fault)) => return Err(fault.into()),
        },
    };
    let client = client.ok_or_else(|| refused("The app is not registered here any more."))?;
    if client.disabled_at.is_some() {
        return Err(refused(DISABLED));
    }
    match client.device_grant_since {
        Some(_) => Ok(client),
        None => Err(refused("The app did not register for signing in on a device.")),
    }
}

/// Records that the person allows the request with the code that they `entered`: the access to `server`, which the page
/// showed. Returns what they allowed. `shown`: see [`Offer::shown`].
///
/// # Errors
///
/// Those of [`find`], [`DeviceError::NotOpen`], [`DeviceError::Changed`], and [`DeviceError::NotChosen`] when `server`
/// is none of the servers of the request.
pub async fn allow(
    context: &Context,
    actor: &Actor,
    person: &PersonId,
    entered: &str,
    server: &str,
    shown: &[String],
) -> Result<(AppClient, Offer), DeviceError> {
    let WaitingDevice { request, client, offers } = find(context, actor, person, entered).await?;
    let offer = offers.into_iter().find(|offer| offer.server.id.as_str() == server).ok_or(DeviceError::NotChosen)?;
    if !offer.was_shown(shown) {
        return Err(DeviceError::Changed);
    }
    let mut change = context.begin_change().await?;
    if !is_open(&mut change, actor, &offer.server).await? {
        return Err(DeviceError::NotOpen);
    }
    let (id, now) = (&offer.server.id, change.now());
    if !store::client::device::allow(&mut change, &request.hash, person, id, &offer.scopes, now).await? {
        return Err(DeviceError::Answered);
    }
    let details = json!({ "mcp_server": offer.server.resource, "scope": offer.scopes.to_string() });
    change.commit(actor, &decided(Action::GrantAllowed, &client, &request, details)).await?;
    Ok((client, offer))
}

/// Records that the person denies the request, or must not allow it. Returns the client, which learns `access_denied`.
///
/// # Errors
///
/// Those of [`find`].
pub async fn deny(
    context: &Context,
    actor: &Actor,
    person: &PersonId,
    entered: &str,
) -> Result<AppClient, DeviceError> {
    let WaitingDevice { request, client, offers } = find(context, actor, person, entered).await?;
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::client::device::deny(&mut change, &request.hash, person, now).await? {
        return Err(DeviceError::Answered);
    }
    let servers: Vec<&str> = offers.iter().map(|offer| offer.server.resource.as_str()).collect();
    let details = json!({ "mcp_server": servers.join(", ") });
    change.commit(actor, &decided(Action::GrantDenied, &client, &request, details)).await?;
    Ok(client)
}

/// The audit event of a person's decision. It says that a device asked, and from where.
fn decided(action: Action, client: &AppClient, request: &DeviceRequest, mut details: Value) -> Event {
    details["device"] = json!(true);
    details["asked_from"] = json!(request.asked_from);
    client.event(action).with(details)
}

/// Ends a request whose device code a person found in a text: of a person who may see all, or of the person who allowed
/// it. `hash` is [`DeviceRequest::hash`].
///
/// # Errors
///
/// [`DeviceError::NotFound`] when there is no such request that this person may end.
pub async fn end(context: &Context, actor: &Actor, hash: &str) -> Result<(), DeviceError> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let found = store::client::device::find(&mut change, hash).await?;
    let may_end = |request: &DeviceRequest| {
        authority.person().is_ok_and(|seen| seen.is_none() || seen == request.person.as_ref())
    };
    let request = found.filter(may_end).ok_or(DeviceError::NotFound)?;
    Ok(end_in(change, actor, &request, None).await?)
}

/// Ends a request after its device code was found at `place` and reported.
pub(crate) async fn end_leaked(
    context: &Context,
    actor: &Actor,
    request: &DeviceRequest,
    place: Option<&str>,
) -> Result<()> {
    end_in(context.begin_change().await?, actor, request, place).await
}

/// Ends the request in a change that has begun, and commits the change if there was something to end.
async fn end_in(mut change: Change<'_>, actor: &Actor, request: &DeviceRequest, place: Option<&str>) -> Result<()> {
    let now = change.now();
    if !store::client::device::end(&mut change, &request.hash, now).await? {
        return Ok(());
    }
    // Nobody may have read the document of the client yet. Then nobody allowed it anything, either.
    let Some(client) = store::client::find(&mut change, &request.client_id).await? else {
        return Ok(change.commit_without_event().await?);
    };
    let details = json!({ "cause": EndCause::Leaked.as_str(), "found_at": place });
    let mut event = decided(Action::GrantDenied, &client, request, details);
    event.person = request.person.clone();
    client::commit(change, actor, &client, &event).await
}
