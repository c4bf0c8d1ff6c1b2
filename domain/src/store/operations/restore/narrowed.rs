//! Single columns of things that an audit entry since the backup is about: which value is the narrower one.

use std::collections::{BTreeMap, HashSet};

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::audit::Target;
use crate::model::operations::{ChangedThings, Ended, How, LaterValue, SinceBackup};
use crate::model::server::access::ServerAccess;
use crate::model::server::gateway::{CallLimits, ChangePolicy, Gateway};
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, ScopeDescription};
use crate::store::operations::keys::instance_keys;
use crate::store::operations::restore::PAGE;
use crate::store::person::team;
use crate::store::server::{self, gateway};
use crate::store::{Engine, Result, Store, StoreError, composed_sql, sql, to_json};

/// Which of two values of a column is carried over.
#[derive(Clone, Copy)]
enum Rule {
    /// A moment of an end; absent: never. The earlier one.
    Earlier,
    /// A moment since which something holds; absent: it does not hold. The one of the former database, if it holds only
    /// there.
    Since,
    /// A permission, given at a moment. Its absence wins.
    Without,
    /// The value of the former database, if it differs.
    Later,
    /// A list: what is in both lists. If that is nothing, the list of the former database, because an empty list may
    /// mean "everything" or make the thing useless.
    InBoth,
    /// The same for scopes, which are one text.
    ScopesInBoth,
    /// The same for address ranges. A range counts as "in both" if a range of the other list contains it. An empty list
    /// means every address.
    RangesInBoth,
}

/// Columns of one table.
struct Columns {
    table: &'static str,
    /// The column that identifies a row.
    key: &'static str,
    /// The column with the identifier that the audit entry has.
    owner: &'static str,
    numbers: &'static [(&'static str, Rule)],
    texts: &'static [(&'static str, Rule)],
    how: How,
}

const CREDENTIALS: Columns = Columns {
    table: "credentials",
    key: "client_id",
    owner: "client_id",
    numbers: &[
        ("token_lifetime", Rule::Later),
        ("expires_at", Rule::Earlier),
        ("token_endpoint_audience_since", Rule::Without),
        ("reusable_assertions_since", Rule::Without),
        ("jwt_bearer_since", Rule::Without),
    ],
    texts: &[("scopes", Rule::ScopesInBoth), ("mcp_servers", Rule::InBoth), ("ip_ranges", Rule::RangesInBoth)],
    how: How::CredentialNarrowed,
};

const TEAMS: Columns = Columns {
    table: "credentials",
    key: "client_id",
    owner: "client_id",
    numbers: &[],
    texts: &[("team_id", Rule::Later)],
    how: How::CredentialNarrowed,
};

/// The ends of secrets and of keys. A rotation can be cancelled or get another deadline: the latest decision holds.
const ENDS: [Columns; 2] = [ends_of("client_secrets"), ends_of("client_keys")];

const fn ends_of(table: &'static str) -> Columns {
    Columns {
        table,
        key: "id",
        owner: "client_id",
        numbers: &[("retires_at", Rule::Later), ("expires_at", Rule::Earlier)],
        texts: &[],
        how: How::EndSet,
    }
}

const LEAKS: Columns = Columns {
    table: "client_secrets",
    key: "id",
    owner: "client_id",
    numbers: &[("leaked_at", Rule::Since)],
    texts: &[("leaked_where", Rule::Since)],
    how: How::Leaked,
};

const PASSWORDS: Columns = Columns {
    table: "people",
    key: "id",
    owner: "id",
    numbers: &[("password_changed_at", Rule::Later)],
    texts: &[("password_hash", Rule::Later)],
    how: How::PasswordChanged,
};

const CLIENTS: Columns = Columns {
    table: "clients",
    key: "client_id",
    owner: "client_id",
    numbers: &[("leaked_at", Rule::Since), ("device_grant_since", Rule::Without)],
    texts: &[("redirect_uris", Rule::InBoth)],
    how: How::ClientNarrowed,
};

/// The keys of clients that administrators added. Documents are read again, and what a client states that registered
/// itself decides nothing.
const KEYS: Columns = Columns {
    table: "clients",
    key: "client_id",
    owner: "client_id",
    numbers: &[],
    texts: &[("metadata", Rule::Later)],
    how: How::ClientNarrowed,
};

const PAUSES: Columns = Columns {
    table: "webhooks",
    key: "id",
    owner: "id",
    numbers: &[("paused_at", Rule::Since), ("gone_at", Rule::Since)],
    texts: &[],
    how: How::WebhookPaused,
};

