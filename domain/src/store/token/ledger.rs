//! `ledger`: reads issued tokens, and revokes one. [`super::batch`] records new tokens.

use crate::base::clock::Timestamp;
use crate::base::encoding::base62;
use crate::base::id::{AuthenticatorId, ClientId, McpServerId, TokenId};
use crate::model::credential::Impact;
use crate::model::origin::Origin;
use crate::model::token::AuthenticatorState;
use crate::store::credential::authenticators;
use crate::store::person::team;
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
    /// The number of the newest audit entry at that moment.
    pub seq: i64,
    pub credential_name: String,
    pub token_revoked_at: Option<Timestamp>,
    pub authenticator_revoked_at: Option<Timestamp>,
    pub authenticator_retires_at: Option<Timestamp>,
    pub credential_disabled_at: Option<Timestamp>,
    pub credential_revoked_at: Option<Timestamp>,
    pub hard_end_at: Option<Timestamp>,
}

row! { "ledger" => TokenState {
    seq, credential_name = "name", token_revoked_at, authenticator_revoked_at, authenticator_retires_at = "retires_at",
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
                COALESCE(s.retires_at, k.retires_at) AS retires_at, (SELECT seq FROM audit_head WHERE id = 1) AS seq
         FROM ledger AS l JOIN credentials AS c ON c.client_id = l.client_id
              LEFT JOIN client_secrets AS s ON s.id = l.authenticator_id
              LEFT JOIN client_keys AS k ON k.id = l.authenticator_id
              LEFT JOIN federated_identities AS f ON f.id = l.authenticator_id
         WHERE l.jti = $1";
    sql!(sql; jti).by_key().optional(on).await
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

/// A token, and the secret, key or identity that it was exchanged for.
pub struct LedgerToken {
    /// Its identifier.
    pub jti: TokenId,
    /// Whose it is.
    pub client_id: ClientId,
    authenticator: AuthenticatorId,
    authenticator_name: String,
    /// The MCP server that it is for.
    pub server: McpServerId,
    /// The granted scopes.
    pub scope: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The address that asked for it.
    pub address: Option<String>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) authenticator_revoked_at: Option<Timestamp>,
    pub(crate) authenticator_retires_at: Option<Timestamp>,
}

impl LedgerToken {
    /// The name of what was exchanged for the token: the last characters of the secret, the label of the key, or the
    /// subject of the identity.
    pub fn exchanged(&self) -> String {
        match &self.authenticator {
            AuthenticatorId::Secret(_) if self.authenticator_name.is_empty() => "imported secret".to_owned(),
            AuthenticatorId::Secret(_) => format!("css_…{}", self.authenticator_name),
            _ => self.authenticator_name.clone(),
        }
    }
}

row! { "ledger" => LedgerToken {
    jti, client_id, authenticator = "authenticator_id", authenticator_name, server = "server_id", scope, issued_at,
    expires_at, address, revoked_at, authenticator_revoked_at, authenticator_retires_at = "retires_at"
} }

/// The columns of a [`LedgerToken`], and the tables of what it may have been exchanged for.
macro_rules! token_columns {
    () => {
        "l.jti AS jti, l.client_id AS client_id, l.authenticator_id AS authenticator_id, l.server_id AS server_id,
         l.scope AS scope, l.issued_at AS issued_at, l.expires_at AS expires_at, l.address AS address,
         l.revoked_at AS revoked_at, COALESCE(s.hint, k.label, i.subject, '') AS authenticator_name,
         COALESCE(s.revoked_at, k.revoked_at, i.revoked_at) AS authenticator_revoked_at,
         COALESCE(s.retires_at, k.retires_at) AS retires_at"
    };
}
macro_rules! token_authenticators {
    () => {
        "LEFT JOIN client_secrets AS s ON s.id = l.authenticator_id
         LEFT JOIN client_keys AS k ON k.id = l.authenticator_id
         LEFT JOIN federated_identities AS i ON i.id = l.authenticator_id"
    };
}

/// The token with this identifier, also when it has ended.
pub(crate) async fn find_token(on: impl On<'_>, jti: &TokenId) -> Result<Option<LedgerToken>> {
    let sql = concat!("SELECT ", token_columns!(), " FROM ledger AS l ", token_authenticators!(), " WHERE l.jti = $1");
    sql!(sql; jti).optional(on).await
}

/// The tokens of the credential `$1` from the identifier `$2` up to but not including `$3` that live at the moment
/// `$4`, newest first, at most `$5`.
pub(crate) const LISTED_TOKENS: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti ",
    token_authenticators!(),
    " WHERE f.client_id = $1 AND f.jti >= $2 AND f.jti < $3 AND l.expires_at > $4 AND l.revoked_at IS NULL AND ",
    is_of_live_authenticator!("$4"),
    " ORDER BY f.jti DESC LIMIT $5"
);

