//! The authorization endpoint (RFC 6749 §3.1, OAuth 2.1 §4.1): a client sends a person here. The person decides, and
//! goes back to the client with a code or an error.

use serde_json::json;

use crate::base::form_body::TokenForm;
use crate::base::id::{AppClientId, PersonId};
use crate::client;
use crate::client::metadata_document::{self, DocumentError};
use crate::client::offer::{Asking, Offer};
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::consent::CODE_LIFETIME;
use crate::model::client::redirect_uri::{Destination, RedirectUri};
use crate::model::client::{AppClient, ClientKind};
use crate::model::server::McpServer;
use crate::model::token::oauth_error::OAuthErrorCode;
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Result, operation_error, through_fault};
use crate::store;
use crate::store::client::consent::Code;

/// Characters of an S256 challenge: 32 bytes in base64url (RFC 7636 §4.2).
const CHALLENGE_LENGTH: usize = 43;
const UNKNOWN_CLIENT: &str = "No client with this client_id is registered here.";
/// What a person reads when their app is stopped.
pub(super) const DISABLED: &str =
    "An administrator has disabled this app here. It can ask for access again when an administrator has enabled it.";
const UNKNOWN_URI: &str = "The redirect_uri is not one that the client registered.";

/// A valid request that waits for the person's decision.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The client that asks.
    pub client: AppClient,
    /// Where the answer goes, as the request names it. For programs on the person's computer the port may differ from
    /// the registered one (RFC 8252 §7.3).
    pub redirect_uri: RedirectUri,
    /// The client's own value, which the answer repeats.
    pub state: Option<String>,
    /// The MCP server that the client wants to use; several when the request does not say which, and the person
    /// chooses.
    pub offers: Vec<Offer>,
    challenge: String,
}

impl AuthorizationRequest {
    /// The request for the server with this identifier alone, if that is one of its servers. The page sends the
    /// identifier back, so that a person never allows another server than the one that the page showed.
    pub fn for_server(&self, id: &str) -> Option<Self> {
        let offer = self.offers.iter().find(|offer| offer.server.id.as_str() == id)?;
        Some(Self { offers: vec![offer.clone()], ..self.clone() })
    }

    /// Whether the page showed what the person would allow: see [`Offer::shown`].
    pub fn was_shown(&self, shown: &[String]) -> bool {
        self.offer().is_none_or(|offer| offer.was_shown(shown))
    }