const ROUTES: Columns = Columns {
    table: "webhooks",
    key: "id",
    owner: "id",
    numbers: &[("secret_made_at", Rule::Later), ("previous_until", Rule::Later)],
    texts: &[("host", Rule::Later), ("url", Rule::Later), ("secret", Rule::Later), ("previous_secret", Rule::Later)],
    how: How::WebhookChanged,
};

/// Rights of credentials, the ends of their secrets and keys, and what leaked. `gone` holds what has ended altogether.
pub(super) async fn credentials(stores: (&Store, &Store), since: &SinceBackup, gone: &[Ended]) -> Result<Vec<Ended>> {
    let things = since.things(Target::Credential);
    let mut found = Vec::new();
    for columns in [&CREDENTIALS, &ENDS[0], &ENDS[1], &LEAKS] {
        found.extend(columns.compare(stores, Target::Credential, &things).await?);
    }
    let teams: HashSet<String> = sql!("SELECT id FROM teams").collect(stores.1).await?;
    for mut moved in TEAMS.compare(stores, Target::Credential, &things).await? {
        if moved.later.iter().any(|later| later.value.as_str().is_none_or(|team| !teams.contains(team))) {
            let disabled = json!(moved.at.millis());
            moved.later = vec![CREDENTIALS.later("disabled_at", moved.id.clone(), disabled, true)];
            moved.how = How::TeamUnknown;
        }
        found.push(moved);
    }
    let ended: HashSet<&str> = gone.iter().filter(|one| one.how != How::Disabled).map(|one| one.id.as_str()).collect();
    let is_over = |one: &Ended| {
        ended.contains(one.id.as_str()) || one.client_id.as_ref().is_some_and(|id| ended.contains(id.as_str()))
    };
    found.retain(|one| !is_over(one));
    Ok(found)
}

/// Passwords that were changed.
pub(super) async fn passwords(stores: (&Store, &Store), since: &SinceBackup) -> Result<Vec<Ended>> {
    PASSWORDS.compare(stores, Target::Person, &since.things(Target::Person)).await
}

/// Clients that lost redirect URIs or the device grant, got other keys, or were reported as leaked. All clients are
/// compared, because the log does not name each client that changed itself.
pub(super) async fn clients(stores: (&Store, &Store), since: &SinceBackup) -> Result<Vec<Ended>> {
    let present =
        sql!("SELECT client_id, name, COALESCE(described_at, created_at) AS at FROM clients WHERE removed_at IS NULL");
    let present = present.all::<(String, String, Timestamp)>(stores.0).await?;
    let mut things: ChangedThings = present.into_iter().map(|(id, name, at)| (id, (name, at))).collect();
    things.extend(since.things(Target::Client));
    let mut found = CLIENTS.compare(stores, Target::Client, &things).await?;
    let added: HashSet<String> =
        sql!("SELECT client_id FROM clients WHERE kind = 'registered'").collect(stores.0).await?;
    things.retain(|id, _| added.contains(id));
    for mut changed in KEYS.compare(stores, Target::Client, &things).await? {
        match found.iter_mut().find(|one| one.id == changed.id) {
            Some(same) => same.later.append(&mut changed.later),
            None => found.push(changed),
        }
    }
    Ok(found)
}

/// Webhooks that were removed, paused, or given another address or secret. Addresses and secrets are wrapped under the
/// master key. If that was replaced since, or if only one of the databases was used by a version that binds wrapped
/// values to their rows, the values of one do not open in the other: the webhook is paused instead.
pub(super) async fn webhooks(stores: (&Store, &Store), since: &SinceBackup) -> Result<Vec<Ended>> {
    let (former, backup) = stores;
    let present: HashSet<String> = sql!("SELECT id FROM webhooks").collect(former).await?;
    let known: HashSet<String> = sql!("SELECT id FROM webhooks").collect(backup).await?;
    let gone = since.about(Target::Webhook).filter(|(id, ..)| known.contains(*id) && !present.contains(*id));
    let mut found: Vec<Ended> =
        gone.map(|(id, name, at)| ended(None, name, id, at, How::WebhookRemoved, Vec::new())).collect();
    let things = since.things(Target::Webhook);
    found.extend(PAUSES.compare(stores, Target::Webhook, &things).await?);
    let can_be_opened = wrapped_as(former).await? == wrapped_as(backup).await?;
    for mut changed in ROUTES.compare(stores, Target::Webhook, &things).await? {
        if !can_be_opened {
            changed.how = How::WebhookUnreadable;
            changed.later = vec![PAUSES.later("paused_at", changed.id.clone(), json!(changed.at.millis()), true)];
        }
        found.push(changed);
    }
    Ok(found)
}