/// The live tokens of a credential that were issued since `since` and, where a token is named, before that one.
pub(crate) async fn live_tokens(
    store: &Store,
    client_id: &ClientId,
    since: Timestamp,
    before: Option<&TokenId>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<LedgerToken>> {
    // A tilde comes after each character of an identifier.
    let before = before.map_or("tok_~", TokenId::as_str);
    sql!(LISTED_TOKENS; client_id, first_jti(since), before, now, limit).all(store).await
}

/// Ends one token; false when there is no live token with this identifier.
pub(crate) async fn revoke_token(transaction: &mut Transaction, jti: &TokenId, now: Timestamp) -> Result<bool> {
    sql!("UPDATE ledger SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL"; now, jti).changed(transaction).await
}

/// The tokens of the credential `$1` since the identifier `$2` that live at the moment `$3`.
pub(crate) const LIVE_TOKENS: &str = concat!(
    "SELECT COUNT(*) AS tokens, MAX(l.expires_at) AS last_end
         FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti
         WHERE f.client_id = $1 AND f.jti >= $2 AND l.expires_at > $3 AND l.revoked_at IS NULL AND ",
    is_of_live_authenticator!("$3")
);

/// How many tokens of the newest exchanges live, and whether there are further exchanges that were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveCount {
    /// How many live.
    pub tokens: i64,
    /// Whether there may be more.
    pub or_more: bool,
}

/// The live tokens of credentials whose teams are behind `key`, among the newest exchanges since `longest_ago`. The
/// number of exchanges that are read is bounded, so the time does not grow with the use.
pub(crate) async fn count_live(
    store: &Store,
    key: Option<&str>,
    now: Timestamp,
    longest_ago: Timestamp,
) -> Result<LiveCount> {
    const MOST: i64 = 10_000;
    let teams = if key.is_none() { "$4 IS NULL" } else { concat!("c.team_id IN ", team::of!("$4")) };
    let is_of_live_authenticator = is_of_live_authenticator!("$2");
    let (tokens, read): (i64, i64) = composed_sql!(
        "SELECT CAST(COALESCE(SUM(CASE WHEN l.expires_at > $2 AND l.revoked_at IS NULL AND EXISTS
                     (SELECT 1 FROM credentials AS c WHERE c.client_id = l.client_id AND c.revoked_at IS NULL
                      AND c.disabled_at IS NULL AND {teams}) AND {is_of_live_authenticator} THEN 1 ELSE 0 END), 0)
                     AS BIGINT) AS tokens, COUNT(*) AS n
         FROM (SELECT * FROM ledger WHERE jti >= $1 ORDER BY jti DESC LIMIT $3) AS l";
        first_jti(longest_ago), now, MOST, key
    )
    .one(store)
    .await?;
    Ok(LiveCount { tokens, or_more: read == MOST })
}

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

/// The use of a credential. Each count has four values: the exchanges since each of four moments, the earliest first.
pub struct Reach {
    /// Number of exchanges.
    pub exchanges: [i64; 4],
    /// The addresses that they came from, the most frequent first.
    pub addresses: Vec<Reached>,
    /// The identifiers of the MCP servers that the tokens were for, the most frequent first.
    pub servers: Vec<Reached>,
}

