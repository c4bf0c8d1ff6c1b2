-- Tables and columns get the names that the code and the documents use. SQLite cannot rename an index, so an index
-- whose name holds an earlier name of its table is dropped and created again.

-- Programs that act for people are clients; what a person lets one do is a consent.
ALTER TABLE interactive_clients RENAME TO clients;
DROP INDEX interactive_clients_by_kind;
CREATE INDEX clients_by_kind ON clients (kind, created_at, client_id);
ALTER TABLE clients RENAME COLUMN made_by_id TO created_by_id;

ALTER TABLE grants RENAME TO consents;
DROP INDEX grants_by_person;
DROP INDEX grants_by_client;
DROP INDEX grants_by_created;
DROP INDEX grants_by_status;
CREATE INDEX consents_by_person ON consents (person_id, created_at, id);
CREATE INDEX consents_by_client ON consents (client_id, created_at);
CREATE INDEX consents_by_created ON consents (created_at, id);
CREATE INDEX consents_by_status ON consents (status_index);

ALTER TABLE grant_tokens RENAME TO consent_tokens;
ALTER TABLE consent_tokens RENAME COLUMN grant_id TO consent_id;
DROP INDEX grant_tokens_by_grant;
DROP INDEX grant_tokens_by_end;
CREATE INDEX consent_tokens_by_consent ON consent_tokens (consent_id, jti);
CREATE INDEX consent_tokens_by_end ON consent_tokens (expires_at);

ALTER TABLE authorization_codes RENAME COLUMN grant_id TO consent_id;
ALTER TABLE refresh_tokens RENAME COLUMN grant_id TO consent_id;
DROP INDEX refresh_tokens_by_grant;
CREATE INDEX refresh_tokens_by_consent ON refresh_tokens (consent_id);

-- An exchange is pending until the roll-up has written it under its credential.
ALTER TABLE unfiled_exchanges RENAME TO pending_exchanges;
ALTER TABLE filed_exchanges RENAME TO credential_exchanges;

-- One word for the moment after which a thing does not work by itself: expires_at. A credential's ends_at is another
-- one: the latest moment at which any of its secrets, keys and identities can work, kept for lists.
ALTER TABLE sessions RENAME COLUMN ends_at TO expires_at;
ALTER TABLE consents RENAME COLUMN ends_at TO expires_at;
ALTER TABLE personal_tokens RENAME COLUMN ends_at TO expires_at;
ALTER TABLE credentials RENAME COLUMN hard_end_at TO expires_at;

-- A form makes other things than credentials, too.
ALTER TABLE form_submissions RENAME COLUMN client_id TO made_id;