/// MCP servers that fewer teams may use, that lost scopes or token lifetime, and that were archived or removed. Both
/// databases are compared whole: a team that was removed left every list.
pub(super) async fn servers((former, backup): (&Store, &Store), since: &SinceBackup) -> Result<Vec<Ended>> {
    let known = ServerAccess::Teams(team::list(backup, None).await?.into_iter().map(|team| team.id).collect());
    let (before, after) = (server::list(backup).await?, server::list(former).await?);
    let edits = since.things(Target::McpServer);
    let removed = since.about(Target::Team).map(|(_, _, at)| at).max();
    let mut found = Vec::new();
    for older in &before {
        let (id, at) = (older.id.as_str(), edits.get(older.id.as_str()).map(|(_, at)| *at));
        let now = after.iter().find(|server| server.id == older.id);
        // A server that is missing was removed.
        let is_archived = now.map_or(at.is_some(), McpServer::is_archived);
        let at = at.or(removed).unwrap_or(Timestamp::from_millis(0));
        let later = |table, key, column, value, is_number| LaterValue {
            table,
            key,
            id: id.to_owned(),
            column,
            value,
            is_number,
        };
        if is_archived && !older.is_archived() {
            let archived = vec![later("mcp_servers", "id", "archived_at", json!(at.millis()), true)];
            found.push(ended(None, &older.name, id, at, How::ServerArchived, archived));
        }
        let Some(now) = now else { continue };
        let mut values = Vec::new();
        if let Some(teams) = narrower_access(now, older, &known) {
            values.push(later("mcp_servers", "id", "limited_since", json!(at.millis()), true));
            values.push(later("server_teams", "server_id", "team_id", json!(teams), false));
        }
        if let Some(scopes) = narrower_scopes(now, older) {
            values.push(later("mcp_servers", "id", "scopes", json!(server::scopes_json(&scopes)), false));
            values.push(later("mcp_servers", "id", "implied_scopes", json!(server::implied_json(&scopes)), false));
        }
        if now.token_lifetime < older.token_lifetime {
            let seconds = json!(now.token_lifetime.as_secs());
            values.push(later("mcp_servers", "id", "token_lifetime", seconds, true));
        }
        let gateways = [gateway::find(backup, &older.id).await?, gateway::find(former, &older.id).await?];
        if let [Some(older), Some(now)] = &gateways {
            for (column, value, is_number) in narrower_gateway(now, older, at) {
                values.push(later("server_gateways", "server_id", column, value, is_number));
            }
        }
        if !values.is_empty() {
            found.push(ended(None, &now.name, id, at, How::ServerNarrowed, values));
        }
    }
    Ok(found)
}

/// What clients may do less at a server behind the gateway: rules, tools that must be accepted first, limits.
fn narrower_gateway(now: &Gateway, older: &Gateway, at: Timestamp) -> Vec<(&'static str, Value, bool)> {
    let mut values = Vec::new();
    let rules = now.rules.in_both(&older.rules);
    if rules != older.rules {
        values.push(("rules", json!(to_json(&rules)), false));
    }
    if now.on_change == ChangePolicy::Block && older.on_change != ChangePolicy::Block {
        values.push(("on_change", json!(now.on_change.as_str()), false));
    }
    if now.limits.is_enforced && now.limits != older.limits {
        let CallLimits { per_minute, concurrent, per_minute_each, concurrent_each, .. } = now.limits;
        values.push(("calls_per_minute", json!(per_minute), true));
        values.push(("concurrent_calls", json!(concurrent), true));
        values.push(("calls_per_minute_each", json!(per_minute_each), true));
        values.push(("concurrent_calls_each", json!(concurrent_each), true));
        values.push(("limits_enforced_since", json!(at.millis()), true));
    }
    values
}

/// The teams that both lists have, if the present list lets fewer in.
fn narrower_access(now: &McpServer, older: &McpServer, known: &ServerAccess) -> Option<Vec<String>> {
    // A team that the backup does not know is on no list of it.
    let ServerAccess::Teams(teams) = now.access.in_both(&older.access).in_both(known) else { return None };
    let is_narrower = now.access != ServerAccess::All && !older.access.is_within(&now.access);
    is_narrower.then(|| teams.iter().map(ToString::to_string).collect())
}

