-- Each page says whether an emergency stop is in force. It finds the stops, and counts what each of them still disables,
-- without reading a table from end to end.
CREATE INDEX audit_stops ON audit (seq) WHERE action = 'emergency.stopped';
CREATE INDEX credentials_by_stop ON credentials (disabled_at) WHERE disabled_at IS NOT NULL AND revoked_at IS NULL;
-- The page of a person lists the newest credentials that they generated.
DROP INDEX credentials_by_maker;
CREATE INDEX credentials_by_maker ON credentials (created_by_id, created_at);
