//! `consents` and what belongs to them: `authorization_codes`, `refresh_tokens`, `consent_tokens`.

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::id::{AppClientId, ConsentId, McpServerId, PersonId, TokenId};
use crate::crypto::secret::SecretHash;
use crate::model::client::consent::{Consent, ConsentQuery, EndCause, IDLE_LIMIT, ListedConsent, REPEATABLE};
use crate::model::credential::usage::Bar;
use crate::model::server::scope::Scopes;
use crate::store::columns::millis;
use crate::store::credential::contains_pattern;
use crate::store::token::ledger::first_jti;
use crate::store::{Engine, FromRow, On, Result, Store, Transaction, composed_sql, row, sql, to_elements, to_json};

/// What an authorization code was issued for.
pub(crate) struct Code {
    pub person: PersonId,
    pub client_id: AppClientId,
    /// The redirect URI that the authorization request named.
    pub redirect_uri: String,
    /// The S256 challenge (RFC 7636 §4.2).
    pub challenge: String,
    pub server_id: McpServerId,
    pub scopes: Scopes,
    pub expires_at: Timestamp,
    /// The consent that it was redeemed for.
    pub consent: Option<ConsentId>,
}

pub(crate) async fn insert_code(transaction: &mut Transaction, hash: &SecretHash, code: &Code) -> Result<()> {
    sql!(
        "INSERT INTO authorization_codes
             (code_hash, person_id, client_id, redirect_uri, challenge, server_id, scopes, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        hash, code.person, code.client_id, code.redirect_uri, code.challenge, code.server_id, code.scopes,
        code.expires_at
    )
    .execute(transaction)
    .await
}

row! { "authorization_codes" => Code {
    person = "person_id", client_id, redirect_uri, challenge, server_id, scopes, expires_at, consent = "consent_id"
} }

pub(crate) async fn code(transaction: &mut Transaction, hash: &SecretHash) -> Result<Option<Code>> {
    let sql = "SELECT person_id, client_id, redirect_uri, challenge, server_id, scopes, expires_at, consent_id
         FROM authorization_codes WHERE code_hash = $1";
    sql!(sql; hash).optional(transaction).await
}

/// Records the consent that the code was redeemed for.
pub(crate) async fn use_code(transaction: &mut Transaction, hash: &SecretHash, consent: &ConsentId) -> Result<()> {
    sql!("UPDATE authorization_codes SET consent_id = $1 WHERE code_hash = $2"; consent, hash)
        .execute(transaction)
        .await
}

pub(crate) async fn insert(transaction: &mut Transaction, consent: &Consent) -> Result<()> {
    sql!(
        "INSERT INTO consents (id, person_id, client_id, server_id, scopes, redirect_host, status_index, created_at,
                               expires_at, last_used_at, last_used_from)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        consent.id, consent.person, consent.client_id, consent.server_id, consent.scopes, consent.redirect_host,
        consent.status_index, consent.created_at, consent.expires_at, consent.last_used_at, consent.last_used_from
    )
    .execute(transaction)
    .await
}

/// The columns of a consent `g`.
const COLUMNS: &str = "g.id AS id, g.person_id AS person_id, g.client_id AS client_id, g.server_id AS server_id,
    g.scopes AS scopes, g.redirect_host AS redirect_host, g.status_index AS status_index, g.created_at AS created_at,
    g.expires_at AS expires_at, g.last_used_at AS last_used_at, g.last_used_from AS last_used_from,
    g.leaked_at AS leaked_at, g.ended_at AS ended_at, g.end_cause AS end_cause";

row! { "consents" => Consent {
    id, person = "person_id", client_id, server_id, scopes, redirect_host, status_index, created_at, expires_at,
    last_used_at, last_used_from, leaked_at, ended_at, end_cause
} }

pub(crate) async fn find_in(transaction: &mut Transaction, id: &ConsentId) -> Result<Option<Consent>> {
    composed_sql!("SELECT {COLUMNS} FROM consents AS g WHERE g.id = $1"; id).optional(transaction).await
}

row! { "consents" => ListedConsent {
    consent: FromRow::from_row, person_name, client_name, client_kind, client_disabled_at
} }

fn select_listed() -> String {
    format!(
        "SELECT {COLUMNS}, p.name AS person_name, c.name AS client_name, c.kind AS client_kind,
                c.disabled_at AS client_disabled_at
         FROM consents AS g JOIN people AS p ON p.id = g.person_id
              JOIN clients AS c ON c.client_id = g.client_id"
    )
}

