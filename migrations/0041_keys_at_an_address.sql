-- Where the program of a credential publishes its keys. Without both columns the keys were given.
ALTER TABLE credentials ADD COLUMN jwks_uri TEXT;
-- A client ID metadata document: its address is a second client identifier. One working credential has it.
ALTER TABLE credentials ADD COLUMN document TEXT;
-- Since when the program publishes the key no more. Without it a person ended the key, and it does not come back.
ALTER TABLE client_keys ADD COLUMN unpublished_at BIGINT;
CREATE UNIQUE INDEX credentials_by_document ON credentials (document) WHERE document IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX credentials_ever_by_document ON credentials (document, revoked_at) WHERE document IS NOT NULL;
