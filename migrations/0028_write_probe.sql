-- A server writes this one row to see whether exchanges can be written. It holds nothing else.
CREATE TABLE write_probe (
    id BIGINT PRIMARY KEY,
    written_at BIGINT NOT NULL
);
