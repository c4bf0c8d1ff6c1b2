-- When something that acts for people was first reported as leaked and was left working.
ALTER TABLE interactive_clients ADD COLUMN leaked_at BIGINT;
ALTER TABLE grants ADD COLUMN leaked_at BIGINT;
ALTER TABLE personal_tokens ADD COLUMN leaked_at BIGINT;

-- Who added a client, replaced its secret last, or said last where its answers go: a person's identifier, or nothing.
ALTER TABLE interactive_clients ADD COLUMN made_by_id TEXT NOT NULL DEFAULT '';
UPDATE interactive_clients SET made_by_id = COALESCE((SELECT MIN(actor_id) FROM audit
    WHERE action = 'client.added' AND target_id = interactive_clients.client_id AND actor_kind = 'person'), '');
