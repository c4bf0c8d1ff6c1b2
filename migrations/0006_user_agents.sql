-- With which program a credential was used last, and with which one it was refused last.
ALTER TABLE credentials ADD COLUMN last_used_agent TEXT;
ALTER TABLE refusal_hours ADD COLUMN last_agent TEXT;
