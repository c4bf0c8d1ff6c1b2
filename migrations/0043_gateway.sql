-- MCP servers behind the gateway. The value of the header is wrapped under the master key. `rules` and the definitions
-- of tools are JSON. `prompts` are the names that the server had when an administrator last looked.
CREATE TABLE server_gateways (
    server_id             TEXT NOT NULL PRIMARY KEY,
    slug                  TEXT NOT NULL UNIQUE,
    upstream              TEXT NOT NULL,
    header_name           TEXT,
    header_value          TEXT,
    identity_since        BIGINT,
    on_change             TEXT NOT NULL,
    reports_destructive   BIGINT,
    calls_per_minute      BIGINT,
    concurrent_calls      BIGINT,
    calls_per_minute_each BIGINT,
    concurrent_calls_each BIGINT,
    limits_enforced_since BIGINT,
    rules                 TEXT NOT NULL,
    prompts               TEXT NOT NULL,
    greeting_name         TEXT,
    greeting_protocol     TEXT,
    greeted_at            BIGINT,
    refused_status        BIGINT,
    refused_at            BIGINT
);
-- A tool without `seen` is no longer there. One without `accepted` is new.
CREATE TABLE gateway_tools (
    server_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    accepted    TEXT,
    accepted_at BIGINT,
    seen        TEXT,
    seen_at     BIGINT,
    PRIMARY KEY (server_id, name)
);
-- Calls by the hour. `caller` is a credential, an app or a personal token; `person` is empty unless it is an app.
CREATE TABLE call_hours (
    caller     TEXT NOT NULL,
    person     TEXT NOT NULL,
    hour       BIGINT NOT NULL,
    server_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    calls      BIGINT NOT NULL,
    total_ms   BIGINT NOT NULL,
    longest_ms BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (caller, person, hour, server_id, kind, name, outcome)
);
CREATE INDEX call_hours_by_server ON call_hours (server_id, hour);
CREATE INDEX call_hours_by_hour ON call_hours (hour);
-- The latest calls of each caller.
CREATE TABLE calls (
    caller       TEXT NOT NULL,
    person       TEXT NOT NULL,
    at           BIGINT NOT NULL,
    request_id   TEXT NOT NULL,
    place        BIGINT NOT NULL,
    server_id    TEXT NOT NULL,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    milliseconds BIGINT NOT NULL,
    address      TEXT,
    PRIMARY KEY (caller, person, at, request_id, place)
);
-- Who used which destructive tool for the first time: the webhooks are told once.
CREATE TABLE destructive_uses (
    caller    TEXT NOT NULL,
    person    TEXT NOT NULL,
    server_id TEXT NOT NULL,
    name      TEXT NOT NULL,
    first_at  BIGINT NOT NULL,
    PRIMARY KEY (caller, person, server_id, name)
);
