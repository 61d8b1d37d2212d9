-- Where the rows of each log lie, and by what they are found. All of it follows from the log itself.

-- Up to where the log is contained in the tables below.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    chain INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
    number INTEGER PRIMARY KEY,
    -- null for a log that was erased, until its rows are gone
    host TEXT,
    local TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    -- the highest id among rows that are gone
    floor_ord INTEGER NOT NULL DEFAULT -1,
    floor_salt INTEGER NOT NULL DEFAULT 0,
    UNIQUE (host, local)
) STRICT;

CREATE TABLE rows (
    account INTEGER NOT NULL,
    ord INTEGER NOT NULL,
    salt INTEGER NOT NULL,
    -- what a repeat is recognised by
    session INTEGER NOT NULL,
    count INTEGER NOT NULL,
    -- where the record lies
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    -- hashes of the correspondent's bare and full address
    bare INTEGER NOT NULL,
    "full" INTEGER,
    -- digest of the id that the sender gave the message
    origin INTEGER,
    archived INTEGER NOT NULL,
    owed INTEGER NOT NULL,
    PRIMARY KEY (account, ord)
) STRICT, WITHOUT ROWID;

CREATE INDEX rows_by_bare ON rows (account, bare, ord, origin) WHERE archived = 1;
CREATE INDEX rows_by_full ON rows (account, "full", ord) WHERE archived = 1 AND "full" IS NOT NULL;
CREATE INDEX rows_owed ON rows (account, ord) WHERE owed = 1;
CREATE INDEX rows_kept_no_more ON rows (account, ord) WHERE archived = 0 AND owed = 0;

-- How many rows ever referred to a record of the segment, and how many do.
CREATE TABLE segments (
    number INTEGER PRIMARY KEY,
    total INTEGER NOT NULL,
    live INTEGER NOT NULL
) STRICT;
