//! The device authorization endpoint (RFC 8628 §3.1): a program without a browser asks, and gets two codes. It shows
//! one to its person, and waits with the other one at the token endpoint ([`crate::token::grants::device_code`]).

use crate::base::form_body::TokenForm;
use crate::base::id::AppClientId;
use crate::client::metadata_document;
use crate::client::offer::Asking;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::AppClient;
use crate::model::client::device::{DEVICE_CODE_LIFETIME, DeviceRequest, UserCode};
use crate::model::origin::Origin;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::prelude::{Context, Fault};
use crate::store;
use crate::token::client_authentication::presented::Presented;
use crate::token::client_authentication::{AuthenticatedClient, ServedClients, authenticate};

/// The most requests of one client that wait for a person at the same time, in all and from one address. Anybody can
/// ask with the name of a public client, and must not keep its own program out.
const MOST_WAITING: i64 = 1000;
const MOST_WAITING_OF_ONE: i64 = 20;
/// After how many seconds a client with too many requests may ask again.
const WAIT: u64 = 60;
/// The longest `scope`, in bytes: it is stored.
const LONGEST_SCOPE: usize = 2000;

/// The codes of a request (RFC 8628 §3.2).
pub struct DeviceAuthorization {
    /// The code with which the program fetches the token.
    pub device_code: PlainSecret,
    /// The code that the person enters.
    pub user_code: UserCode,
}

/// Who asks.
pub(super) enum Asker {
    /// A client that is stored, and that may use the device grant.
    Known(Box<AuthenticatedClient>),
    /// A client whose document was not read, or a public one whose document was not read within the last hour. The
    /// document is read when a person who is signed in enters the code: strangers must not make this server send
    /// requests. Until then nobody knows the keys of such a client, so an assertion counts as its name.
    Unread(AppClientId),
}

impl Asker {
    /// The client of the request, if it may use the device grant.
    ///
    /// # Errors
    ///
    /// `unsupported_grant_type` when the operator has turned the grant off, `unauthorized_client` when the client did
    /// not register for it or is a credential, `invalid_client` when it does not prove itself.
    pub(super) async fn of(context: &Context, presented: Presented, form: &TokenForm) -> Result<Self> {
        if !context.settings.device_grant {
            return Err(OAuthError::new(OAuthErrorCode::UnsupportedGrantType, "The device grant is off here."));
        }
        if let Some(id) = unread(context, &presented, form).await? {
            return Ok(Self::Unread(id));
        }
        let client = authenticate(context, presented, form, ServedClients::Interactive).await?;
        let client = client.interactive(context).await?;
        match client.device_grant_since {
            Some(_) => Ok(Self::Known(Box::new(client))),
            None => Err(OAuthError::unauthorized_client()),
        }
    }

    /// The identifier of the client.
    pub(super) fn id(&self) -> &AppClientId {
        match self {
            Self::Known(client) => &client.id,
            Self::Unread(id) => id,
        }
    }

    fn may_get_privileges(&self) -> bool {
        match self {
            Self::Known(client) => Asking::may_get_privileges(client, true),
            Self::Unread(_) => false,
        }
    }
}

/// The client that the request names, if a document describes it that must be read before anybody knows whether the
/// client may use the device grant.
async fn unread(context: &Context, presented: &Presented, form: &TokenForm) -> Result<Option<AppClientId>, Fault> {
    let id = match presented {
        Presented::Nothing | Presented::Assertion => presented.named_app(form),
        Presented::Secret(_) | Presented::Malformed(_) => None,
    };
    let id = id.filter(|id| id.document().is_some());
    let Some(id) = id.filter(|_| context.settings.client_id_metadata_documents) else { return Ok(None) };
    let known = store::client::find(&context.store, &id).await?;
    // What was read before still counts if it fits what the client presents.
    let fits = |client: &AppClient| match presented {
        Presented::Assertion => client.key_source().is_some(),
        _ => client.device_grant_since.is_some() && client.key_source().is_none(),
    };
    let is_read =
        |client: &AppClient| fits(client) || metadata_document::is_fresh(client, context.now()) || !client.is_served();
    Ok((!known.as_ref().is_some_and(is_read)).then_some(id))
}

/// Takes a request of a program without a browser. `origin` is where it came from. The authorization endpoint would
/// offer the same MCP server and scopes; if there are several servers, the person chooses.
///
/// # Errors
///
/// Those of the client; `invalid_target` and `invalid_scope` as at the authorization endpoint; and
/// [`OAuthErrorCode::TooManyRequests`] when too many requests of the client wait.
pub async fn request(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    origin: &Origin,
) -> Result<DeviceAuthorization> {
    let asker = Asker::of(context, presented, form).await?;
    let scope = form.get("scope");
    if scope.is_some_and(|scope| scope.len() > LONGEST_SCOPE) {
        return Err(OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is longer than 2000 bytes."));
    }
    let servers = store::server::list(&context.store).await?;
    let default = context.settings.default_resource.as_deref();
    let offers = Asking { privileges: asker.may_get_privileges(), authority: None, default }.offers(form, &servers)?;
    let named = offers.first().filter(|_| form.resources().next().is_some());
    let random = context.random.as_ref();
    let device_code = PlainSecret::generate_of(SecretKind::DeviceCode, random);
    let user_code = UserCode::generate(random);
    let mut change = context.begin_change().await?;
    if let Asker::Known(client) = &asker {
        client.check(&mut change).await?;
    }
    let now = change.now();
    let address = origin.address.map(|address| address.to_string());
    let (id, from) = (asker.id(), address.as_deref());
    let of_one = store::client::device::count_waiting(&mut change, id, from, now, MOST_WAITING_OF_ONE).await?;
    let waiting = store::client::device::count_waiting(&mut change, id, None, now, MOST_WAITING).await?;
    if waiting >= MOST_WAITING || from.is_some() && of_one >= MOST_WAITING_OF_ONE {
        let code = OAuthErrorCode::TooManyRequests { seconds: WAIT };
        return Err(OAuthError::new(code, "Too many requests of this client wait for a person. Wait a little."));
    }
    let request = DeviceRequest {
        hash: device_code.hash(&context.keys.pepper).as_str().to_owned(),
        client_id: asker.id().clone(),
        asked_scope: scope.map(str::to_owned),
        asked_server: named.map(|offer| offer.server.id.clone()),
        asked_from: address,
        agent: origin.agent.clone(),
        created_at: now,
        expires_at: now.plus(DEVICE_CODE_LIFETIME),
        person: None,
        server_id: None,
        scopes: None,
        allowed_at: None,
        denied_at: None,
        consent: None,
    };
    store::client::device::insert(&mut change, &request, &user_code.hash(&context.keys.pepper)).await?;
    change.commit_without_event().await?;
    Ok(DeviceAuthorization { device_code, user_code })
}
