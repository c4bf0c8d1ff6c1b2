-- Until when the document that describes a client is believed without being read again.
ALTER TABLE clients ADD COLUMN described_until BIGINT;
-- Defaults that differ in an instance that was made before they changed.
CREATE TABLE earlier_defaults (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO earlier_defaults (name, value)
SELECT 'client_id_metadata_documents', 'off' WHERE EXISTS (SELECT 1 FROM instance_keys);