/// An address or an MCP server in the use of a credential.
pub struct Reached {
    /// The address; empty when it is not known. Or the identifier of the MCP server.
    pub name: String,
    /// Number of exchanges.
    pub exchanges: [i64; 4],
    /// The first of them since the earliest moment.
    pub first_at: Timestamp,
    /// The last of them.
    pub last_at: Timestamp,
}

row! { "ledger" => Reached {
    name,
    exchanges: |columns| Ok([columns.get("n1")?, columns.get("n2")?, columns.get("n3")?, columns.get("n4")?]),
    first_at,
    last_at,
} }

/// The most exchanges of a credential that are read for its [`Reach`]: the newest ones.
pub(crate) const MOST_READ: i64 = 200_000;

/// The exchanges of the credential `$1` since the identifier `$2`, by `$by`: their numbers since the identifiers `$2`
/// to `$5`. At most `$6` exchanges are read, and at most `$7` rows are returned.
macro_rules! reached {
    ($by:literal) => {
        concat!(
            "SELECT ",
            $by,
            " AS name, COUNT(*) AS n1, CAST(SUM(CASE WHEN f.jti >= $3 THEN 1 ELSE 0 END) AS BIGINT) AS n2,
                CAST(SUM(CASE WHEN f.jti >= $4 THEN 1 ELSE 0 END) AS BIGINT) AS n3,
                CAST(SUM(CASE WHEN f.jti >= $5 THEN 1 ELSE 0 END) AS BIGINT) AS n4,
                MIN(l.issued_at) AS first_at, MAX(l.issued_at) AS last_at
             FROM (SELECT jti FROM credential_exchanges WHERE client_id = $1 AND jti >= $2 ORDER BY jti DESC LIMIT $6) AS f
             JOIN ledger AS l ON l.jti = f.jti GROUP BY ",
            $by,
            " ORDER BY n1 DESC, 1 LIMIT $7"
        )
    };
}

pub(crate) const REACHED_SERVERS: &str = reached!("l.server_id");
pub(crate) const REACHED_ADDRESSES: &str = reached!("COALESCE(l.address, '')");

/// See [`Reach`]. At most `most` addresses.
pub(crate) async fn reach(store: &Store, client_id: &ClientId, since: [Timestamp; 4], most: i64) -> Result<Reach> {
    let [first, second, third, fourth] = since.map(first_jti);
    let reached = async |sql, most| -> Result<Vec<Reached>> {
        sql!(sql; client_id, first, second, third, fourth, MOST_READ, most).all(store).await
    };
    let (addresses, servers) = (reached(REACHED_ADDRESSES, most).await?, reached(REACHED_SERVERS, i64::MAX).await?);
    let exchanges = [0, 1, 2, 3].map(|period| servers.iter().map(|server| server.exchanges[period]).sum());
    Ok(Reach { exchanges, addresses, servers })
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

/// Exchanges from one address for one MCP server, within a time.
pub(crate) struct UseFrom {
    pub address: String,
    pub server: McpServerId,
    pub exchanges: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The first exchange from this address before that time. Only the newest [`MOST_READ`] earlier exchanges are
    /// read. `None`: the address is new.
    pub known_since: Option<Timestamp>,
}

row! { "ledger" => UseFrom { address, server = "server_id", exchanges = "n", first_at, last_at, known_since } }

/// The exchanges of the credential `$1` within a time, by address and MCP server, and the addresses that exchanged
/// before. Of very many exchanges the newest of each part are read.
const USED_WITHIN: &str = "(SELECT COALESCE(l.address, '') AS address, l.server_id AS server_id, COUNT(*) AS n,
            MIN(l.issued_at) AS first_at, MAX(l.issued_at) AS last_at
     FROM (SELECT jti FROM credential_exchanges WHERE client_id = $1 AND jti >= $2 AND jti < $3
           ORDER BY jti DESC LIMIT $4) AS f JOIN ledger AS l ON l.jti = f.jti
     GROUP BY COALESCE(l.address, ''), l.server_id) AS u
     LEFT JOIN (SELECT COALESCE(l.address, '') AS address, MIN(l.issued_at) AS first_at
           FROM (SELECT jti FROM credential_exchanges WHERE client_id = $1 AND jti < $2
                 ORDER BY jti DESC LIMIT $4) AS f JOIN ledger AS l ON l.jti = f.jti
           GROUP BY COALESCE(l.address, '')) AS k ON k.address = u.address";

