//! `ledger`: reads issued tokens, and revokes one. [`super::batch`] records new tokens.

use crate::base::clock::Timestamp;
use crate::base::encoding::base62;
use crate::base::id::{ClientId, McpServerId, TokenId};
use crate::model::credential::Impact;
use crate::model::origin::Origin;
use crate::model::token::AuthenticatorState;
use crate::store::credential::authenticators;
use crate::store::{On, Result, Store, Transaction, composed_sql, row, sql};

/// Records that a client proved itself at an endpoint that issues no token.
pub(crate) async fn mark_authenticated(
    transaction: &mut Transaction,
    state: &AuthenticatorState,
    origin: &Origin,
    now: Timestamp,
) -> Result<()> {
    let address = origin.address;
    let table = authenticators::table(&state.id);
    composed_sql!("UPDATE {table} SET last_used_at = $1, last_used_from = $2 WHERE id = $3"; now, address, state.id)
        .execute(&mut *transaction)
        .await?;
    let sql = "UPDATE credentials SET last_used_at = $1, last_used_from = $2, last_used_agent = $3,
                verified_at = COALESCE(verified_at, $1) WHERE client_id = $4";
    sql!(sql; now, address, origin.agent, state.client_id).execute(transaction).await
}

/// What a protected resource must know about a token besides its signature.
pub(crate) struct TokenState {
    pub credential_name: String,
    pub token_revoked_at: Option<Timestamp>,
    pub authenticator_revoked_at: Option<Timestamp>,
    pub authenticator_retires_at: Option<Timestamp>,
    pub credential_disabled_at: Option<Timestamp>,
    pub credential_revoked_at: Option<Timestamp>,
    pub hard_end_at: Option<Timestamp>,
}

row! { "ledger" => TokenState {
    credential_name = "name", token_revoked_at, authenticator_revoked_at, authenticator_retires_at = "retires_at",
    credential_disabled_at = "disabled_at", credential_revoked_at = "revoked_at", hard_end_at
} }

impl TokenState {
    /// Why the token is not accepted at `now`; `None` when it is.
    pub(crate) fn end_cause(&self, now: Timestamp) -> Option<&'static str> {
        let revoked = [self.credential_revoked_at, self.authenticator_revoked_at, self.token_revoked_at];
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
        let causes = [
            (revoked.iter().any(Option::is_some), "revoked"),
            (is_over(self.authenticator_retires_at), "its secret or key was replaced"),
            (self.credential_disabled_at.is_some(), "the credential is disabled"),
            (is_over(self.hard_end_at), "the credential has ended"),
        ];
        causes.into_iter().find(|(applies, _)| *applies).map(|(_, cause)| cause)
    }
}

pub(crate) async fn token_state(on: impl On<'_>, jti: &TokenId) -> Result<Option<TokenState>> {
    let sql = "SELECT c.name AS name, l.revoked_at AS token_revoked_at, c.disabled_at AS disabled_at,
                c.revoked_at AS revoked_at, c.expires_at AS hard_end_at,
                COALESCE(s.revoked_at, k.revoked_at, f.revoked_at) AS authenticator_revoked_at,
                COALESCE(s.retires_at, k.retires_at) AS retires_at
         FROM ledger AS l JOIN credentials AS c ON c.client_id = l.client_id
              LEFT JOIN client_secrets AS s ON s.id = l.authenticator_id
              LEFT JOIN client_keys AS k ON k.id = l.authenticator_id
              LEFT JOIN federated_identities AS f ON f.id = l.authenticator_id
         WHERE l.jti = $1";
    sql!(sql; jti).optional(on).await
}

/// Ends one token; false when there is no live token with this identifier.
pub(crate) async fn revoke_token(transaction: &mut Transaction, jti: &TokenId, now: Timestamp) -> Result<bool> {
    sql!("UPDATE ledger SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL"; now, jti).changed(transaction).await
}

/// Ends the tokens of a credential that were issued since `oldest` and live at `now`. Returns how many ended. The
/// second half finds exchanges that were not rolled up yet.
pub(crate) async fn end_live_tokens(
    transaction: &mut Transaction,
    client_id: &ClientId,
    oldest: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    let sql = "UPDATE ledger SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1 AND jti IN (
             SELECT jti FROM credential_exchanges WHERE client_id = $2 AND jti >= $3
             UNION ALL SELECT l.jti FROM pending_exchanges AS p JOIN ledger AS l ON l.jti = p.jti
             WHERE l.client_id = $2)";
    sql!(sql; now, client_id, first_jti(oldest)).affected(transaction).await
}

