-- What a webhook sends: standard (Standard Webhooks, signed), or slack (a text, as Slack and others that copy it read).
ALTER TABLE webhooks ADD COLUMN format TEXT NOT NULL DEFAULT 'standard';
