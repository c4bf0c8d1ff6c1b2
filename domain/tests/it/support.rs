//! Shorthand of the tests.

use std::net::IpAddr;

use domain::base::form_body::TokenForm;
use domain::context::Context;
use domain::credential::generate::{Generated, generate};
use domain::model::actor::Actor;
use domain::model::credential::draft::Draft;
use domain::model::token::oauth_error::OAuthError;
use domain::token::access_token::AccessToken;
use domain::token::client_authentication::presented::Presented;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::grants::client_credentials::exchange;

pub(crate) fn operator() -> Actor {
    Actor::command_line("operator")
}

pub(crate) fn draft(name: &str) -> Draft {
    Draft { name: name.to_owned(), ..Draft::default() }
}

pub(crate) async fn generated(context: &Context, draft: &Draft) -> Generated {
    generate(context, &operator(), draft, None).await.expect("a credential is generated")
}

/// Exchanges `secret` with `parameters` appended to the body, from 192.0.2.1.
pub(crate) async fn exchanged(context: &Context, secret: &str, parameters: &str) -> Result<AccessToken, OAuthError> {
    exchanged_from(context, secret, parameters, "192.0.2.1").await
}

pub(crate) async fn exchanged_from(
    context: &Context,
    secret: &str,
    parameters: &str,
    address: &str,
) -> Result<AccessToken, OAuthError> {
    let body = format!("client_secret={secret}{parameters}");
    let form = TokenForm::parse(body.as_bytes())?;
    let address: IpAddr = address.parse().expect("an address");
    let client = authenticate(context, Presented::read(&[], &form)?, &form, ServedClients::Credentials).await?;
    exchange(context, client, &form, &address.into()).await
}

pub(crate) const RESOURCE: &str = "http://localhost:8080/mcp";
