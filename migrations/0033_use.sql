-- Exchanges by credential and hour (hours since the epoch), by secret, key or identity, and by MCP server. Rows that an
-- earlier version of the program counted are in usage_hours.
CREATE TABLE exchange_hours (
    client_id        TEXT   NOT NULL,
    hour             BIGINT NOT NULL,
    authenticator_id TEXT   NOT NULL,
    server_id        TEXT   NOT NULL,
    exchanges        BIGINT NOT NULL,
    PRIMARY KEY (client_id, hour, authenticator_id, server_id)
) WITHOUT ROWID;
CREATE INDEX exchange_hours_by_hour ON exchange_hours (hour);

-- The same exchanges by the team that owned the credential, and refused exchanges by team and cause. A chart of many
-- credentials over 90 days reads these few rows. The MCP server of exchanges that were counted earlier is empty.
CREATE TABLE team_exchange_hours (
    hour      BIGINT NOT NULL,
    team_id   TEXT   NOT NULL,
    server_id TEXT   NOT NULL,
    exchanges BIGINT NOT NULL,
    PRIMARY KEY (hour, team_id, server_id)
) WITHOUT ROWID;
INSERT INTO team_exchange_hours (hour, team_id, server_id, exchanges)
    SELECT u.hour, c.team_id, '', SUM(u.exchanges) FROM usage_hours AS u JOIN credentials AS c ON c.client_id = u.client_id
    GROUP BY u.hour, c.team_id;

CREATE TABLE team_refusal_hours (
    hour     BIGINT NOT NULL,
    team_id  TEXT   NOT NULL,
    cause    TEXT   NOT NULL,
    refusals BIGINT NOT NULL,
    PRIMARY KEY (hour, team_id, cause)
) WITHOUT ROWID;
INSERT INTO team_refusal_hours (hour, team_id, cause, refusals)
    SELECT r.hour, c.team_id, r.cause, SUM(r.refusals) FROM refusal_hours AS r JOIN credentials AS c ON c.client_id = r.client_id
    GROUP BY r.hour, c.team_id, r.cause;

-- Steps of the checklist on the overview that a person ticks, and the row that says that the list is dismissed.
CREATE TABLE checklist (
    step    TEXT   NOT NULL PRIMARY KEY,
    done_at BIGINT NOT NULL
) WITHOUT ROWID;
