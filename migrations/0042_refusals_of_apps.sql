-- Why clients that act for people got no token, by the hour. As for credentials, the newest refusal of an hour says
-- where it came from.
CREATE TABLE client_refusal_hours (
    client_id    TEXT NOT NULL,
    hour         BIGINT NOT NULL,
    cause        TEXT NOT NULL,
    refusals     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    last_address TEXT,
    last_agent   TEXT,
    last_detail  TEXT,
    PRIMARY KEY (client_id, hour, cause)
);
CREATE INDEX client_refusal_hours_by_hour ON client_refusal_hours (hour);
