-- What a CRM keeps beside its tasks so that both sides stay in step. One row is a task, or one occurrence of a series.
CREATE TABLE IF NOT EXISTS tasks (
    task_id          TEXT    NOT NULL,
    occurrence       TEXT    NOT NULL DEFAULT '',   -- original start; empty: the task itself
    version          INTEGER NOT NULL,              -- of what stands here
    sent_version     INTEGER NOT NULL DEFAULT 0,    -- what Kafka has confirmed; less than version: to be sent
    fields           TEXT    NOT NULL,              -- JSON: the members of task-changed that a user sees
    edited           TEXT    NOT NULL DEFAULT '{}', -- JSON: field -> version in which the user last edited it
    changed_at       TEXT    NOT NULL DEFAULT '',   -- when that was
    send_updates     TEXT    NOT NULL DEFAULT '',   -- whom to mail about the edit that is to be sent
    applied_sequence INTEGER NOT NULL DEFAULT 0,    -- the last update that was looked at
    known_sequence   INTEGER NOT NULL DEFAULT 0,    -- the last one up to which everything was taken over: appliedUpdateSeq
    behind           INTEGER NOT NULL DEFAULT 0,    -- 1: a field was kept back since then
    deleted          INTEGER NOT NULL DEFAULT 0,
    split_from       TEXT    NOT NULL DEFAULT '',   -- the series this one goes on from,
    split_at         TEXT    NOT NULL DEFAULT '',   -- at this occurrence
    event            TEXT    NOT NULL DEFAULT '{}', -- JSON: what calbridge said about the event, for show
    failure          TEXT    NOT NULL DEFAULT '',   -- the sentence to show, empty when all is well
    conflicts        TEXT    NOT NULL DEFAULT '[]', -- JSON: both versions of each field in conflict
    PRIMARY KEY (task_id, occurrence)
);

-- The consumer group of this file: a new file reads the topic from the beginning.
CREATE TABLE IF NOT EXISTS reader (group_id TEXT NOT NULL);
