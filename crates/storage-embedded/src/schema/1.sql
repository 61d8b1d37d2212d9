-- Accounts, what they authenticate with, their rosters, and messages for those that are away.
-- Rows of one account lie together: the key of every large table starts with the account.

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    local TEXT NOT NULL,
    roster_version INTEGER NOT NULL DEFAULT 0,
    roster_floor INTEGER NOT NULL DEFAULT 0,
    -- the last position that was given, whether or not its message is still there
    offline_last INTEGER NOT NULL DEFAULT 0,
    -- how many messages are there
    offline_held INTEGER NOT NULL DEFAULT 0,
    UNIQUE (host, local)
) STRICT;

CREATE TABLE credentials (
    account INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    record BLOB NOT NULL
) STRICT;

CREATE TABLE roster_items (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    jid TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (account, jid)
) STRICT, WITHOUT ROWID;

CREATE TABLE roster_tombstones (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    jid TEXT NOT NULL,
    removed INTEGER NOT NULL,
    PRIMARY KEY (account, jid)
) STRICT, WITHOUT ROWID;

CREATE TABLE offline_messages (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (account, position)
) STRICT, WITHOUT ROWID;

-- What the writer writes to learn whether a store that failed works again.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    written BLOB NOT NULL
) STRICT;
