//! New secrets for several credentials at once, after one text leaked all of them.

use crate::base::id::{ClientId, McpServerId};
use crate::credential::generate::{self, Generated};
use crate::credential::rotate::{self, Overlap};
use crate::credential::{CredentialError, Result, inspect};
use crate::model::credential::draft::{Draft, Expiry};
use crate::model::credential::{AuthMethod, Credential};
use crate::model::person::authority::Authority;
use crate::model::server::McpServer;
use crate::prelude::{Actor, Context};
use crate::store;

/// Where the new secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Each credential gets a second secret; the present one still works for the overlap.
    Rotate(Overlap),
    /// A new credential with the same settings is generated for each. The leaked credential stays as it is.
    Replace,
}

/// The result for one credential.
pub struct Renewed {
    /// The credential that leaked.
    pub credential: Credential,
    /// Its new secret, or why there is none.
    pub result: Result<Generated>,
}

/// Renews each of `client_ids` on its own. A failure of one is reported and does not stop the others.
///
/// `form_token` is as for [`generate::generate`]: when the form is sent twice, each secret is still made once.
///
/// # Errors
///
/// [`CredentialError::NotFound`] when `authority` does not see one of the credentials; then nothing is changed.
pub async fn renew_all(
    context: &Context,
    authority: &Authority,
    actor: &Actor,
    client_ids: &[ClientId],
    renewal: Renewal,
    form_token: &str,
) -> Result<Vec<Renewed>> {
    let mut found = Vec::with_capacity(client_ids.len());
    for client_id in client_ids {
        found.push(inspect::find(context, authority, client_id).await?.ok_or(CredentialError::NotFound)?);
    }
    let mut renewed = Vec::with_capacity(found.len());
    for credential in found {
        let form_token = format!("{form_token} {}", credential.client_id);
        let result = match renewal {
            _ if credential.auth_method != AuthMethod::ClientSecret => Err(CredentialError::OtherMethod),
            Renewal::Rotate(overlap) => {
                rotate::secret(context, actor, &credential.client_id, overlap, None, Some(&form_token)).await
            }
            Renewal::Replace => {
                let policies = store::operations::policy::all(&context.store).await?;
                let expiry = policies.within(AuthMethod::ClientSecret, Expiry::default());
                let draft = Draft { expiry, ..like(&credential, &store::server::list(&context.store).await?) };
                generate::generate(context, actor, &draft, Some(&form_token)).await
            }
        };
        renewed.push(Renewed { credential, result });
    }
    Ok(renewed)
}

/// A draft for a credential like this one, with a secret of the default expiry. Its owner is who generates it.
///
/// It leaves out what nobody can generate now: MCP servers that are archived, and scopes that their servers lost. If
/// nothing is left, the draft stays as it is, and generating says what is wrong.
pub fn like(credential: &Credential, known: &[McpServer]) -> Draft {
    let is_usable = |id: &&McpServerId| known.iter().any(|server| server.id == **id && !server.is_archived());
    let usable: Vec<String> = credential.servers.iter().filter(is_usable).map(ToString::to_string).collect();
    let has = |scope: &&str| known.iter().any(|server| server.scopes.iter().any(|known| known.name == **scope));
    let scopes: Vec<String> = credential.scopes.iter().filter(has).map(str::to_owned).collect();
    let all = |ids: &[McpServerId]| ids.iter().map(ToString::to_string).collect();
    Draft {
        team: Some(credential.team.clone()),
        name: credential.name.clone(),
        description: credential.description.clone(),
        notes: credential.notes.clone(),
        tags: credential.tags.clone(),
        servers: if usable.is_empty() { all(&credential.servers) } else { usable },
        scopes: if scopes.is_empty() { credential.scopes.iter().map(str::to_owned).collect() } else { scopes },
        token_lifetime: credential.token_lifetime,
        ip_ranges: credential.ip_ranges.iter().map(ToString::to_string).collect(),
        replaces: Some(credential.client_id.clone()),
        ..Draft::default()
    }
}