/// Condition: the authenticator that the token `l` was made with still works at the moment in this parameter.
macro_rules! is_of_live_authenticator {
    ($now:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM client_secrets AS a WHERE a.id = l.authenticator_id
                         AND (a.revoked_at IS NOT NULL OR a.retires_at <= ",
            $now,
            ")) AND NOT EXISTS (SELECT 1 FROM client_keys AS a WHERE a.id = l.authenticator_id
                         AND (a.revoked_at IS NOT NULL OR a.retires_at <= ",
            $now,
            ")) AND NOT EXISTS (SELECT 1 FROM federated_identities AS a WHERE a.id = l.authenticator_id
                         AND a.revoked_at IS NOT NULL)"
        )
    };
}
pub(crate) use is_of_live_authenticator;

/// The tokens of the credential `$1` since the identifier `$2` that live at the moment `$3`.
pub(crate) const LIVE_TOKENS: &str = concat!(
    "SELECT COUNT(*) AS tokens, MAX(l.expires_at) AS last_end
         FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti
         WHERE f.client_id = $1 AND f.jti >= $2 AND l.expires_at > $3 AND l.revoked_at IS NULL AND ",
    is_of_live_authenticator!("$3")
);

/// The exchanges of the credential `$1` since the identifier `$2`.
pub(crate) const EXCHANGES: &str = "SELECT COUNT(*) AS exchanges, COUNT(DISTINCT l.address) AS addresses
         FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti WHERE f.client_id = $1 AND f.jti >= $2";

/// See [`Impact`]. `day_ago` and `longest_ago` bound the part of the index that is read.
pub(crate) async fn impact(
    store: &Store,
    client_id: &ClientId,
    now: Timestamp,
    day_ago: Timestamp,
    longest_ago: Timestamp,
) -> Result<Impact> {
    let (exchanges, addresses) = sql!(EXCHANGES; client_id, first_jti(day_ago)).one(store).await?;
    let (live_tokens, last_token_ends_at) =
        sql!(LIVE_TOKENS; client_id, first_jti(longest_ago), now).one(store).await?;
    Ok(Impact { exchanges, addresses, live_tokens, last_token_ends_at })
}

/// The use of a credential since a moment.
pub struct Reach {
    /// Number of exchanges.
    pub exchanges: i64,
    /// The addresses that they came from, with the number of each, the most frequent first.
    pub addresses: Vec<(String, i64)>,
    /// The MCP servers that the tokens were for, with the number of each.
    pub servers: Vec<(McpServerId, i64)>,
}

/// The MCP servers of the exchanges of the credential `$1` since the identifier `$2`.
pub(crate) const REACHED_SERVERS: &str = "SELECT l.server_id AS server_id, COUNT(*) AS n
         FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti WHERE f.client_id = $1 AND f.jti >= $2
         GROUP BY l.server_id ORDER BY n DESC";

/// The addresses of the exchanges of the credential `$1` since the identifier `$2`, at most `$3`.
pub(crate) const REACHED_ADDRESSES: &str = "SELECT COALESCE(l.address, '') AS address, COUNT(*) AS n
         FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti WHERE f.client_id = $1 AND f.jti >= $2
         GROUP BY COALESCE(l.address, '') ORDER BY n DESC, 1 LIMIT $3";

/// See [`Reach`]. At most `most` addresses.
pub(crate) async fn reach(store: &Store, client_id: &ClientId, since: Timestamp, most: i64) -> Result<Reach> {
    let addresses = sql!(REACHED_ADDRESSES; client_id, first_jti(since), most).all(store).await?;
    let servers: Vec<(McpServerId, i64)> =
        sql!(REACHED_SERVERS; client_id, first_jti(since)).about("ledger").all(store).await?;
    Ok(Reach { exchanges: servers.iter().map(|(_, count)| count).sum(), addresses, servers })
}

/// The smallest `jti` that can have been issued at `moment`.
pub(crate) fn first_jti(moment: Timestamp) -> String {
    format!("tok_{}", base62::fixed_width(u64::try_from(moment.millis()).unwrap_or(0), 9))
}

/// One exchange, for the list of recent ones.
pub struct RecentExchange {
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// Granted scopes.
    pub scope: String,
    /// The MCP server.
    pub server: McpServerId,
    /// The address that the request came from.
    pub address: Option<String>,
}

/// The newest exchanges of the credential `$1`, at most `$2`.
pub(crate) const RECENT: &str =
    "SELECT l.jti AS jti, l.issued_at AS issued_at, l.scope AS scope, l.server_id AS server_id, l.address AS address
         FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti WHERE f.client_id = $1
         ORDER BY f.jti DESC LIMIT $2";

row! { "ledger" => RecentExchange { issued_at, scope, server = "server_id", address } }

/// The newest exchanges of a credential.
pub(crate) async fn recent(store: &Store, client_id: &ClientId, limit: i64) -> Result<Vec<RecentExchange>> {
    sql!(RECENT; client_id, limit).all(store).await
}
