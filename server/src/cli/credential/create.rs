//! `countersign credential create`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use domain::context::Context;
use domain::credential::generate::generate;
use domain::model::credential::AssertionRules;
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::federated::FederatedDraft;
use domain::model::credential::key::KeysDraft;

use super::print_new;
use crate::cli::shared::{CliError, NewFormat, duration, expiry, operator, person_named, read_text, team_named};

#[derive(Args)]
pub(crate) struct Create {
    /// The job or service that will use it
    #[arg(long)]
    name: String,
    /// What runs with it and whom to ask
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// What people should know about it
    #[arg(long, default_value = "", hide_default_value = true)]
    notes: String,
    /// The person of the team who answers for it; nobody when not given
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// A tag: a-z, 0-9 and : _ . -
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Name of the team that owns it; the first team when not given
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Resource identifier of an MCP server; the built-in one when not given
    #[arg(long = "mcp-server", value_name = "URI")]
    mcp_servers: Vec<String>,
    /// A scope; the server's default when not given
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long the secret works: 12h, 90d, never
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = expiry)]
    expires_in: Expiry,
    /// How long tokens live: 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    token_lifetime: Option<Duration>,
    /// From where it may be exchanged: a range such as 10.0.0.0/8
    #[arg(long = "allow-ip", value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// A public key (PEM, JWK or JWKS): the program signs with the private half, and no secret is made
    #[arg(long, value_name = "FILE", conflicts_with_all = ["federated_issuer", "jwks_uri"])]
    public_key: Option<PathBuf>,
    /// Where the program publishes its public keys (JWKS); no secret is made
    #[arg(long, value_name = "URL", conflicts_with = "federated_issuer")]
    jwks_uri: Option<String>,
    /// The client ID metadata document of the program, which names its keys; no secret is made
    #[arg(long, value_name = "URL", conflicts_with_all = ["public_key", "jwks_uri", "federated_issuer"])]
    document: Option<String>,
    /// The issuer of tokens that stand for the credential; no secret is made
    #[arg(long, value_name = "URL", requires = "federated_subject")]
    federated_issuer: Option<String>,
    /// The subject of these tokens; * stands for any text
    #[arg(long, value_name = "SUBJECT", requires = "federated_issuer")]
    federated_subject: Option<String>,
    /// The audience of these tokens; the address of this server when not given
    #[arg(long, value_name = "AUDIENCE", requires = "federated_issuer")]
    federated_audience: Option<String>,
    /// Another claim that these tokens must have: claim=value
    #[arg(long = "federated-claim", value_name = "CLAIM=VALUE", requires = "federated_issuer")]
    federated_claims: Vec<String>,
    /// The issuer's keys (JWKS); fetched from the issuer when not given
    #[arg(long, value_name = "FILE", requires = "federated_issuer")]
    federated_jwks: Option<PathBuf>,
    /// Accept the token endpoint as audience of assertions, besides the issuer
    #[arg(long)]
    accept_token_endpoint_audience: bool,
    /// Accept the same assertion until it expires
    #[arg(long)]
    allow_reused_assertions: bool,
    /// Accept an assertion as the grant itself (RFC 7523)
    #[arg(long)]
    allow_jwt_bearer: bool,
    /// text, json or env
    #[arg(long, value_enum, default_value_t = NewFormat::Text)]
    format: NewFormat,
}

pub(super) async fn run(context: &Context, arguments: Create) -> Result<(), CliError> {
    let proof = proof(&arguments)?;
    let team = match &arguments.team {
        Some(name) => Some(team_named(context, "--team", name).await?.id),
        None => None,
    };
    let owner = match &arguments.owner {
        Some(email) => Some(person_named(context, "--owner", email).await?.id),
        None => None,
    };
    let draft = Draft {
        team,
        owner,
        proof,
        assertions: AssertionRules {
            token_endpoint_audience: arguments.accept_token_endpoint_audience,
            reusable: arguments.allow_reused_assertions,
            jwt_bearer: arguments.allow_jwt_bearer,
        },
        name: arguments.name,
        description: arguments.description,
        servers: arguments.mcp_servers,
        scopes: arguments.scopes,
        expiry: arguments.expires_in,
        token_lifetime: arguments.token_lifetime,
        ip_ranges: arguments.allow_ip,
        notes: arguments.notes,
        tags: arguments.tags,
        replaces: None,
    };
    let generated = generate(context, &operator(), &draft, None).await?;
    print_new(context, &generated, arguments.format);
    Ok(())
}

fn proof(arguments: &Create) -> Result<DraftProof, CliError> {
    if let Some(path) = &arguments.public_key {
        let text = read_text("--public-key", path)?;
        return Ok(DraftProof::Keys(KeysDraft { text, ..KeysDraft::default() }));
    }
    if let Some(address) = &arguments.jwks_uri {
        return Ok(DraftProof::KeysAt(address.clone()));
    }
    if let Some(address) = &arguments.document {
        return Ok(DraftProof::Document(address.clone()));
    }
    let (Some(issuer), Some(subject)) = (&arguments.federated_issuer, &arguments.federated_subject) else {
        return Ok(DraftProof::Secret);
    };
    let jwks = arguments.federated_jwks.as_ref().map(|path| read_text("--federated-jwks", path)).transpose()?;
    let split = |claim: &String| {
        let (name, value) = claim.split_once('=').unwrap_or((claim, ""));
        (name.to_owned(), value.to_owned())
    };
    Ok(DraftProof::Federated(FederatedDraft {
        issuer: issuer.clone(),
        subject: subject.clone(),
        audience: arguments.federated_audience.clone().unwrap_or_default(),
        claims: arguments.federated_claims.iter().map(split).collect(),
        jwks: jwks.unwrap_or_default(),
    }))
}
