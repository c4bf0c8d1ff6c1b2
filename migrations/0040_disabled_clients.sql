-- Since when a client is stopped. Absent: it is not.
ALTER TABLE clients ADD COLUMN disabled_at BIGINT;
