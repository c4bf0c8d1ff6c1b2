//! Asks an MCP server whether it protects itself: its metadata, a request without a token, and a request with a token
//! for another server.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use crate::base::id::{McpServerId, TokenId};
use crate::crypto::keys::KeyError;
use crate::model::ports::{Probe, ProbeMethod, ProbeRequest};
use crate::model::server::McpServer;
use crate::model::server::check::{
    Received, ReceivedAnswer, ServerCheck, StepOutcome, of_metadata, of_no_token, of_other_token,
};
use crate::model::server::gateway::slug_of;
use crate::model::token::claims::Claims;
use crate::prelude::{Action, Actor, Context, Fault, FieldError};
use crate::server::{McpServerError, begin_for};
use crate::store;
use crate::token::access_token;

/// How long the token of a check lives.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// The last check of the server.
pub async fn last(context: &Context, id: &McpServerId) -> Result<Option<ServerCheck>, Fault> {
    Ok(store::server::check::find(&context.store, id).await?)
}

/// The last check of each server that was checked.
pub async fn last_of_all(context: &Context) -> Result<HashMap<McpServerId, ServerCheck>, Fault> {
    Ok(store::server::check::list(&context.store).await?.into_iter().collect())
}

/// Checks the server and stores the result. Only administrators may do this: the result says which addresses answer.
///
/// # Errors
///
/// [`McpServerError::Invalid`] for the built-in server, which is part of this program.
pub async fn run(
    context: &Context,
    probe: &dyn Probe,
    actor: &Actor,
    id: &McpServerId,
) -> Result<ServerCheck, McpServerError> {
    // The permission is asked before anything is sent, and again with the change that stores the result.
    let (change, server) = begin_for(context, actor, id).await?;
    drop(change);
    if server.built_in {
        let problem = "The built-in server is part of Countersign. There is nothing to check.";
        return Err(FieldError::new("main", problem).into());
    }
    let issuer = &context.settings.public_url;
    if slug_of(issuer, &server.resource).is_some() {
        let problem = "Countersign stands in front of this server and checks each token. There is nothing to check.";
        return Err(FieldError::new("main", problem).into());
    }
    let token = token_for_another_server(context, &server).await?;
    let metadata = ProbeRequest { url: server.metadata_url(), method: ProbeMethod::Get, token: None };
    let bare = ProbeRequest { url: server.resource.clone(), method: ProbeMethod::Initialize, token: None };
    let foreign = ProbeRequest { token: Some(token), ..bare.clone() };
    let (metadata, bare, foreign) = tokio::join!(ask(probe, &metadata), ask(probe, &bare), ask(probe, &foreign));
    let mut steps = of_metadata(&server, issuer, &metadata);
    steps.extend(of_no_token(&server, &bare, metadata.is_ok()));
    steps.push(of_other_token(&foreign, bare.is_ok()));

    let (mut change, server) = begin_for(context, actor, id).await?;
    let check = ServerCheck { at: change.now(), by: actor.name().to_owned(), steps };
    store::server::check::set(&mut change, id, &check).await?;
    let of = |outcome: StepOutcome| {
        check.steps.iter().filter(|one| one.outcome == outcome).map(|one| one.step.as_str()).collect::<Vec<_>>()
    };
    let event = server.event(Action::McpServerChecked).with(json!({
        "passed": of(StepOutcome::Passed),
        "failed": of(StepOutcome::Failed),
        "skipped": of(StepOutcome::Skipped),
    }));
    change.commit(actor, &event).await?;
    Ok(check)
}

/// Sends one request. A header that repeats the token does not get into the result.
async fn ask(probe: &dyn Probe, request: &ProbeRequest) -> Received {
    let answer = probe.probe(request).await?;
    let has_token = |text: &String| request.token.as_ref().is_some_and(|token| text.contains(token.as_str()));
    let challenge = answer.challenge.filter(|text| !has_token(text));
    Ok(ReceivedAnswer { status: answer.status, challenge, body: answer.body })
}

/// A token of ours for an audience that is no server and never will be: its address holds a random identifier, and the
/// token is in no ledger, so Countersign itself refuses it too. It has the scopes of the server, so that a server that
/// compares only scopes is found out.
async fn token_for_another_server(context: &Context, server: &McpServer) -> Result<Zeroizing<String>, Fault> {
    let now = context.now();
    let jti = TokenId::generate(context.random.as_ref(), now);
    let mut signing = store::operations::keys::active_signing_keys(&context.store, now).await?;
    let kid = signing.remove(server.alg.as_str()).ok_or(KeyError::Missing("signing key"))?;
    let claims = Claims {
        iss: context.settings.public_url.clone(),
        sub: format!("check:{jti}"),
        aud: format!("{}/check/{jti}", context.settings.public_url),
        client_id: format!("check:{jti}"),
        scope: server.scope_names().to_string(),
        jti: jti.as_str().to_owned(),
        iat: now.seconds(),
        exp: now.plus(TOKEN_LIFETIME).seconds(),
        status: None,
    };
    Ok(Zeroizing::new(access_token::sign_claims(context, &kid, claims).await?.token))
}
