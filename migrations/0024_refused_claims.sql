-- What the last refused token of this hour and cause says of its subject and of the conditions of its identity, when
-- they did not match. Only of tokens whose signature was verified, shortened, and shown to managers of the credential.
ALTER TABLE refusal_hours ADD COLUMN last_received TEXT;
