-- Networks from which a client proved itself with an imported secret: "<client ID> <network>". Wrong guesses of other
-- networks do not count for these.
CREATE TABLE known_networks (
    network      TEXT   NOT NULL PRIMARY KEY,
    succeeded_at BIGINT NOT NULL
);

-- Imported secrets have no hint. The overview counts them until they are rotated.
CREATE INDEX client_secrets_imported ON client_secrets (client_id) WHERE hint = '' AND revoked_at IS NULL AND retires_at IS NULL;
