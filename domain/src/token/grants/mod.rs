//! Grant types, one module each. The grants of credentials share `issue`: the ledger gets a proof and the request, and
//! answers with a token or a refusal. The grants of clients that act for people share `redemption`.

pub mod authorization_code;
pub mod client_credentials;
pub mod device_code;
pub mod jwt_bearer;
mod redemption;
pub mod refresh_token;

use crate::base::form_body::TokenForm;
use crate::base::id::{AppClientId, ClientId};
use crate::base::word_enum::word_enum;
use crate::context::Context;
use crate::model::client::refusal::AppRefusal;
use crate::model::credential::usage::RefusalDetail;
use crate::model::origin::Origin;
use crate::model::server::resource;
use crate::model::server::scope::Scopes;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::model::token::{ClientProof, Refusal, RequestedResource, RequestedScope, TokenRequest};
use crate::services::ledger::rules::LedgerError;
use crate::token::access_token::{self, AccessToken};
use crate::token::assertion::{AssertionError, ClaimMismatch};

word_enum! {
    /// The grants that the token endpoint offers, in the order of the metadata.
    pub enum GrantType {
        /// RFC 6749 §4.4.
        ClientCredentials = "client_credentials",
        /// OAuth 2.1 §4.1.
        AuthorizationCode = "authorization_code",
        /// OAuth 2.1 §4.3.
        RefreshToken = "refresh_token",
        /// RFC 8628 §3.4.
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        /// RFC 7523 §2.1.
        JwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer",
    }
}

impl GrantType {
    /// Reads `grant_type`.
    ///
    /// # Errors
    ///
    /// `invalid_request` when it is absent, `unsupported_grant_type` when we do not offer it.
    pub fn of(form: &TokenForm) -> Result<Self> {
        let asked = form.get("grant_type").ok_or(OAuthError::invalid_request("grant_type is missing."))?;
        Self::parse(asked).ok_or(OAuthError::new(
            OAuthErrorCode::UnsupportedGrantType,
            "This server offers client_credentials, authorization_code, refresh_token, \
             urn:ietf:params:oauth:grant-type:device_code and urn:ietf:params:oauth:grant-type:jwt-bearer.",
        ))
    }
}

