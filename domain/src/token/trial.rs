//! A trial of a credential: an exchange as its program makes it, and then calls of the MCP server with the token.
//!
//! The exchange takes the way of the token endpoint, so the same rules decide and it counts like any other. The token
//! leaves this module only to the MCP server that it is for.

use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::base::form_body::TokenForm;
use crate::base::id::ClientId;
use crate::model::origin::Origin;
use crate::model::person::authority::Authority;
use crate::model::ports::McpConnection;
use crate::model::token::claims::SignatureCheck;
use crate::model::token::oauth_error::{self, OAuthError};
use crate::prelude::Context;
use crate::server::conversation::{CallProblem, Conversation, Greeting, text};
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::presented::Presented;
use crate::token::client_authentication::{ServedClients, authenticate};
use crate::token::grants::client_credentials;
use crate::token::verify::{check_signature, if_valid};

/// The most tools whose names are kept.
const MOST_TOOLS: usize = 200;
/// The type of an assertion that proves a client (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves the credential.
pub enum TrialProof {
    /// Its secret.
    Secret(Zeroizing<String>),
    /// An assertion that its key signed, or a token of its issuer.
    Assertion(Zeroizing<String>),
}

/// The result of a trial.
pub struct Trial {
    /// The token without its signature, or why there is none.
    pub exchange: oauth_error::Result<SignatureCheck>,
    /// What the MCP server says about itself. `None` when there was no token.
    pub greeting: Option<Result<Greeting, CallProblem>>,
    /// The tools that it offers with this token. `None` when it was not asked.
    pub tools: Option<Result<Vec<String>, CallProblem>>,
}

/// The problem as `authority` may read it. Why no MCP server answers tells whether an internal name exists, and which
/// addresses and ports answer. That is for administrators; the log has it too. What an MCP server says about the token
/// is for everybody who may test the credential.
fn for_reader(problem: CallProblem, authority: &Authority, resource: &str) -> CallProblem {
    let cause = match &problem {
        _ if authority.is_administrator() => return problem,
        CallProblem::Status { status: 401 | 403 | 429, .. } | CallProblem::Refused { .. } | CallProblem::Withheld => {
            return problem;
        }
        CallProblem::Unreachable(cause) => cause.clone(),
        CallProblem::Status { status, .. } => format!("answered {status}"),
        CallProblem::NotMcp => "answered without a message of the protocol".to_owned(),
    };
    tracing::info!(resource, cause, "an MCP server did not answer a test of a credential");
    CallProblem::Withheld
}

/// The names of the tools that the server offers.
async fn names_of_tools(conversation: &mut Conversation<'_>) -> Result<Vec<String>, CallProblem> {
    let tools = conversation.list("tools/list", "tools", MOST_TOOLS).await?;
    Ok(tools.iter().map(|tool| text(&tool["name"])).collect())
}

impl Trial {
    /// Whether each step worked.
    pub fn works(&self) -> bool {
        self.exchange.is_ok() && matches!(self.greeting, Some(Ok(_))) && matches!(self.tools, Some(Ok(_)))
    }
}

/// Tries the credential at the MCP server `resource`. The result holds what `authority` may read.
pub async fn run(
    context: &Context,
    servers: &dyn McpConnection,
    authority: &Authority,
    client_id: &ClientId,
    resource: &str,
    proof: &TrialProof,
    origin: &Origin,
) -> Trial {
    match exchange(context, client_id, resource, proof, origin).await {
        Ok((token, check)) => {
            let bearer = Zeroizing::new(format!("Bearer {}", token.token));
            let header = ("authorization".to_owned(), bearer);
            let mut conversation = Conversation::new(servers, resource, Some(header));
            let readable = |problem: CallProblem| for_reader(problem, authority, resource);
            let greeting = conversation.begin().await.map_err(readable);
            let tools =
                if greeting.is_ok() { Some(names_of_tools(&mut conversation).await.map_err(readable)) } else { None };
            Trial { exchange: Ok(check), greeting: Some(greeting), tools }
        }
        Err(error) => Trial { exchange: Err(error), greeting: None, tools: None },
    }
}

async fn exchange(
    context: &Context,
    client_id: &ClientId,
    resource: &str,
    proof: &TrialProof,
    origin: &Origin,
) -> oauth_error::Result<(AccessToken, SignatureCheck)> {
    let body = body(client_id, resource, proof);
    let form = TokenForm::parse(body.as_bytes())?;
    let presented = Presented::read(&[], &form)?;
    let client = authenticate(context, presented, &form, ServedClients::Credentials).await?;
    let token = client_credentials::exchange(context, client, &form, origin).await?;
    let check = if_valid(check_signature(context, &token.token).await)?;
    let check = check.ok_or(OAuthError::fault(500))?;
    Ok((token, check))
}

/// The body of the request, as the program of the credential sends it.
fn body(client_id: &ClientId, resource: &str, proof: &TrialProof) -> Zeroizing<String> {
    let mut fields = Serializer::new(String::new());
    fields.append_pair("grant_type", "client_credentials");
    fields.append_pair("client_id", client_id.as_str()).append_pair("resource", resource);
    match proof {
        TrialProof::Secret(secret) => fields.append_pair("client_secret", secret),
        TrialProof::Assertion(assertion) => {
            fields.append_pair("client_assertion_type", ASSERTION_TYPE).append_pair("client_assertion", assertion)
        }
    };
    Zeroizing::new(fields.finish())
}

/// The scope that a challenge demands (RFC 6750 §3).
pub fn demanded_scope(challenge: &str) -> Option<&str> {
    let (_, rest) = challenge.split_once("scope=\"")?;
    Some(rest.split_once('"')?.0).filter(|scope| !scope.is_empty())
}
