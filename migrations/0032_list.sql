-- The moment until which a secret or token that was reported as leaked still works, at the latest; without one, the
-- credential is not leaked. Each change of a secret and each report keeps it.
ALTER TABLE credentials ADD COLUMN leak_ends_at BIGINT;
UPDATE credentials SET leak_ends_at = (
    SELECT MAX(CASE WHEN COALESCE(retires_at, 9223372036854775807) < COALESCE(expires_at, 9223372036854775807)
        THEN retires_at ELSE COALESCE(expires_at, 9223372036854775807) END)
    FROM client_secrets WHERE client_secrets.client_id = credentials.client_id AND leaked_at IS NOT NULL
        AND client_secrets.revoked_at IS NULL)
WHERE revoked_at IS NULL
    AND client_id IN (SELECT client_id FROM client_secrets WHERE leaked_at IS NOT NULL AND revoked_at IS NULL);
CREATE INDEX credentials_leaked ON credentials (leak_ends_at) WHERE leak_ends_at IS NOT NULL;

-- Filters of the list, and the search for the last characters of a secret.
CREATE INDEX credentials_by_method ON credentials (auth_method, created_at, client_id);
CREATE INDEX client_secrets_by_hint ON client_secrets (hint, client_id);