/// Gives the proof to the ledger and signs the token that the ledger returns.
async fn issue(
    context: &Context,
    grant: GrantType,
    proof: ClientProof,
    client_id: Option<ClientId>,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken> {
    let request = TokenRequest {
        proof,
        client_id,
        jwt_bearer: grant == GrantType::JwtBearer,
        scope: requested_scope(form),
        resource: requested_resource(form),
        origin: origin.clone(),
    };
    match context.ledger.issue(request).await {
        Ok(entry) => Ok(access_token::sign(context, &entry).await?),
        Err(LedgerError::Refused { refusal, client_id, offered }) => {
            context.refusals.record(client_id.as_ref(), refusal, origin, context.now());
            let error = match refusal {
                Refusal::ScopeNotAllowed => OAuthError::no_scope(offered.as_ref()),
                refusal => oauth_error(grant, refusal),
            };
            Err(error.because_of(refusal))
        }
        Err(LedgerError::Fault(fault)) => Err(fault.into()),
    }
}

/// The answer to an assertion that proves nothing. The refusal is counted, by its cause, for the credential that it
/// concerns.
pub(crate) fn refuse_assertion(
    context: &Context,
    grant: GrantType,
    error: AssertionError,
    origin: &Origin,
) -> OAuthError {
    match error {
        AssertionError::OtherClient => {
            OAuthError::invalid_request("client_id is not the client that the assertion names.")
        }
        AssertionError::Rejected { client_id, detail, mismatch } => {
            let refusal = match mismatch {
                Some(ClaimMismatch::TokenEndpoint) => Refusal::AssertionForTokenEndpoint,
                _ => Refusal::AssertionRejected,
            };
            let mut answer = oauth_error(grant, refusal).because_of(refusal);
            answer.detail = format!("assertion: {detail}").into();
            let received = match mismatch {
                Some(ClaimMismatch::Claims(received)) => Some(received),
                Some(ClaimMismatch::Audience | ClaimMismatch::TokenEndpoint) => {
                    let issuer = &context.settings.public_url;
                    answer.description = format!("{} Its aud must be {issuer}.", answer.description).into();
                    None
                }
                Some(ClaimMismatch::Lifetime) => {
                    answer.description = format!("{} Its exp must be within 10 minutes.", answer.description).into();
                    None
                }
                Some(ClaimMismatch::ClientId) => {
                    let reason = "Several credentials have its iss and sub: send client_id.";
                    answer.description = format!("{} {reason}", answer.description).into();
                    None
                }
                None => None,
            };
            let cause = RefusalDetail { text: Some(detail), received };
            context.refusals.record_detail(client_id.as_ref(), refusal, cause, origin, context.now());
            answer
        }
        AssertionError::Replayed { client_id } => {
            let refusal = Refusal::AssertionReplayed;
            context.refusals.record(Some(&client_id), refusal, origin, context.now());
            oauth_error(grant, refusal).because_of(refusal)
        }
        AssertionError::NoKeys { client_id, detail } => {
            let refusal = Refusal::AssertionRejected;
            let cause = RefusalDetail { text: Some(detail), received: None };
            context.refusals.record_detail(Some(&client_id), refusal, cause, origin, context.now());
            OAuthError::new(
                OAuthErrorCode::IssuerUnavailable,
                "The keys of the issuer are not available now. Try again soon.",
            )
        }
        AssertionError::Fault(fault) => fault.into(),
    }
}

/// Counts why a client that acts for people got no token, for its page. `named` is the client that the request names:
/// a refusal without a known client is not counted, because no page could show it.
pub fn count_refusal(context: &Context, named: Option<AppClientId>, error: &OAuthError, origin: &Origin) {
    let (Some(id), Some(cause)) = (named, error.of_app) else { return };
    let explains = matches!(cause, AppRefusal::NotProven | AppRefusal::KeysUnavailable | AppRefusal::DocumentUnusable);
    let detail = explains.then(|| error.detail.clone().into_owned());
    context.refusals.record_of_app(id, cause, detail, origin, context.now());
}

fn requested_scope(form: &TokenForm) -> RequestedScope {
    match form.get("scope").map(Scopes::parse) {
        None => RequestedScope::Default,
        Some(None) => RequestedScope::Malformed,
        Some(Some(scopes)) if scopes.is_empty() => RequestedScope::Default,
        Some(Some(scopes)) => RequestedScope::These(scopes),
    }
}

/// At most one resource a request (RFC 8707 §2 allows a server to require this): a token has one audience.
fn requested_resource(form: &TokenForm) -> RequestedResource {
    let mut resources = form.resources();
    match (resources.next(), resources.next()) {
        (None, _) => RequestedResource::Default,
        (Some(one), None) => resource::canonical(one).map_or(RequestedResource::Unusable, RequestedResource::This),
        (Some(_), Some(_)) => RequestedResource::Unusable,
    }
}

fn oauth_error(grant: GrantType, refusal: Refusal) -> OAuthError {
    match refusal {
        Refusal::ScopeMalformed => OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is malformed."),
        Refusal::ScopeNotAllowed => OAuthError::no_scope(None),
        Refusal::TargetNotAllowed => OAuthError::new(
            OAuthErrorCode::InvalidTarget,
            "resource must name one MCP server that this client may call.",
        ),
        // The resource is known, and we do not consider it acceptable for this client (RFC 8707 §2).
        // `unauthorized_client` is about the grant type (RFC 6749 §5.2). This client gets tokens for other resources.
        Refusal::TeamNotAllowed => {
            OAuthError::new(OAuthErrorCode::InvalidTarget, "This MCP server is not open to the team of this client.")
        }
        Refusal::ServerArchived => OAuthError::new(OAuthErrorCode::InvalidTarget, "This MCP server is archived."),
        Refusal::GrantNotAllowed => OAuthError::unauthorized_client(),
        // In this grant the assertion is the grant. So the error says that the grant is not valid (RFC 7523 §3.1).
        refusal if grant == GrantType::JwtBearer => OAuthError {
            detail: refusal.as_str().into(),
            ..OAuthError::new(OAuthErrorCode::InvalidGrant, "The assertion is not valid.")
        },
        refusal => OAuthError::invalid_client(refusal.as_str()),
    }
}
