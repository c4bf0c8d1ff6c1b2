//! `countersign credential edit` and `duplicate`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use domain::base::id::{ClientId, SecretId};
use domain::context::Context;
use domain::credential::edit::{self, Edit};
use domain::credential::generate::generate;
use domain::credential::several::renew::like;
use domain::credential::{CredentialError, Outcome, inspect};
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::key::{KeysAt, KeysDraft};
use domain::model::credential::{AuthMethod, Credential};
use domain::model::person::authority::Authority;
use domain::server;

use super::print_new;
use crate::cli::shared::{
    CliError, NewFormat, OneCredential, duration, expiry, operator, person_named, read_text, team_named,
};
use crate::config::ConfigError;

#[derive(Args)]
pub(crate) struct Changes {
    #[command(flatten)]
    credential: OneCredential,
    /// The job or service that uses it
    #[arg(long)]
    name: Option<String>,
    /// What runs with it and whom to ask
    #[arg(long)]
    description: Option<String>,
    /// What people should know about it
    #[arg(long)]
    notes: Option<String>,
    /// Name of the team that shall own it
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// The person who answers for it; an empty value: nobody
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// Its tags, instead of the present ones; an empty value: none
    #[arg(long = "tag", value_name = "TAG")]
    tags: Option<Vec<String>>,
    /// Resource identifiers of its MCP servers, instead of the present ones; the first is the default
    #[arg(long = "mcp-server", value_name = "URI")]
    mcp_servers: Option<Vec<String>>,
    /// Its scopes, instead of the present ones
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Option<Vec<String>>,
    /// How long the present secrets or keys work from now: 12h, 90d, never
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires_in: Option<Expiry>,
    /// How long tokens live: 10m; 0s: as the MCP server says
    #[arg(long, value_name = "TIME", value_parser = duration)]
    token_lifetime: Option<Duration>,
    /// From where it may be exchanged, instead of the present ranges; an empty value: every address
    #[arg(long = "allow-ip", value_name = "CIDR")]
    allow_ip: Option<Vec<String>>,
    /// End the live tokens if it loses an MCP server or a scope
    #[arg(long)]
    end_tokens: bool,
}

async fn found(context: &Context, id: &ClientId) -> Result<Credential, CliError> {
    Ok(inspect::find(context, &Authority::Everything, id).await?.ok_or(CredentialError::NotFound)?)
}

/// `credential edit`: options that are not given leave their values as they are.
pub(super) async fn run(context: &Context, arguments: Changes) -> Result<(), CliError> {
    let id = &arguments.credential.client_id;
    let present = Edit::of(&found(context, id).await?);
    let owner = match arguments.owner.as_deref() {
        None => present.owner,
        Some("") => None,
        Some(email) => Some(person_named(context, "--owner", email).await?.id),
    };
    let team = match &arguments.team {
        None => None,
        Some(name) => Some(team_named(context, "--team", name).await?.id),
    };
    let change = Edit {
        team,
        owner,
        name: arguments.name.unwrap_or(present.name),
        description: arguments.description.unwrap_or(present.description),
        notes: arguments.notes.unwrap_or(present.notes),
        tags: arguments.tags.unwrap_or(present.tags),
        servers: arguments.mcp_servers.unwrap_or(present.servers),
        scopes: arguments.scopes.unwrap_or(present.scopes),
        expiry: arguments.expires_in,
        token_lifetime: match arguments.token_lifetime {
            None => present.token_lifetime,
            Some(lifetime) => (!lifetime.is_zero()).then_some(lifetime),
        },
        ip_ranges: arguments.allow_ip.unwrap_or(present.ip_ranges),
        expires_at: present.expires_at,
        assertions: present.assertions,
        ends_tokens: arguments.end_tokens,
    };
    let edited = edit::edit(context, &operator(), id, &change).await?;
    match edited.outcome {
        Outcome::Changed(seq) => {
            println!("Changed {id} (audit entry {seq}); live tokens ended: {}", edited.tokens_ended)
        }
        Outcome::Unchanged => println!("{id} was so already; nothing was changed"),
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct Duplicate {
    #[command(flatten)]
    credential: OneCredential,
    /// The name of the new credential; “copy” is added to the present name when not given
    #[arg(long)]
    name: Option<String>,
    /// The public key of the new credential (PEM, JWK or JWKS), for a credential that has keys
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// How long the secret or key works: 12h, 90d, never
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = expiry)]
    expires_in: Expiry,
    /// text, json or env
    #[arg(long, value_enum, default_value_t = NewFormat::Text)]
    format: NewFormat,
}

/// `credential duplicate`
pub(super) async fn duplicate(context: &Context, arguments: Duplicate) -> Result<(), CliError> {
    let model = found(context, &arguments.credential.client_id).await?;
    let proof = match (model.auth_method, &arguments.public_key) {
        (AuthMethod::ClientSecret, None) => DraftProof::Secret,
        (AuthMethod::PrivateKeyJwt, Some(path)) => {
            DraftProof::Keys(KeysDraft { text: read_text("--public-key", path)?, ..KeysDraft::default() })
        }
        (AuthMethod::PrivateKeyJwt, None) => match model.keys_at.as_ref().and_then(KeysAt::jwks_uri) {
            Some(address) => DraftProof::KeysAt(address.to_owned()),
            None => {
                let problem = "this credential has keys: name the key of the new one";
                return Err(ConfigError::new("--public-key", problem).into());
            }
        },
        _ => return Err(CredentialError::OtherMethod.into()),
    };
    let draft = Draft {
        name: arguments.name.unwrap_or_else(|| format!("{} copy", model.name)),
        owner: model.owner.as_ref().filter(|owner| !owner.disabled).map(|owner| owner.id.clone()),
        expiry: arguments.expires_in,
        assertions: model.assertions,
        proof,
        replaces: None,
        ..like(&model, &server::list(context).await?)
    };
    let generated = generate(context, &operator(), &draft, None).await?;
    print_new(context, &generated, arguments.format);
    Ok(())
}

/// The secret that is meant by its ID or by its last characters.
pub(super) async fn secret_named(context: &Context, id: &ClientId, name: &str) -> Result<SecretId, CliError> {
    let secrets = inspect::secrets(context, id).await?;
    let mut meant = secrets.into_iter().filter(|secret| {
        secret.revoked_at.is_none() && (secret.id.as_str() == name || (!name.is_empty() && secret.hint == name))
    });
    match (meant.next(), meant.next()) {
        (Some(secret), None) => Ok(secret.id),
        (None, _) => Err(ConfigError::new("SECRET", format!("{id} has no secret {name}; see credential show")).into()),
        (Some(_), Some(_)) => {
            Err(ConfigError::new("SECRET", format!("{id} has two secrets {name}; give the ID")).into())
        }
    }
}
