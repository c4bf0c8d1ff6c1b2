-- Links with which people set another password. A row is there while its link works: it is deleted when the link was
-- used or replaced. `password_of` is when the password was set that the link replaces.
CREATE TABLE password_links (
    token_hash   TEXT   NOT NULL PRIMARY KEY,
    person_id    TEXT   NOT NULL REFERENCES people (id),
    password_of  BIGINT NOT NULL,
    -- Empty: the command line.
    made_by      TEXT   NOT NULL,
    made_by_name TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX password_links_by_person ON password_links (person_id);
