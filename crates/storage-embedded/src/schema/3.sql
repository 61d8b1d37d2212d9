-- How many bytes the records of the messages for an account have that is away.

ALTER TABLE accounts ADD COLUMN offline_bytes INTEGER NOT NULL DEFAULT 0;

UPDATE accounts SET offline_bytes =
    (SELECT coalesce(sum(length(record)), 0) FROM offline_messages WHERE account = accounts.id);
