-- Secrets that somebody reported as leaked, and where they were found.
ALTER TABLE client_secrets ADD COLUMN leaked_at BIGINT;
ALTER TABLE client_secrets ADD COLUMN leaked_where TEXT;
