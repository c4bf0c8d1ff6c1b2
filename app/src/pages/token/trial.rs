//! "Test now": a form with the secret, and what worked: the exchange, and the calls of the MCP server.

use domain::credential::inspect;
use domain::model::credential::{AuthMethod, Credential};
use domain::model::field_error::FieldError;
use domain::model::server::McpServer;
use domain::model::server::gateway::PATH;
use domain::model::token::Refusal;
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use domain::server;
use domain::server::conversation::{CallProblem, Greeting};
use domain::token::trial::{Trial, TrialProof, demanded_scope};

use crate::pages::credential::find;
use crate::pages::credential::reveal::{NewSecret, Occasion};
use crate::pages::token::claims_table;
use crate::prelude::*;

/// What was sent. It has no `Debug`, because it holds a secret.
#[derive(Clone, Default)]
pub struct TypedTrial {
    /// The secret, pasted or sent by the page that shows it.
    pub secret: String,
    /// The assertion of a key, or the token of an issuer.
    pub assertion: String,
    /// Identifier of the MCP server. Empty: the first of the credential.
    pub server: String,
    /// Why the page before shows the secret, if it does: see [`Occasion::word`].
    pub occasion: String,
}

impl TypedTrial {
    /// What proves the credential.
    ///
    /// # Errors
    ///
    /// Nothing was typed.
    pub fn proof(&self, credential: &Credential) -> Result<TrialProof, FieldError> {
        let text = |text: &str| text.trim().to_owned();
        let (field, typed) = match credential.auth_method {
            AuthMethod::ClientSecret => ("client_secret", text(&self.secret)),
            AuthMethod::PrivateKeyJwt | AuthMethod::Federated => ("assertion", text(&self.assertion)),
        };
        match (typed.is_empty(), credential.auth_method) {
            (true, AuthMethod::ClientSecret) => Err(FieldError::new(field, "Paste the secret.")),
            (true, AuthMethod::PrivateKeyJwt) => Err(FieldError::new(field, "Paste a signed assertion.")),
            (true, AuthMethod::Federated) => Err(FieldError::new(field, "Paste a token of the issuer.")),
            (false, AuthMethod::ClientSecret) => Ok(TrialProof::Secret(typed.into())),
            (false, _) => Ok(TrialProof::Assertion(typed.into())),
        }
    }

    /// The MCP server to call: the chosen one, or the first of the credential.
    pub fn server<'servers>(
        &self,
        credential: &Credential,
        servers: &'servers [McpServer],
    ) -> Option<&'servers McpServer> {
        let is_chosen =
            |server: &&McpServer| credential.servers.contains(&server.id) && server.id.as_str() == self.server;
        let is_first = |server: &&McpServer| credential.servers.first() == Some(&server.id);
        servers.iter().find(is_chosen).or_else(|| servers.iter().find(is_first))
    }
}

/// The page without a result.
pub async fn form(client_id: String) -> Result<Page, ActionError> {
    page(client_id, Form::default(), None).await
}

/// The page, with the result of a trial. If the page before showed the secret, this one shows it again. A secret that
/// is shown once must not be lost by a test of it, even when the database does not answer.
pub async fn page(client_id: String, form: Form<TypedTrial>, trial: Option<Trial>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let Some(occasion) = Occasion::parse(&typed.occasion) else {
        return test_page(client_id, typed, errors, trial).await;
    };
    match revealed(&client_id, &typed, occasion, &errors, trial).await {
        Ok(page) => Ok(page),
        Err(_) => {
            let words = "The test could not run: the database does not answer. Your secret is still here.";
            Ok(Reveal::new("Save your client secret", "Client ID and secret", links::credential(&client_id))
                .above(view! { <Alert title="Not tested" text=words.to_owned()/> })
                .identifier("client-id", "Client ID", client_id)
                .secret("client-secret", "Client secret", typed.secret)
                .page())
        }
    }
}

async fn revealed(
    client_id: &str,
    typed: &TypedTrial,
    occasion: Occasion,
    errors: &Errors,
    trial: Option<Trial>,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, client_id).await?;
    let servers = server::list(&visit.context).await?;
    let secrets = inspect::secrets(&visit.context, &credential.client_id).await?;
    let expires_at = secrets.first().and_then(|secret| secret.expires_at);
    let server = typed.server(&credential, &servers);
    let result = match trial {
        Some(trial) => result(&visit, trial, server),
        None => html! { <ErrorSummary errors=errors.clone()/> },
    };
    let until = credential.rotation_ends_at;
    let shown = NewSecret::again(&visit, &credential, server, typed.secret.clone(), expires_at, occasion.until(until));
    Ok(shown.page(Some(result)))
}

