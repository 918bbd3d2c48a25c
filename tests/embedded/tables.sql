CREATE TABLE clock (
        id        INTEGER PRIMARY KEY CHECK (id = 0),
        working   INTEGER NOT NULL,
        time      INTEGER NOT NULL
    ) STRICT;
CREATE TABLE ended (
        user      INTEGER PRIMARY KEY,
        at        INTEGER NOT NULL
    ) STRICT;
CREATE TABLE entries (
        room      INTEGER NOT NULL REFERENCES rooms (id),
        seq       INTEGER NOT NULL,
        id        INTEGER NOT NULL,
        -- Not a reference: entries outlive their producer's record, whose id is never given again.
        producer  INTEGER NOT NULL,
        n         INTEGER NOT NULL,
        digest    TEXT    NOT NULL,
        json      TEXT    NOT NULL,
        PRIMARY KEY (room, seq),
        UNIQUE (producer, n)
    ) STRICT;
CREATE TABLE holders (
        place     BLOB    NOT NULL, -- a keyed hash
        token     BLOB    NOT NULL REFERENCES sessions (token) ON DELETE CASCADE,
        PRIMARY KEY (place, token)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE members (
        id        INTEGER PRIMARY KEY, -- the order of joining
        user      INTEGER NOT NULL,
        room      INTEGER NOT NULL REFERENCES rooms (id), mark_epoch INTEGER NOT NULL DEFAULT 0, mark_seq   INTEGER NOT NULL DEFAULT 0,
        UNIQUE (user, room)
    ) STRICT;
CREATE TABLE probe (filler BLOB NOT NULL) STRICT;
CREATE TABLE producers (
        id        INTEGER PRIMARY KEY AUTOINCREMENT,
        room      INTEGER NOT NULL REFERENCES rooms (id),
        user      INTEGER NOT NULL,
        p         INTEGER NOT NULL,
        last      INTEGER NOT NULL,
        seen_at   INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 1,
        UNIQUE (room, user, p)
    ) STRICT;
CREATE TABLE quotas (
        key       BLOB    NOT NULL PRIMARY KEY,
        full_at   INTEGER NOT NULL -- the moment, unless a token is taken before
    ) STRICT, WITHOUT ROWID;
CREATE TABLE rooms (
        id        INTEGER PRIMARY KEY,
        key       TEXT    NOT NULL UNIQUE,
        name      TEXT    NOT NULL,
        epoch     INTEGER NOT NULL,
        seq       INTEGER NOT NULL, -- of the log's last entry, 0 before the first
        top_id    INTEGER NOT NULL, -- that entry's id
        active_at INTEGER NOT NULL  -- that entry's time, or the room's creation
    , listed_at INTEGER NOT NULL DEFAULT 0, folded TEXT, drawn  TEXT) STRICT;
CREATE TABLE secret (value BLOB NOT NULL) STRICT;
CREATE TABLE sessions (
        token     BLOB    NOT NULL PRIMARY KEY,
        user      INTEGER NOT NULL,
        name      TEXT    NOT NULL,
        name_key  TEXT    NOT NULL UNIQUE,
        seen_at   INTEGER NOT NULL
    , name_drawn TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE sqlite_sequence(name,seq);
CREATE INDEX holders_by_session ON holders (token);
CREATE INDEX producers_of_voids ON producers (seen_at) WHERE sent = 0;
CREATE INDEX quotas_by_time ON quotas (full_at);
CREATE INDEX rooms_by_activity ON rooms (listed_at);
CREATE INDEX rooms_by_drawn  ON rooms (drawn);
CREATE INDEX rooms_by_folded ON rooms (folded);
CREATE UNIQUE INDEX sessions_by_name_drawn ON sessions (name_drawn);