/// The scopes of a server after a restore: the scopes of the backup that the server still has. A scope implies another
/// one only if it does so in the backup and now. A server has at least one scope: if no scope is in both lists, the
/// server keeps its present scopes.
fn narrower_scopes(now: &McpServer, older: &McpServer) -> Option<Vec<ScopeDescription>> {
    let mut both = older.scopes.clone();
    both.retain_mut(|scope| {
        let present = now.scopes.iter().find(|present| present.name == scope.name);
        scope.implies.retain(|implied| present.is_some_and(|present| present.implies.contains(implied)));
        present.is_some()
    });
    match both.len() {
        _ if both == older.scopes => None,
        0 => Some(now.scopes.clone()),
        _ => Some(both),
    }
}

/// The form of wrapped values of a database, and the identifier of its master key: each value begins with them.
async fn wrapped_as(store: &Store) -> Result<Option<String>> {
    let keys = instance_keys(store).await?;
    Ok(keys.first().and_then(|key| key.wrapped.rsplit_once('$')).map(|(form_and_key, _)| form_and_key.to_owned()))
}

fn ended(client_id: Option<ClientId>, name: &str, id: &str, at: Timestamp, how: How, later: Vec<LaterValue>) -> Ended {
    Ended { client_id, name: name.to_owned(), id: id.to_owned(), at, how, later }
}

impl Columns {
    /// The ones of these things whose values in `former` are narrower than in `backup`.
    async fn compare(
        &self,
        (former, backup): (&Store, &Store),
        target: Target,
        things: &ChangedThings,
    ) -> Result<Vec<Ended>> {
        let mut found = Vec::new();
        let ids: Vec<&str> = things.keys().map(String::as_str).collect();
        for ids in ids.chunks(PAGE) {
            let before = self.rows(backup, ids).await?;
            for ((owner, id), values) in self.rows(former, ids).await? {
                let Some(older) = before.get(&(owner.clone(), id.clone())) else { continue };
                let later = self.narrower(&id, older, &values);
                if let (false, Some((name, at))) = (later.is_empty(), things.get(&owner)) {
                    let client = (target == Target::Credential).then(|| ClientId::parse(&owner)).flatten();
                    found.push(ended(client, name, &id, *at, self.how, later));
                }
            }
        }
        Ok(found)
    }

    /// The rows of these owners: owner and identifier, and the values in the order of the columns.
    async fn rows(&self, store: &Store, owners: &[&str]) -> Result<BTreeMap<(String, String), Vec<Value>>> {
        let Self { table, key, owner, .. } = self;
        let names: Vec<&str> = self.numbers.iter().chain(self.texts).map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let list = match store.engine() {
            Engine::Sqlite => "json_array",
            Engine::Postgres => "json_build_array",
        };
        let asked = store.engine().elements("$1", "asked");
        let owners: Vec<[&str; 1]> = owners.iter().map(|owner| [*owner]).collect();
        let rows: Vec<(String, String, String)> = composed_sql!(
            "SELECT {owner} AS owner, {key} AS row_key, CAST({list}({names}) AS TEXT) AS row_values FROM {table}
             WHERE {owner} IN (SELECT asked.value ->> 0 FROM {asked})"; to_json(&owners)
        )
        .about(self.table)
        .all(store)
        .await?;
        let read = |(owner, id, values): (String, String, String)| match serde_json::from_str(&values) {
            Ok(values) => Ok(((owner, id), values)),
            Err(error) => Err(StoreError::Inconsistent { table: self.table, detail: format!("{id}: {error}") }),
        };
        rows.into_iter().map(read).collect()
    }

    fn narrower(&self, id: &str, before: &[Value], now: &[Value]) -> Vec<LaterValue> {
        let columns =
            self.numbers.iter().map(|column| (column, true)).chain(self.texts.iter().map(|column| (column, false)));
        let compared = columns.zip(before.iter().zip(now)).filter_map(|(((name, rule), is_number), (before, now))| {
            Some(self.later(name, id.to_owned(), rule.narrower(before, now)?, is_number))
        });
        compared.collect()
    }

    fn later(&self, column: &'static str, id: String, value: Value, is_number: bool) -> LaterValue {
        LaterValue { table: self.table, key: self.key, id, column, value, is_number }
    }
}