async fn test_page(
    client_id: String,
    typed: TypedTrial,
    errors: Errors,
    trial: Option<Trial>,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let mut servers = server::list(&visit.context).await?;
    servers.retain(|server| credential.servers.contains(&server.id));
    let result = trial.map(|trial| {
        let panel = result(&visit, trial, typed.server(&credential, &servers));
        view! { <div id="result">{panel}</div> }
    });
    let proof = match credential.auth_method {
        AuthMethod::ClientSecret => html! {
            <TextField id="client_secret" label="Client secret" kind="password" error=errors.at("client_secret")
                hint="Countersign keeps it no longer than the test takes."/>
        },
        AuthMethod::PrivateKeyJwt => html! {
            <TextArea id="assertion" label="Signed assertion" value="" error=errors.at("assertion")
                hint="A JWT that the private key signed: iss and sub are the client ID, aud is the issuer below. The test uses it up."/>
        },
        AuthMethod::Federated => html! {
            <TextArea id="assertion" label="Token of the issuer" value="" error=errors.at("assertion")
                hint="The token that the issuer gives the program. The test uses it up."/>
        },
    };
    let needs = (credential.auth_method != AuthMethod::ClientSecret).then(|| {
        view! {
            <p class="muted">
                "Issuer and audience: "{address(&visit.context.settings.public_url)}
                ". The private key and the issuer stay with the program, so Countersign cannot sign for it."
            </p>
        }
    });
    let options = servers.iter().map(|server| (server.id.to_string(), server.name.clone())).collect();
    let choice = (servers.len() > 1).then(|| {
        view! { <Select id="server" label="MCP server" options chosen=typed.server.clone()/> }
    });
    let title = format!("Test {}", credential.name);
    let page = FormPage::new(title, format!("{}#result", links::test_credential(&client_id)), "Test now")
        .back(links::credential(&client_id), credential.name)
        .lead(
            "Countersign exchanges the secret, reads the token, and calls the MCP server with it. The exchange counts like any \
             other; the secret and the token are not stored.",
        )
        .above(result)
        .panel("Test", view! { {proof}{needs}{choice} });
    Ok(page.page(errors))
}

