//! `policies`, the credentials that do not comply with one, and `credential_reviews`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, TeamId};
use crate::model::credential::AuthMethod;
use crate::model::operations::policy::{
    NARROW_IPV4, NARROW_IPV6, Policies, Policy, PolicyMode, PolicyName, PolicyTerms, proof_word,
};
use crate::store::columns::millis;
use crate::store::person::team;
use crate::store::{Columns, On, Result, Store, Transaction, composed_sql, row, sql, to_json};

/// Credentials are counted up to here.
pub(crate) const MOST_COUNTED: i64 = 1000;

row! { "policies" => Policy {
    name: |columns| parsed(columns, "name", PolicyName::parse), mode: |columns| parsed(columns, "mode", PolicyMode::parse),
    terms: terms, enforced_at, changed: |columns| Ok(Some((columns.get("changed_at")?, columns.get("changed_by_name")?)))
} }

fn parsed<T>(columns: &Columns<'_>, column: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    let word: String = columns.get(column)?;
    parse(&word).ok_or_else(|| columns.inconsistent(format!("{column} is {word:?}")))
}

/// The terms as they are stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTerms {
    limit: u32,
    words: BTreeSet<String>,
    teams: BTreeMap<String, BTreeSet<String>>,
}

fn terms(columns: &Columns<'_>) -> Result<PolicyTerms> {
    let StoredTerms { limit, words, teams } = columns.json("terms")?;
    let team = |(id, words): (String, _)| match TeamId::parse(&id) {
        Some(team) => Ok((team, words)),
        None => Err(columns.inconsistent(format!("terms name the team {id:?}"))),
    };
    Ok(PolicyTerms { limit, words, teams: teams.into_iter().map(team).collect::<Result<_>>()? })
}

/// All policies. A policy that only a later build knows does not hold here: refusing everything because of it would
/// stop the builds of both during an upgrade.
pub(crate) async fn all(on: impl On<'_>) -> Result<Policies> {
    let sql = "SELECT name, mode, terms, enforced_at, changed_at, changed_by_name FROM policies
         WHERE name IN ('secret_lifetime', 'token_lifetime', 'expiry', 'address_ranges', 'proof', 'second_factor',
                        'generation', 'review')";
    Ok(Policies::of(sql!(sql).all(on).await?))
}

/// Stores a policy.
pub(crate) async fn set(transaction: &mut Transaction, policy: &Policy, by: &str, now: Timestamp) -> Result<()> {
    let PolicyTerms { limit, words, teams } = &policy.terms;
    let teams = teams.iter().map(|(team, words)| (team.to_string(), words.clone())).collect();
    let terms = to_json(&StoredTerms { limit: *limit, words: words.clone(), teams });
    let sql = "INSERT INTO policies (name, mode, terms, enforced_at, changed_at, changed_by_name)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET mode = $2, terms = $3, enforced_at = $4,
             changed_at = $5, changed_by_name = $6";
    sql!(sql; policy.name.as_str(), policy.mode.as_str(), terms, policy.enforced_at, now, by).execute(transaction).await
}

/// A credential that does not comply.
#[derive(Debug, Clone)]
pub struct Affected {
    /// Its identifier.
    pub client_id: ClientId,
    /// Its name.
    pub name: String,
    /// The name of its team.
    pub team: String,
    /// The team.
    pub team_id: TeamId,
    /// When it was generated.
    pub created_at: Timestamp,
    /// Its last exchange.
    pub last_used_at: Option<Timestamp>,
    /// When the team last confirmed it; when it was generated, if it never did.
    pub confirmed_at: Timestamp,
    /// Who confirmed it, by name.
    pub confirmed_by: Option<String>,
}

row! { "credentials" => Affected {
    client_id, name, team = "team_name", team_id, created_at, last_used_at, confirmed_at, confirmed_by = "confirmed_by_name"
} }

const COLUMNS: &str = "c.client_id AS client_id, c.name AS name, t.name AS team_name, c.team_id AS team_id,
     c.created_at AS created_at, c.last_used_at AS last_used_at, COALESCE(r.confirmed_at, c.created_at) AS confirmed_at,
     r.confirmed_by_name AS confirmed_by_name";