impl Rule {
    /// The value to carry over; `None`: the value of the backup is narrow enough.
    fn narrower(self, before: &Value, now: &Value) -> Option<Value> {
        let wanted = match self {
            Self::Later => now.clone(),
            Self::Since if before.is_null() => now.clone(),
            Self::Since => return None,
            Self::Without if now.is_null() => Value::Null,
            Self::Without => return None,
            Self::Earlier => match (before.as_i64(), now.as_i64()) {
                (Some(before), Some(now)) => json!(before.min(now)),
                (before, now) => json!(before.or(now)),
            },
            Self::InBoth => {
                in_both(before, now, |now, before| now.iter().filter(|one| before.contains(one)).cloned().collect())?
            }
            Self::RangesInBoth => in_both(before, now, ranges_in_both)?,
            Self::ScopesInBoth => {
                let [before, now] = [before, now].map(|scopes| Scopes::parse(scopes.as_str().unwrap_or_default()));
                let (before, now) = before.zip(now)?;
                let both = before.intersection(&now);
                json!(if both.is_empty() { now.to_string() } else { both.to_string() })
            }
        };
        (wanted != *before).then_some(wanted)
    }
}

/// The texts of two JSON lists that `common` finds in both; else the present list.
fn in_both(before: &Value, now: &Value, common: impl Fn(&[String], &[String]) -> Vec<String>) -> Option<Value> {
    let list = |value: &Value| serde_json::from_str::<Vec<String>>(value.as_str()?).ok();
    let (before, now) = (list(before)?, list(now)?);
    let both = common(&now, &before);
    // As a set: an order says nothing.
    if both.len() == before.len() && before.iter().all(|one| both.contains(one)) {
        return None;
    }
    Some(json!(to_json(if both.is_empty() { &now } else { &both })))
}

fn ranges_in_both(now: &[String], before: &[String]) -> Vec<String> {
    if now.is_empty() || before.is_empty() {
        return [now, before].concat();
    }
    let parse = |ranges: &[String]| ranges.iter().filter_map(|range| range.parse::<IpNet>().ok()).collect::<Vec<_>>();
    let (now, before) = (parse(now), parse(before));
    let inside = |inner: &[IpNet], outer: &[IpNet]| -> Vec<IpNet> {
        inner.iter().filter(|range| outer.iter().any(|other| other.contains(*range))).copied().collect()
    };
    let mut both: Vec<String> =
        [inside(&now, &before), inside(&before, &now)].concat().iter().map(ToString::to_string).collect();
    both.sort();
    both.dedup();
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_value_wins_and_an_equal_one_is_left_alone() {
        let list = |ranges: &[&str]| json!(to_json(&ranges));
        for (rule, before, now, expected) in [
            (Rule::Earlier, json!(5), json!(3), Some(json!(3))),
            (Rule::Earlier, json!(3), json!(5), None),
            (Rule::Earlier, Value::Null, json!(5), Some(json!(5))),
            (Rule::Earlier, json!(3), Value::Null, None),
            (Rule::Since, Value::Null, json!(3), Some(json!(3))),
            (Rule::Since, json!(3), Value::Null, None),
            (Rule::Without, json!(3), Value::Null, Some(Value::Null)),
            (Rule::Without, Value::Null, json!(3), None),
            (Rule::Later, json!("a"), json!("b"), Some(json!("b"))),
            (Rule::Later, json!("a"), json!("a"), None),
            (Rule::ScopesInBoth, json!("a b"), json!("b c"), Some(json!("b"))),
            (Rule::ScopesInBoth, json!("a"), json!("a b"), None),
            (Rule::ScopesInBoth, json!("a"), json!("b"), Some(json!("b"))),
            (Rule::InBoth, list(&["a", "b"]), list(&["b", "c"]), Some(list(&["b"]))),
            (Rule::InBoth, list(&["a"]), list(&["b"]), Some(list(&["b"]))),
            (Rule::InBoth, list(&["a", "b"]), list(&["b", "a"]), None),
            (Rule::RangesInBoth, list(&[]), list(&["10.0.0.0/8"]), Some(list(&["10.0.0.0/8"]))),
            (Rule::RangesInBoth, list(&["10.0.0.0/8"]), list(&[]), None),
            (Rule::RangesInBoth, list(&["10.0.0.0/8"]), list(&["10.1.0.0/16", "::/0"]), Some(list(&["10.1.0.0/16"]))),
            (Rule::RangesInBoth, list(&["10.1.0.0/16"]), list(&["10.0.0.0/8"]), None),
            (Rule::RangesInBoth, list(&["10.0.0.0/8"]), list(&["192.0.2.0/24"]), Some(list(&["192.0.2.0/24"]))),
        ] {
            assert_eq!(rule.narrower(&before, &now), expected, "{before} {now}");
        }
    }
}
