-- Interactive clients of the third kind, 'document': client_id is the address of a document that describes the client, and
-- described_at the moment at which it was last read.
ALTER TABLE interactive_clients ADD COLUMN described_at BIGINT;

-- Clients that nobody uses are removed, which must not read every code.
CREATE INDEX authorization_codes_by_client ON authorization_codes (client_id);
