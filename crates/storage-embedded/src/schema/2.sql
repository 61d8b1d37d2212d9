-- Small records that features keep for an account, and what they can be found by.

ALTER TABLE accounts ADD COLUMN data_bytes INTEGER NOT NULL DEFAULT 0;

CREATE TABLE data (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (account, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE data_terms (
    host TEXT NOT NULL,
    kind TEXT NOT NULL,
    field TEXT NOT NULL,
    text TEXT NOT NULL,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (host, kind, field, text, account, name),
    FOREIGN KEY (account, kind, name) REFERENCES data (account, kind, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What a record can be found by, when the record goes.
CREATE INDEX data_terms_of_record ON data_terms (account, kind, name);