/// The exchanges of a credential from one moment until before another, by address and MCP server: new addresses first,
/// then the most frequent, at most `most` rows.
pub(crate) async fn used_within(
    store: &Store,
    client_id: &ClientId,
    (from, until): (Timestamp, Timestamp),
    most: i64,
) -> Result<Vec<UseFrom>> {
    composed_sql!(
        "SELECT u.address AS address, u.server_id AS server_id, u.n AS n, u.first_at AS first_at,
                u.last_at AS last_at, k.first_at AS known_since
         FROM {USED_WITHIN}
         ORDER BY CASE WHEN k.first_at IS NULL THEN 0 ELSE 1 END, u.n DESC, u.address, u.server_id LIMIT $5";
        client_id, first_jti(from), first_jti(until), MOST_READ, most
    )
    .all(store)
    .await
}

/// The first exchange from this address before a moment, or `None`. Only the newest [`MOST_READ`] earlier exchanges are
/// read.
pub(crate) async fn known_since(
    store: &Store,
    client_id: &ClientId,
    address: &str,
    before: Timestamp,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(l.issued_at) AS first_at
         FROM (SELECT jti FROM credential_exchanges WHERE client_id = $1 AND jti < $2
               ORDER BY jti DESC LIMIT $3) AS f JOIN ledger AS l ON l.jti = f.jti WHERE COALESCE(l.address, '') = $4";
    let found: Option<Option<Timestamp>> =
        sql!(sql; client_id, first_jti(before), MOST_READ, address).about("ledger").optional(store).await?;
    Ok(found.flatten())
}

/// How many exchanges there were within that time, and how many of them from new addresses.
pub(crate) async fn count_within(
    store: &Store,
    client_id: &ClientId,
    (from, until): (Timestamp, Timestamp),
) -> Result<(i64, i64)> {
    composed_sql!(
        "SELECT CAST(COALESCE(SUM(u.n), 0) AS BIGINT) AS n,
                CAST(COALESCE(SUM(CASE WHEN k.first_at IS NULL THEN u.n ELSE 0 END), 0) AS BIGINT) AS fresh
         FROM {USED_WITHIN}";
        client_id, first_jti(from), first_jti(until), MOST_READ
    )
    .about("ledger")
    .one(store)
    .await
}

/// The tokens of a credential that were issued since `longest_ago`, lived until the moment `at`, and were refused from
/// then on.
pub(crate) async fn count_ended(
    store: &Store,
    client_id: &ClientId,
    longest_ago: Timestamp,
    at: Timestamp,
) -> Result<i64> {
    const ENDED: &str = concat!(
        "SELECT COUNT(*) AS n FROM credential_exchanges AS f JOIN ledger AS l ON l.jti = f.jti
              JOIN credentials AS c ON c.client_id = l.client_id
         WHERE f.client_id = $1 AND f.jti >= $2 AND l.issued_at <= $3 AND l.expires_at > $3
           AND (l.revoked_at IS NULL OR l.revoked_at >= $3)
           AND (l.revoked_at = $3 OR c.revoked_at <= $3 OR c.disabled_at <= $3 OR NOT (",
        is_of_live_authenticator!("$3"),
        "))"
    );
    sql!(ENDED; client_id, first_jti(longest_ago), at).about("ledger").one(store).await
}
