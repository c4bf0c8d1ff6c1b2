-- Where a credential publishes its keys. Without it the keys were given.
ALTER TABLE credentials ADD COLUMN jwks_uri TEXT;