/// What an affected credential is read from.
const FROM: &str = "credentials AS c JOIN teams AS t ON t.id = c.team_id
     LEFT JOIN credential_reviews AS r ON r.client_id = c.client_id";

/// Condition on `c`: it was not revoked, and has not ended at the moment `$1`.
const LIVE: &str = "c.revoked_at IS NULL AND (c.ends_at IS NULL OR c.ends_at > $1)";

/// The oldest credentials that do not comply with a policy, at most `most` of them, and how many there are. The count
/// stops at [`MOST_COUNTED`] + 1. Nothing for a policy about people.
pub(crate) async fn affected(
    store: &Store,
    policy: &Policy,
    now: Timestamp,
    most: i64,
) -> Result<(Vec<Affected>, i64)> {
    let engine = store.engine();
    let PolicyTerms { limit, words, teams } = &policy.terms;
    let (words_table, teams_table) = (engine.elements("$3", "asked"), engine.elements("$4", "special"));
    // As `counts` of the model decides for a draft. A range is stored without the bits that its prefix leaves out.
    let wide = |zeros: &'static str, longest: u8| (0..longest).map(move |prefix| format!("%{zeros}/{prefix}\"%"));
    let wide = wide(".0.0.0", NARROW_IPV4).chain(wide("::", NARROW_IPV6));
    let wide = wide.map(|pattern| format!("c.ip_ranges LIKE '{pattern}'")).collect::<Vec<_>>().join(" OR ");
    let wide = format!("({wide})");
    let condition = match policy.name {
        PolicyName::SecretLifetime => "EXISTS (SELECT 1 FROM client_secrets AS s WHERE s.client_id = c.client_id
             AND s.revoked_at IS NULL AND s.retires_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $1)
             AND (s.expires_at IS NULL OR s.expires_at > s.created_at + $2)
             AND (c.expires_at IS NULL OR c.expires_at > s.created_at + $2))"
            .to_owned(),
        PolicyName::TokenLifetime => "(c.token_lifetime > $2 OR (c.token_lifetime IS NULL AND EXISTS
             (SELECT 1 FROM mcp_servers AS m JOIN credential_access AS a ON a.server_id = m.id AND a.scope = ''
                  AND a.revoked = 0 AND a.team_id = c.team_id AND a.created_at = c.created_at
                  AND a.client_id = c.client_id WHERE m.token_lifetime > $2)))"
            .to_owned(),
        PolicyName::Expiry => "c.ends_at IS NULL".to_owned(),
        PolicyName::AddressRanges => format!(
            "(c.ip_ranges = '[]' OR {wide}) AND EXISTS (SELECT 1 FROM {words_table} WHERE
                 REPLACE(' ' || c.scopes || ' ', ' ' || (asked.value ->> 0) || ' ', '') <> ' ' || c.scopes || ' ')"
        ),
        PolicyName::Proof => format!(
            "CASE WHEN EXISTS (SELECT 1 FROM {teams_table} WHERE special.value ->> 0 = c.team_id)
                  THEN NOT EXISTS (SELECT 1 FROM {teams_table} WHERE special.value ->> 0 = c.team_id
                                   AND special.value ->> 1 = c.auth_method)
                  ELSE NOT EXISTS (SELECT 1 FROM {words_table} WHERE asked.value ->> 0 = c.auth_method) END"
        ),
        PolicyName::Review => "c.disabled_at IS NULL AND COALESCE(r.confirmed_at, c.created_at) + $2 <= $1".to_owned(),
        PolicyName::SecondFactor | PolicyName::Generation => return Ok((Vec::new(), 0)),
    };
    let days = millis(std::time::Duration::from_secs(24 * 3600) * *limit);
    let number = match policy.name {
        PolicyName::TokenLifetime => i64::from(*limit) * 60,
        _ => days,
    };
    let methods = |words: &BTreeSet<String>| {
        let known = AuthMethod::ALL.into_iter().filter(|method| words.contains(proof_word(*method)));
        known.map(AuthMethod::as_str).collect::<Vec<_>>()
    };
    let words: Vec<[&str; 1]> = match policy.name {
        PolicyName::Proof => methods(words).into_iter().map(|method| [method]).collect(),
        _ => words.iter().map(|word| [word.as_str()]).collect(),
    };
    let special =
        teams.iter().flat_map(|(team, words)| methods(words).into_iter().map(move |one| [team.as_str(), one]));
    let (words, special) = (to_json(&words), to_json(&special.collect::<Vec<_>>()));
    // Each parameter stands in each statement: PostgreSQL refuses one whose type it cannot tell.
    let used = "CAST($2 AS BIGINT) IS NOT NULL AND CAST($3 AS TEXT) IS NOT NULL AND CAST($4 AS TEXT) IS NOT NULL";
    let list = composed_sql!(
        "SELECT {COLUMNS} FROM {FROM} WHERE {used} AND {LIVE} AND {condition} ORDER BY c.created_at, c.client_id LIMIT $5";
        now, number, words, special, most
    );
    let found: Vec<Affected> = list.all(store).await?;
    if i64::try_from(found.len()).is_ok_and(|found| found < most) {
        let count = i64::try_from(found.len()).unwrap_or(most);
        return Ok((found, count));
    }
    let count = composed_sql!(
        "SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM {FROM} WHERE {used} AND {LIVE} AND {condition}
             LIMIT $5) AS counted"; now, number, words, special, MOST_COUNTED + 1
    );
    Ok((found, count.about("credentials").one(store).await?))
}