    /// What the person decides about; `None` as long as they have not chosen a server.
    fn offer(&self) -> Option<&Offer> {
        match self.offers.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// Why a request is not shown to a person.
#[derive(Debug)]
pub enum RequestError {
    /// The client or the redirect URI is not known, so there is no redirect (§3.1.2.4). The text is for the person.
    Page(String),
    /// The person must sign in first: we fetch a client's document only for a person who is signed in.
    SignIn,
    /// The client learns the error through this address (§4.1.2.1).
    Redirect(String),
    /// The client would learn the error, but nobody vouches for the address that it named. So the person reads the
    /// error, and may follow a link.
    Link {
        /// The error, for the person.
        problem: String,
        /// Where the link leads, in a word.
        host: String,
        /// The address of the link.
        address: String,
    },
    /// A fault of ours.
    Fault(Fault),
}

through_fault!(RequestError);

operation_error! {
    /// Why a person's consent was not recorded.
    pub enum ConsentRefused {
        /// The MCP server is not open to the person's teams.
        #[error("the MCP server is not open to the teams of the person")]
        NotOpen,
        /// The person has not chosen an MCP server.
        #[error("the request is for several MCP servers")]
        NotChosen,
        /// The client is stopped, or it or its redirect URI is not registered any more. The text is for the person.
        #[error("{0}")]
        Gone(&'static str),
    }
}

/// Reads a request. `actor` is the person who is signed in, if any.
///
/// # Errors
///
/// [`RequestError`] says who gets the error: the person or the client.
pub async fn check(
    context: &Context,
    query: &[u8],
    actor: Option<&Actor>,
) -> Result<AuthorizationRequest, RequestError> {
    let page = |problem: &str| RequestError::Page(problem.to_owned());
    let form = TokenForm::parse(query).map_err(|_| page("The request is malformed, or a parameter is repeated."))?;
    let client = client_of(context, &form, actor).await?;
    let redirect_uri = match (form.get("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(asked), _) => {
            client.redirect_uri(asked).and_then(|_| RedirectUri::parse(asked)).ok_or_else(|| page(UNKNOWN_URI))?
        }
        // OAuth 2.1 §4.1.1: it may be left out if there is no choice.
        (None, [only]) => only.clone(),
        (None, _) => return Err(page("redirect_uri is missing. The client registered several.")),
    };

    let state = form.get("state");
    let refuse = |code, description: &str| {
        let address = refusal(context, &redirect_uri, state, code, description);
        if may_redirect(&client, &redirect_uri) {
            return RequestError::Redirect(address);
        }
        RequestError::Link { problem: description.to_owned(), host: redirect_uri.host(), address }
    };
    match form.get("response_type") {
        Some("code") => {}
        None => return Err(refuse(OAuthErrorCode::InvalidRequest, "response_type is missing.")),
        Some(_) => return Err(refuse(OAuthErrorCode::UnsupportedResponseType, "response_type must be code.")),
    }
    let invalid = |description| Err(refuse(OAuthErrorCode::InvalidRequest, description));
    if form.get("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("response_mode must be query.");
    }
    if form.get("request").is_some() || form.get("request_uri").is_some() {
        return invalid("Request objects are not supported.");
    }
    let challenge = match (form.get("code_challenge_method"), form.get("code_challenge")) {
        (Some("S256"), Some(challenge)) if is_challenge(challenge) => challenge.to_owned(),
        (Some("S256"), Some(_)) => return invalid("code_challenge must be 43 characters of base64url."),
        (Some("S256"), None) => return invalid("code_challenge is missing."),
        _ => return invalid("PKCE with code_challenge_method S256 is required."),
    };
    let servers = store::server::list(&context.store).await?;
    let authority = match actor {
        Some(actor) => Some(store::person::team::authority(&context.store, actor).await?),
        None => None,
    };
    let default = context.settings.default_resource.as_deref();
    let asking =
        Asking { privileges: Asking::may_get_privileges(&client, false), authority: authority.as_ref(), default };
    let offers = asking.offers(&form, &servers).map_err(|error| refuse(error.code, &error.description))?;
    let state = state.map(str::to_owned);
    Ok(AuthorizationRequest { client, redirect_uri, state, offers, challenge })
}

/// Whether an error leads to the client by itself, before a person decided anything. Otherwise anybody could register
/// any website here, and a link to this server would lead people there (RFC 9700 §4.11.2). An administrator vouches for
/// the clients that they added. An address on the person's own computer is no website: any page can open it, and a
/// program there waits for the answer.
fn may_redirect(client: &AppClient, uri: &RedirectUri) -> bool {
    client.kind == ClientKind::Registered || uri.destination() == Destination::Loopback
}

/// The client that the request names, if it is not stopped.
async fn client_of(context: &Context, form: &TokenForm, actor: Option<&Actor>) -> Result<AppClient, RequestError> {
    let client = known_client(context, form, actor).await?;
    match client.disabled_at {
        Some(_) => Err(RequestError::Page(DISABLED.to_owned())),
        None => Ok(client),
    }
}

async fn known_client(context: &Context, form: &TokenForm, actor: Option<&Actor>) -> Result<AppClient, RequestError> {
    let unknown = || RequestError::Page(UNKNOWN_CLIENT.to_owned());
    let id = form.get("client_id").and_then(AppClientId::parse).ok_or_else(unknown)?;
    if id.document().is_none() {
        let found = client::find(context, &id).await?;
        return found.filter(|client| client.removed_at.is_none()).ok_or_else(unknown);
    }
    if !context.settings.client_id_metadata_documents {
        return Err(unknown());
    }
    let actor = actor.ok_or(RequestError::SignIn)?;
    metadata_document::client(context, actor, &id).await.map_err(|error| match error {
        DocumentError::Unusable(problem) | DocumentError::Unread(problem) => {
            RequestError::Page(format!("The client_id names a document that cannot be used. {problem}"))
        }
        DocumentError::Fault(fault) => RequestError::Fault(fault),
    })
}

fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The address that brings an answer to the client. It names us as the issuer (RFC 9207).
fn answer(context: &Context, uri: &RedirectUri, state: Option<&str>, parameters: &[(&str, &str)]) -> String {
    let mut all = parameters.to_vec();
    all.extend(state.map(|state| ("state", state)));
    all.push(("iss", &context.settings.public_url));
    uri.with(&all)
}

/// The address that brings an error to the client.
fn refusal(
    context: &Context,
    uri: &RedirectUri,
    state: Option<&str>,
    code: OAuthErrorCode,
    description: &str,
) -> String {
    answer(context, uri, state, &[("error", code.as_str()), ("error_description", description)])
}

/// Whether the person has allowed these scopes of this server before, so that the page need not ask again.
pub async fn is_remembered(context: &Context, person: &PersonId, request: &AuthorizationRequest) -> Result<bool> {
    let client = &request.client;
    let Some(Offer { server, scopes }) = request.offer().filter(|_| client.remembers_consent()) else {
        return Ok(false);
    };
    let granted =
        store::client::consent::granted(&context.store, person, &client.id, &server.id, context.now()).await?;
    Ok(granted.iter().any(|granted| scopes.intersection(granted) == *scopes))
}

/// Records that the person allows the request. Returns the address that brings the code to the client.
///
/// # Errors
///
/// - [`ConsentRefused::NotOpen`] when the MCP server is not open to the person's teams. The person reads that, and then
///   [`deny`] tells the client.
/// - [`ConsentRefused::NotChosen`] when the person must choose a server first.
/// - [`ConsentRefused::Gone`] when the client was removed or stopped since [`check`], or no longer has the redirect
///   URI. A change of the redirect URIs forgets the codes that were issued before, and this one would come after it.
pub async fn allow(
    context: &Context,
    actor: &Actor,
    person: &PersonId,
    request: &AuthorizationRequest,
) -> Result<String, ConsentRefused> {
    let AuthorizationRequest { client, redirect_uri, state, challenge, .. } = request;
    let Offer { server, scopes } = request.offer().ok_or(ConsentRefused::NotChosen)?;
    let code = PlainSecret::generate_of(SecretKind::AuthorizationCode, context.random.as_ref());
    let mut change = context.begin_change().await?;
    if !is_open(&mut change, actor, server).await? {
        return Err(ConsentRefused::NotOpen);
    }
    let present = store::client::find(&mut change, &client.id).await?.filter(AppClient::is_present);
    let present = present.ok_or(ConsentRefused::Gone(UNKNOWN_CLIENT))?;
    if present.disabled_at.is_some() {
        return Err(ConsentRefused::Gone(DISABLED));
    }
    present.redirect_uri(redirect_uri.as_str()).ok_or(ConsentRefused::Gone(UNKNOWN_URI))?;
    let stored = Code {
        person: person.clone(),
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.as_str().to_owned(),
        challenge: challenge.clone(),
        server_id: server.id.clone(),
        scopes: scopes.clone(),
        expires_at: change.now().plus(CODE_LIFETIME),
        consent: None,
    };
    store::client::consent::insert_code(&mut change, &code.hash(&context.keys.pepper), &stored).await?;
    change.commit(actor, &decided(Action::GrantAllowed, request)).await?;
    Ok(answer(context, redirect_uri, state.as_deref(), &[("code", code.expose())]))
}

/// Records that the person, `actor`, denies the request, or must not allow it. Returns the address that tells the
/// client. The error is `access_denied` in both cases: "The resource owner or authorization server denied the request"
/// (RFC 6749 §4.1.2.1).
pub async fn deny(context: &Context, actor: &Actor, request: &AuthorizationRequest) -> Result<String> {
    let mut change = context.begin_change().await?;
    let is_open = match request.offer() {
        Some(offer) => is_open(&mut change, actor, &offer.server).await?,
        // The person chooses among servers that are open to them.
        None => true,
    };
    let why = match is_open {
        true => "The person did not allow it.",
        false => "This MCP server is not open to the teams of the person.",
    };
    change.commit(actor, &decided(Action::GrantDenied, request)).await?;
    let (uri, state) = (&request.redirect_uri, request.state.as_deref());
    Ok(refusal(context, uri, state, OAuthErrorCode::AccessDenied, why))
}

/// Whether the server, as it is in this transaction, is open to a team of the actor.
pub(super) async fn is_open(change: &mut Change<'_>, actor: &Actor, server: &McpServer) -> Result<bool> {
    let authority = change.authority(actor).await?;
    let servers = store::server::list(change).await?;
    Ok(servers.iter().any(|present| present.id == server.id && present.admits(&authority)))
}

/// The audit event of a person's decision. A person who chose no server denied the request for each of them.
fn decided(action: Action, request: &AuthorizationRequest) -> Event {
    let AuthorizationRequest { client, redirect_uri, offers, .. } = request;
    let servers: Vec<&str> = offers.iter().map(|offer| offer.server.resource.as_str()).collect();
    client.event(action).with(json!({
        "mcp_server": servers.join(", "),
        "scope": request.offer().map(|offer| offer.scopes.to_string()),
        "redirect_host": redirect_uri.host(),
    }))
}