/// One step of a trial.
enum Step {
    Worked(AnyView),
    Failed(AnyView),
    Skipped(&'static str),
}

fn step_line(step: Step) -> AnyView {
    let (tone, icon, mark, words) = match step {
        Step::Worked(words) => (Some("ok"), Icon::Check, "Worked: ", words),
        Step::Failed(words) => (Some("danger"), Icon::Warning, "Failed: ", words),
        Step::Skipped(words) => (None, Icon::More, "Not tried: ", muted(words)),
    };
    html! { <li data-tone=tone><Drawing icon/><div><span class="vh">{mark}</span>{words}</div></li> }
}

/// What worked and what failed.
fn result(visit: &Visit, trial: Trial, server: Option<&McpServer>) -> AnyView {
    let works = trial.works();
    let server_name = server.map_or("the MCP server", |server| server.name.as_str());
    let resource = server.map(|server| server.resource.clone()).unwrap_or_default();
    let Trial { exchange, greeting, tools } = trial;
    let (issued, claims) = match exchange {
        Ok(check) => {
            let words = format!("The token was issued, with the scopes {}.", check.claims.scope.replace(' ', ", "));
            (Step::Worked(words.into_any()), Some(claims_table(check, &visit.context.settings.public_url)))
        }
        Err(error) => (Step::Failed(refused(visit, &error)), None),
    };
    let greeted = match greeting {
        Some(Ok(Greeting { name, protocol })) => Step::Worked(html! {
            {server_name.to_owned()}" at "{address(&resource)}" accepted the token and answered: "{name}", protocol "{protocol}"."
        }),
        Some(Err(problem)) => Step::Failed(call_failed(visit, &resource, server, problem)),
        None => Step::Skipped("The MCP server was not called, because there is no token."),
    };
    let listed = match tools {
        Some(Ok(tools)) if tools.is_empty() => {
            Step::Worked("The MCP server offers no tools with this token. Another scope may offer some.".into_any())
        }
        Some(Ok(tools)) => {
            let count = counted(tools.len(), "tool", "tools");
            Step::Worked(html! { "The MCP server offers "{count}": "{scope_tags(tools)} })
        }
        Some(Err(problem)) => Step::Failed(call_failed(visit, &resource, server, problem)),
        None => Step::Skipped("The tools were not listed."),
    };
    let steps = [issued, greeted, listed].map(step_line).collect_view();
    let word = if works { chip("It works", "ok") } else { chip("It does not work yet", "danger") };
    let claims = claims
        .map(|claims| view! { <details class="more" open=works><summary>"The token"</summary>{claims}</details> });
    html! {
        <section class="panel" aria-labelledby="result-title">
            <header><h2 id="result-title">"Test result"</h2>{word}</header>
            <ol class="checks">{steps}</ol>
            {claims}
        </section>
    }
}

/// Why no token was issued. The person may see the credential, so they may know the cause.
fn refused(visit: &Visit, error: &OAuthError) -> AnyView {
    let address = visit.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    let words = match (error.refusal, error.code) {
        (Some(Refusal::WrongSecret), _) => {
            "The secret is not one of this credential. Check that you pasted all of it, and that it belongs here."
                .to_owned()
        }
        (Some(Refusal::TooManyGuesses), _) => {
            "There were too many wrong secrets for this credential. Wait a little, then test again.".to_owned()
        }
        (Some(Refusal::AssertionRejected), _) => format!("The assertion was rejected: {}.", error.detail),
        (Some(Refusal::AssertionForTokenEndpoint), _) => format!(
            "The audience of the assertion is the token endpoint. It must be {}.",
            visit.context.settings.public_url
        ),
        (Some(Refusal::AssertionReplayed), _) => "The assertion was used before. Sign another one.".to_owned(),
        (Some(Refusal::SecretRevoked), _) => "The secret or key was revoked. Rotate to get a new one.".to_owned(),
        (Some(Refusal::SecretExpired), _) => "The secret or key has expired. Rotate to get a new one.".to_owned(),
        (Some(Refusal::SecretRetired), _) => {
            "The secret or key was replaced, and its overlap is over. Use the new one.".to_owned()
        }
        (Some(Refusal::CredentialRevoked), _) => "The credential is revoked. Generate a replacement.".to_owned(),
        (Some(Refusal::CredentialDisabled), _) => "The credential is disabled. Enable it, then test again.".to_owned(),
        (Some(Refusal::CredentialEnded), _) => "The credential has expired.".to_owned(),
        (Some(Refusal::AddressNotAllowed), _) => format!(
            "Your address {address} is outside the allowed IP ranges of the credential. From its own address the program may \
             still get a token."
        ),
        (Some(Refusal::TargetNotAllowed), _) => "The credential may not call this MCP server.".to_owned(),
        (Some(Refusal::ServerArchived), _) => {
            "The MCP server is archived: nobody gets tokens for it. An administrator can unarchive it.".to_owned()
        }
        (Some(Refusal::TeamNotAllowed), _) => {
            "The MCP server is not open to the team of the credential. An administrator can add the team.".to_owned()
        }
        (Some(Refusal::GrantNotAllowed | Refusal::ScopeMalformed | Refusal::ScopeNotAllowed), _) => {
            error.description.to_string()
        }
        (None, OAuthErrorCode::TemporarilyUnavailable | OAuthErrorCode::ServerError) => {
            "Countersign could not decide: it is too busy, or the database does not answer. Test again in a moment."
                .to_owned()
        }
        (None, _) => error.description.to_string(),
    };
    html! { "No token was issued. "{words} }
}

/// What the answer of an MCP server means, and what to check.
fn call_failed(visit: &Visit, resource: &str, server: Option<&McpServer>, problem: CallProblem) -> AnyView {
    let issuer = &visit.context.settings.public_url;
    let at = |words: String| html! { "The MCP server at "{address(resource)}" "{words} };
    let is_behind = resource.strip_prefix(issuer.as_str()).is_some_and(|path| path.starts_with(PATH));
    let page = match server {
        Some(server) => html! { <a href=links::server(&server.id)>"the server’s page"</a> },
        None => "the server’s page".into_any(),
    };
    match problem {
        CallProblem::Unreachable(cause) => at(format!(
            "could not be called from Countersign: {cause}. The program may reach it from its own network: try the curl lines."
        )),
        CallProblem::Status { status: 401, .. } => at(format!(
            "answered 401: it does not accept the token. Check that it trusts the issuer {issuer}, reads the keys at \
             {issuer}{}, and expects {resource} as audience.",
            links::JWKS
        )),
        CallProblem::Status { status: 403, challenge } => {
            let scope = challenge.as_deref().and_then(demanded_scope).map(|scope| format!(" It demands {scope}."));
            at(format!("answered 403: the scopes of the token do not suffice.{}", scope.unwrap_or_default()))
        }
        CallProblem::Status { status: 404 | 405, .. } => {
            at("has no MCP endpoint at this address. Its resource identifier must be the address that clients call."
                .to_owned())
        }
        CallProblem::Status { status: status @ 300..=399, .. } => at(format!(
            "answered {status}, a redirect, which Countersign does not follow. Register the address that it leads to."
        )),
        CallProblem::Status { status: 429, .. } => at("answered 429: too many requests. Test again later.".to_owned()),
        CallProblem::Status { status: status @ (502 | 504), .. } if is_behind => html! {
            "The MCP server behind the gateway gave no usable answer ("{status}"). “Look again” on "
            {page}" says why."
        },
        CallProblem::Status { status: status @ 500..=599, .. } => {
            at(format!("answered {status}: it failed itself. Its log says why."))
        }
        CallProblem::Status { status, .. } => at(format!("answered {status}.")),
        CallProblem::NotMcp => at("answered, but not with a message of the protocol. Is it an MCP server?".to_owned()),
        CallProblem::Refused { code, message } => at(format!("answered with the error {code}: {message}")),
        CallProblem::Withheld => {
            html! {
                "The MCP server at "{address(resource)}" did not answer as an MCP server. An administrator \
                can read why on "{page}". The program may reach it from its own network: try the curl lines."
            }
        }
    }
}