/// The credentials of [`FROM`] that work at the moment `$3`, of the teams that the key `$1` sees, and that were
/// confirmed or generated up to the moment `$2`.
const UNCONFIRMED: &str = concat!(
    "c.revoked_at IS NULL AND c.disabled_at IS NULL AND (c.ends_at IS NULL OR c.ends_at > $3) AND c.created_at <= $2
     AND COALESCE(r.confirmed_at, c.created_at) <= $2 AND (CAST($1 AS TEXT) IS NULL OR c.team_id IN ",
    team::of!("$1"),
    ")"
);

/// How many there are, up to [`MOST_COUNTED`] + 1.
pub(crate) async fn count_unconfirmed(
    store: &Store,
    key: Option<&str>,
    before: Timestamp,
    now: Timestamp,
) -> Result<i64> {
    composed_sql!(
        "SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM {FROM} WHERE {UNCONFIRMED} LIMIT $4) AS counted";
        key, before, now, MOST_COUNTED + 1
    )
    .about("credentials")
    .one(store)
    .await
}

/// These credentials: those of long ago first, at most `most`.
pub(crate) async fn unconfirmed(
    on: impl On<'_>,
    key: Option<&str>,
    before: Timestamp,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Affected>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM {FROM} WHERE {UNCONFIRMED}
         ORDER BY COALESCE(r.confirmed_at, c.created_at), c.client_id LIMIT $4"; key, before, now, most
    )
    .all(on)
    .await
}

/// When a credential was confirmed last, and by whom.
pub(crate) async fn confirmation(on: impl On<'_>, id: &ClientId) -> Result<Option<(Timestamp, String)>> {
    let sql = "SELECT confirmed_at, confirmed_by_name FROM credential_reviews WHERE client_id = $1";
    sql!(sql; id).about("credential_reviews").optional(on).await
}

/// Notes that a credential was confirmed.
pub(crate) async fn confirm(transaction: &mut Transaction, id: &ClientId, by: &str, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO credential_reviews (client_id, confirmed_at, confirmed_by_name) VALUES ($1, $2, $3)
         ON CONFLICT (client_id) DO UPDATE SET confirmed_at = $2, confirmed_by_name = $3";
    sql!(sql; id, now, by).execute(transaction).await
}

/// Notes that the credentials were confirmed that were disabled at exactly this moment, up to this one: whoever enables
/// them says that they are needed.
pub(crate) async fn confirm_stopped(
    transaction: &mut Transaction,
    stopped_at: Timestamp,
    up_to: &ClientId,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO credential_reviews (client_id, confirmed_at, confirmed_by_name)
             SELECT client_id, $3, $4 FROM credentials
             WHERE disabled_at = $1 AND revoked_at IS NULL AND client_id <= $2
         ON CONFLICT (client_id) DO UPDATE SET confirmed_at = $3, confirmed_by_name = $4";
    sql!(sql; stopped_at, up_to, now, by).execute(transaction).await
}