/// Whose consents are listed.
#[derive(Clone, Copy)]
pub(crate) enum ConsentOwner<'id> {
    Person(&'id PersonId),
    Client(&'id AppClientId),
}

/// The consents that live at `now`, newest first.
pub(crate) async fn list(
    store: &Store,
    owner: ConsentOwner<'_>,
    after: Option<&Cursor>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedConsent>> {
    let sql = list_sql(owner);
    let owner = match owner {
        ConsentOwner::Person(id) => id.as_str(),
        ConsentOwner::Client(id) => id.as_str(),
    };
    let (at, id) = after.map_or((i64::MAX, ""), |place| (place.at.millis(), place.id.as_str()));
    composed_sql!("{sql}"; now, now.minus(IDLE_LIMIT), limit, owner, at, id).all(store).await
}

/// The statement of [`list`]. Its parameters are two moments, the limit, the owner, and the cursor: a moment and an
/// identifier.
pub(crate) fn list_sql(owner: ConsentOwner<'_>) -> String {
    let of = match owner {
        ConsentOwner::Person(_) => "g.person_id = $4",
        ConsentOwner::Client(_) => "g.client_id = $4",
    };
    let listed = select_listed();
    format!(
        "{listed} WHERE {of} AND g.ended_at IS NULL AND g.expires_at > $1 AND g.last_used_at > $2
             AND (g.created_at, g.id) < ($5, $6)
         ORDER BY g.created_at DESC, g.id DESC LIMIT $3"
    )
}

/// The consents for a client that have ended at `now`, the latest end first.
pub(crate) async fn list_ended(
    store: &Store,
    client: &AppClientId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedConsent>> {
    let sql = list_ended_sql();
    composed_sql!("{sql}"; client, now, now.minus(IDLE_LIMIT), millis(IDLE_LIMIT), limit).all(store).await
}

/// The statement of [`list_ended`]. Its parameters are the client, two moments, a time, and the limit.
pub(crate) fn list_ended_sql() -> String {
    let listed = select_listed();
    format!(
        "{listed} WHERE g.client_id = $1 AND (g.ended_at IS NOT NULL OR g.expires_at <= $2 OR g.last_used_at <= $3)
         ORDER BY COALESCE(g.ended_at, CASE WHEN g.last_used_at + $4 < g.expires_at THEN g.last_used_at + $4
                                            ELSE g.expires_at END) DESC, g.id DESC LIMIT $5"
    )
}

/// The consents of a query that live at `now`, newest first: of all people or of `person`.
pub(crate) async fn search(
    store: &Store,
    query: &ConsentQuery,
    person: Option<&PersonId>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedConsent>> {
    let sql = search_sql(person.is_some(), query.server.is_some());
    let (at, id) = query.after.as_ref().map_or((i64::MAX, ""), |place| (place.at.millis(), place.id.as_str()));
    let name = query.search.as_deref().map(contains_pattern);
    composed_sql!("{sql}"; now, now.minus(IDLE_LIMIT), limit, person, at, id, &query.server, name).all(store).await
}

/// The statement of [`search`]. Its parameters are those of [`list_sql`], the server, and a pattern for a name in lower
/// case. It reads along the index of the server, of the person, or of all consents in the order of the list.
pub(crate) fn search_sql(of_person: bool, of_server: bool) -> String {
    let listed = select_listed();
    let person = if of_person { "g.person_id = $4" } else { "CAST($4 AS TEXT) IS NULL" };
    let server = if of_server { "g.server_id = $7" } else { "CAST($7 AS TEXT) IS NULL" };
    format!(
        "{listed} WHERE {person} AND {server} AND g.ended_at IS NULL AND g.expires_at > $1 AND g.last_used_at > $2
             AND (CAST($8 AS TEXT) IS NULL OR LOWER(p.name) LIKE $8 ESCAPE '\\' OR LOWER(c.name) LIKE $8 ESCAPE '\\')
             AND (g.created_at, g.id) < ($5, $6)
         ORDER BY g.created_at DESC, g.id DESC LIMIT $3"
    )
}

/// The consents for this server that live at `now`, newest first: of all people or of `person`, with any scope or with
/// one of the scopes `giving`.
pub(crate) async fn list_of_server(
    store: &Store,
    server: &McpServerId,
    person: Option<&PersonId>,
    giving: Option<&Scopes>,
    after: Option<&Cursor>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedConsent>> {
    let sql = list_of_server_sql(store.engine());
    let (at, id) = after.map_or((i64::MAX, ""), |place| (place.at.millis(), place.id.as_str()));
    let (used, giving) = (now.minus(IDLE_LIMIT), giving.map(to_elements));
    composed_sql!("{sql}"; now, used, limit, person, at, id, server, giving).all(store).await
}

/// The statement of [`list_of_server`]. Its parameters are those of [`list_sql`], the server, and a list of
/// scopes.
pub(crate) fn list_of_server_sql(engine: Engine) -> String {
    let (listed, has_scope) = (select_listed(), engine.has_one_of("g.scopes", "$8"));
    format!(
        "{listed} WHERE g.server_id = $7 AND (CAST($4 AS TEXT) IS NULL OR g.person_id = $4)
             AND g.ended_at IS NULL AND g.expires_at > $1 AND g.last_used_at > $2
             AND {has_scope} AND (g.created_at, g.id) < ($5, $6)
         ORDER BY g.created_at DESC, g.id DESC LIMIT $3"
    )
}

pub(crate) async fn find_listed(transaction: &mut Transaction, id: &ConsentId) -> Result<Option<ListedConsent>> {
    let listed = select_listed();
    composed_sql!("{listed} WHERE g.id = $1"; id).optional(transaction).await
}

/// A token that belongs to a consent.
#[derive(Clone, Copy)]
pub(crate) enum ConsentTokenRef<'token> {
    /// A refresh token, used or not.
    RefreshToken(&'token SecretHash),
    /// An access token.
    AccessToken(&'token TokenId),
    /// A device code that was redeemed.
    DeviceCode(&'token SecretHash),
}

/// The consent that a refresh token or an access token belongs to, also when the token or the consent has ended.
pub(crate) async fn find_by(store: &Store, token: ConsentTokenRef<'_>) -> Result<Option<ListedConsent>> {
    let (of, value) = match token {
        ConsentTokenRef::RefreshToken(hash) => {
            ("SELECT consent_id FROM refresh_tokens WHERE token_hash = $1", hash.as_str())
        }
        ConsentTokenRef::DeviceCode(hash) => {
            ("SELECT consent_id FROM device_codes WHERE device_hash = $1", hash.as_str())
        }
        ConsentTokenRef::AccessToken(jti) => ("SELECT consent_id FROM consent_tokens WHERE jti = $1", jti.as_str()),
    };
    let listed = select_listed();
    composed_sql!("{listed} WHERE g.id = ({of})"; value).optional(store).await
}

/// The scopes of the person's consents for this client and server that live at `now`.
pub(crate) async fn granted(
    store: &Store,
    person: &PersonId,
    client: &AppClientId,
    server: &McpServerId,
    now: Timestamp,
) -> Result<Vec<Scopes>> {
    let sql =
        "SELECT scopes FROM consents WHERE person_id = $1 AND client_id = $2 AND server_id = $3 AND ended_at IS NULL
             AND expires_at > $4 AND last_used_at > $5 LIMIT 100";
    sql!(sql; person, client, server, now, now.minus(IDLE_LIMIT)).about("consents").all(store).await
}

/// Records a use.
pub(crate) async fn mark_used(
    transaction: &mut Transaction,
    id: &ConsentId,
    now: Timestamp,
    address: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE consents SET last_used_at = $1, last_used_from = $2 WHERE id = $3";
    sql!(sql; now, address, id).execute(transaction).await
}

/// A selection of consents.
#[derive(Clone, Copy)]
pub(crate) enum ConsentSelection<'id> {
    One(&'id ConsentId),
    OfClient(&'id AppClientId),
    OfPerson(&'id PersonId),
    All,
}

/// Ends consents. Returns how many had not ended before.
pub(crate) async fn end(
    transaction: &mut Transaction,
    which: ConsentSelection<'_>,
    now: Timestamp,
    cause: EndCause,
) -> Result<u64> {
    let (condition, value) = match which {
        ConsentSelection::One(id) => ("id = $3", id.as_str()),
        ConsentSelection::OfClient(id) => ("client_id = $3", id.as_str()),
        ConsentSelection::OfPerson(id) => ("person_id = $3", id.as_str()),
        ConsentSelection::All => ("id <> $3", ""),
    };
    composed_sql!(
        "UPDATE consents SET ended_at = $1, end_cause = $2 WHERE {condition} AND ended_at IS NULL";
        now, cause, value
    )
    .affected(transaction)
    .await
}

/// How many consents of the person live at `now`.
pub(crate) async fn count_live(on: impl On<'_>, person: &PersonId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS live FROM consents
         WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3";
    sql!(sql; person, now, now.minus(IDLE_LIMIT)).one(on).await
}

/// How many consents for the client live at `now`.
pub(crate) async fn count_live_of_client(store: &Store, client: &AppClientId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS live FROM consents
         WHERE client_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3";
    sql!(sql; client, now, now.minus(IDLE_LIMIT)).one(store).await
}

/// How many consents for each of these clients live at `now`. A client without one is left out.
pub(crate) async fn count_live_by_client(
    store: &Store,
    clients: &[&AppClientId],
    now: Timestamp,
) -> Result<Vec<(String, i64)>> {
    let asked: Vec<[&str; 1]> = clients.iter().map(|id| [id.as_str()]).collect();
    let elements = store.engine().elements("$1", "asked");
    composed_sql!(
        "SELECT client_id, COUNT(*) AS n FROM consents WHERE client_id IN (SELECT asked.value ->> 0 FROM {elements})
             AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3 GROUP BY client_id";
        to_json(&asked), now, now.minus(IDLE_LIMIT)
    )
    .about("consents")
    .all(store)
    .await
}

/// Deletes the codes of a person that were not redeemed.
pub(crate) async fn forget_codes_of_person(transaction: &mut Transaction, person: &PersonId) -> Result<()> {
    let sql = "DELETE FROM authorization_codes WHERE person_id = $1 AND consent_id IS NULL";
    sql!(sql; person).execute(transaction).await
}

/// Deletes the codes of a client that were not redeemed.
pub(crate) async fn forget_codes_of_client(transaction: &mut Transaction, client: &AppClientId) -> Result<()> {
    let sql = "DELETE FROM authorization_codes WHERE client_id = $1 AND consent_id IS NULL";
    sql!(sql; client).execute(transaction).await
}

/// Whether this is the hash of a code or a refresh token that was ever issued.
pub(crate) async fn is_known(store: &Store, hash: &SecretHash) -> Result<bool> {
    let sql = "SELECT 1 AS known FROM authorization_codes WHERE code_hash = $1
         UNION ALL SELECT 1 FROM refresh_tokens WHERE token_hash = $1";
    sql!(sql; hash).exists(store).await
}

/// Whether this is the hash of a refresh token that works at `now`: it was not used before, or a moment ago, was not
/// revoked, and has not ended.
pub(crate) async fn is_usable(store: &Store, hash: &SecretHash, now: Timestamp) -> Result<bool> {
    let sql = "SELECT 1 AS usable FROM refresh_tokens
         WHERE token_hash = $1 AND (used_at IS NULL OR used_at >= $3) AND revoked_at IS NULL AND expires_at > $2";
    sql!(sql; hash, now, now.minus(REPEATABLE)).exists(store).await
}

/// A refresh token, as it is stored.
pub(crate) struct RefreshToken {
    pub consent: ConsentId,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// The hash of the refresh token that replaced it.
    pub successor: Option<String>,
    pub revoked_at: Option<Timestamp>,
}

pub(crate) async fn insert_refresh_token(
    transaction: &mut Transaction,
    hash: &SecretHash,
    consent: &ConsentId,
    expires_at: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO refresh_tokens (token_hash, consent_id, expires_at) VALUES ($1, $2, $3)";
    sql!(sql; hash, consent, expires_at).execute(transaction).await
}

row! { "refresh_tokens" => RefreshToken { consent = "consent_id", expires_at, used_at, successor, revoked_at } }

/// The refresh token with this hash.
pub(crate) async fn refresh_token(transaction: &mut Transaction, hash: &str) -> Result<Option<RefreshToken>> {
    let sql = "SELECT consent_id, expires_at, used_at, successor, revoked_at FROM refresh_tokens WHERE token_hash = $1";
    sql!(sql; hash).optional(transaction).await
}

/// Records the first use of a refresh token, and the token that replaced it.
pub(crate) async fn use_refresh_token(
    transaction: &mut Transaction,
    hash: &SecretHash,
    successor: &SecretHash,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE refresh_tokens SET used_at = $1, successor = $2 WHERE token_hash = $3";
    sql!(sql; now, successor, hash).execute(transaction).await
}

/// An access token of a consent.
pub(crate) struct ConsentToken<'token> {
    pub jti: &'token TokenId,
    pub consent: &'token ConsentId,
    pub scope: &'token Scopes,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub address: Option<&'token str>,
}

pub(crate) async fn insert_token(transaction: &mut Transaction, token: &ConsentToken<'_>) -> Result<()> {
    sql!(
        "INSERT INTO consent_tokens (jti, consent_id, scope, issued_at, expires_at, address)
         VALUES ($1, $2, $3, $4, $5, $6)";
        token.jti, token.consent, token.scope, token.issued_at, token.expires_at, token.address
    )
    .execute(transaction)
    .await
}

/// What a protected resource must know about a consent's token besides its signature.
pub(crate) struct TokenState {
    /// The number of the newest audit entry at that moment.
    pub seq: i64,
    pub person: PersonId,
    pub person_name: String,
    pub client_id: AppClientId,
    pub client_name: String,
    pub token_revoked_at: Option<Timestamp>,
    pub grant_ended_at: Option<Timestamp>,
    pub person_disabled_at: Option<Timestamp>,
    pub client_removed_at: Option<Timestamp>,
    pub client_disabled_at: Option<Timestamp>,
}

row! { "consent_tokens" => TokenState {
    seq, person = "person_id", person_name, client_id, client_name, token_revoked_at = "revoked_at",
    grant_ended_at = "ended_at", person_disabled_at = "disabled_at", client_removed_at = "removed_at",
    client_disabled_at
} }

impl TokenState {
    /// Why the token is not accepted; `None` when it is.
    pub(crate) fn end_cause(&self) -> Option<&'static str> {
        let ended = [self.token_revoked_at, self.grant_ended_at, self.client_removed_at];
        let is_revoked = ended.iter().any(Option::is_some).then_some("revoked");
        let is_disabled = self.client_disabled_at.map(|_| "the client is disabled");
        is_revoked.or(self.person_disabled_at.map(|_| "the person is disabled")).or(is_disabled)
    }
}

pub(crate) async fn token_state(on: impl On<'_>, jti: &TokenId) -> Result<Option<TokenState>> {
    let sql = "SELECT t.revoked_at AS revoked_at, g.ended_at AS ended_at, g.person_id AS person_id,
                g.client_id AS client_id, p.name AS person_name, p.disabled_at AS disabled_at, c.name AS client_name,
                c.removed_at AS removed_at, c.disabled_at AS client_disabled_at,
                (SELECT seq FROM audit_head WHERE id = 1) AS seq
         FROM consent_tokens AS t JOIN consents AS g ON g.id = t.consent_id JOIN people AS p ON p.id = g.person_id
              JOIN clients AS c ON c.client_id = g.client_id WHERE t.jti = $1";
    sql!(sql; jti).by_key().optional(on).await
}

/// How many access tokens the client `$1` got from the hour `$2` on, by bars of `length` hours. `$3` is the smallest
/// `jti` of that hour, along which the tokens of each consent are read.
pub(crate) fn bars_sql(length: i64) -> String {
    format!(
        "SELECT t.issued_at / 3600000 / {length} * {length} AS bar, COUNT(*) AS n
         FROM consents AS g JOIN consent_tokens AS t ON t.consent_id = g.id
         WHERE g.client_id = $1 AND t.issued_at / 3600000 >= $2 AND t.jti >= $3 GROUP BY 1"
    )
}

/// How many access tokens the client got from the hour `first` on, by bars of `length` hours. Empty bars are left out.
pub(crate) async fn bars(store: &Store, client: &AppClientId, first: i64, length: i64) -> Result<Vec<Bar>> {
    let (sql, jti) = (bars_sql(length), first_jti(Timestamp::from_millis(first * 3_600_000)));
    let rows: Vec<(i64, i64)> = composed_sql!("{sql}"; client, first, jti).about("consent_tokens").all(store).await?;
    Ok(rows.into_iter().map(|(hour, exchanges)| Bar { hour, exchanges, refusals: 0 }).collect())
}

/// Ends one access token; false when there is no live token with this identifier.
pub(crate) async fn revoke_token(transaction: &mut Transaction, jti: &TokenId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE consent_tokens SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL";
    sql!(sql; now, jti).changed(transaction).await
}
