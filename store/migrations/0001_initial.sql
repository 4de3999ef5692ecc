-- +goose Up
-- Times are Unix milliseconds, 0 meaning never. An empty text means none.
-- Columns marked JSON are read and written whole, never searched.

CREATE TABLE channel (
    name     TEXT PRIMARY KEY CHECK (name <> ''), -- user part of the handle
    title    TEXT NOT NULL,
    summary  TEXT NOT NULL,                       -- Markdown source
    html     TEXT NOT NULL,                       -- summary made safe
    language TEXT NOT NULL,                       -- BCP 47
    avatar   TEXT NOT NULL,                       -- JSON, null if none
    header   TEXT NOT NULL,                       -- JSON, null if none
    fields   TEXT NOT NULL,                       -- JSON
    created  INTEGER NOT NULL
) STRICT;

CREATE TABLE consultation (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, not even after a draft is deleted
    id        TEXT NOT NULL UNIQUE CHECK (id <> ''),
    slug      TEXT NOT NULL UNIQUE CHECK (slug <> ''),
    channel   TEXT NOT NULL REFERENCES channel (name),
    kind      TEXT NOT NULL CHECK (kind IN ('single-choice', 'multiple-choice', 'open-question')),
    language  TEXT NOT NULL,
    title     TEXT NOT NULL,
    body      TEXT NOT NULL,                      -- Markdown source
    html      TEXT NOT NULL,                      -- body made safe
    options   TEXT NOT NULL,                      -- JSON
    hashtags  TEXT NOT NULL,                      -- JSON
    image     TEXT NOT NULL,                      -- JSON, null if none
    terms     TEXT NOT NULL,                      -- JSON
    results   TEXT NOT NULL CHECK (results IN ('at-close', 'live')),
    phase     TEXT NOT NULL CHECK (phase IN ('draft', 'scheduled', 'open', 'closed', 'withdrawn')),
    zone      TEXT NOT NULL,                      -- IANA zone
    opens_at  INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    deadline  INTEGER NOT NULL,                   -- closes_at plus the grace of the terms, or extended
    opened_at INTEGER NOT NULL,
    closed_at INTEGER NOT NULL,
    reason    TEXT NOT NULL,                      -- of an early close or a withdrawal
    extended  INTEGER NOT NULL,                   -- votes count until then, after an outage
    announced_at  INTEGER NOT NULL,               -- the destruction of its ballots: announced,
    announced_by  TEXT NOT NULL,                  -- by which key (fingerprint),
    destroying_at INTEGER NOT NULL,               -- begun
    destroyed_at  INTEGER NOT NULL                -- and done
) STRICT;

CREATE INDEX consultation_channel ON consultation (channel);
CREATE INDEX consultation_opens ON consultation (opens_at, number);

-- One row per voter and consultation: the primary key is the rule "one person,
-- one ballot". Rows lie in the order of pseudonyms, which tells nothing.
CREATE TABLE ballot (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    voter        BLOB NOT NULL CHECK (length(voter) = 16),  -- pseudonym
    counted      INTEGER NOT NULL CHECK (counted IN (0, 1)), -- 0: withdrawn, kept for the vote objects it knows
    sealed       BLOB NOT NULL CHECK (length(sealed) > 0),  -- choices, vote objects and sender, encrypted
    PRIMARY KEY (consultation, voter)
) STRICT, WITHOUT ROWID;

-- Voters of whose ballot the log does not yet say what it is. Rows lie in the
-- order of pseudonyms, and go when the log has been written.
CREATE TABLE log_waiting (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    voter        BLOB NOT NULL CHECK (length(voter) = 16),  -- pseudonym
    logged       BLOB,                                      -- the sealed ballot as the log has it
    PRIMARY KEY (consultation, voter)
) STRICT, WITHOUT ROWID;

-- The signed requests by which these ballots came, where the consultation has an
-- auditor, sealed under its key. They go when the log has been written.
CREATE TABLE evidence_waiting (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    voter        BLOB NOT NULL CHECK (length(voter) = 16),  -- pseudonym
    object       BLOB NOT NULL CHECK (length(object) = 8),  -- keyed digest of the vote object
    option       INTEGER NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (consultation, voter, object, option)
) STRICT, WITHOUT ROWID;

-- The same of a whole batch, encrypted for the auditor: nobody here can read it.
CREATE TABLE evidence (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    n            INTEGER NOT NULL CHECK (n > 0),
    sealed       BLOB NOT NULL,
    PRIMARY KEY (consultation, n)
) STRICT;

-- How far each consultation's ballot log has come.
CREATE TABLE log (
    consultation INTEGER PRIMARY KEY REFERENCES consultation (number),
    size         INTEGER NOT NULL CHECK (size > 0),
    at           INTEGER NOT NULL,
    checkpoint   TEXT NOT NULL                              -- signed, of all entries
) STRICT;

-- Its entries, which are only ever added. They are public.
CREATE TABLE log_entry (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    n            INTEGER NOT NULL CHECK (n >= 0),
    entry        TEXT NOT NULL,
    PRIMARY KEY (consultation, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX log_entry_ballot ON log_entry (consultation, substr(entry, 11, 10)) WHERE entry GLOB 'ballot/*';

-- Its Merkle tree, in tiles of 256 hashes (C2SP tlog-tiles).
CREATE TABLE log_tile (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    level        INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    hashes       BLOB NOT NULL CHECK (length(hashes) % 32 = 0),
    PRIMARY KEY (consultation, level, n)
) STRICT;

-- Its signed heads that were published.
CREATE TABLE checkpoint (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    size         INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    note         TEXT NOT NULL,
    PRIMARY KEY (consultation, size)
) STRICT, WITHOUT ROWID;

-- The files published of a closed consultation, in parts. They are public.
CREATE TABLE dataset (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    name         TEXT NOT NULL,
    part         INTEGER NOT NULL,
    content      BLOB NOT NULL,
    PRIMARY KEY (consultation, name, part)
) STRICT;

-- How many votes were not counted, by reason.
CREATE TABLE refused (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    reason       TEXT NOT NULL CHECK (reason <> ''),
    n            INTEGER NOT NULL CHECK (n > 0),
    PRIMARY KEY (consultation, reason)
) STRICT, WITHOUT ROWID;

-- Citizens' public messages.
CREATE TABLE reply (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,  -- in order of arrival, never used again
    id            TEXT NOT NULL UNIQUE CHECK (id <> ''), -- address of the remote object
    place         INTEGER,                            -- of the event that added it
    consultation  INTEGER NOT NULL REFERENCES consultation (number),
    thread        INTEGER NOT NULL CHECK (thread > 0), -- conversation: 1, 2, 3 … in each consultation
    parent        TEXT NOT NULL,                      -- address of what it answers
    author        TEXT NOT NULL,                      -- canonical actor id
    author_name   TEXT NOT NULL,
    author_handle TEXT NOT NULL,
    author_url    TEXT NOT NULL,
    html          TEXT NOT NULL,
    language      TEXT NOT NULL,
    url           TEXT NOT NULL,
    visibility    TEXT NOT NULL CHECK (visibility IN ('public', 'unlisted')),
    standing      TEXT NOT NULL CHECK (standing IN ('shown', 'hidden')),
    reason        TEXT NOT NULL,                      -- why it is hidden
    hidden_at     INTEGER NOT NULL,                   -- 0 while it is shown
    published     INTEGER NOT NULL,                   -- as its author says
    updated       INTEGER NOT NULL,
    received      INTEGER NOT NULL,
    images        INTEGER NOT NULL CHECK (images >= 0)
) STRICT;

CREATE INDEX reply_consultation ON reply (consultation, received, id);
CREATE UNIQUE INDEX reply_place ON reply (consultation, place) WHERE place IS NOT NULL;
CREATE INDEX reply_author ON reply (author, received, id);
CREATE INDEX reply_received ON reply (received, id);
CREATE INDEX reply_hidden ON reply (hidden_at) WHERE standing = 'hidden';

-- What can be searched, as plain text (https://sqlite.org/fts5.html): rows exist
-- only of what may be found, under the number of the consultation or reply. Of a
-- row that is deleted nothing stays in the index either (secure-delete).
CREATE VIRTUAL TABLE consultation_words USING fts5(title, body, tokenize = 'unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE reply_words USING fts5(body, tokenize = 'unicode61 remove_diacritics 2', prefix = '3 5');
INSERT INTO consultation_words (consultation_words, rank) VALUES ('secure-delete', 1);
INSERT INTO reply_words (reply_words, rank) VALUES ('secure-delete', 1);

-- +goose StatementBegin
CREATE TRIGGER consultation_out AFTER DELETE ON consultation BEGIN
    DELETE FROM consultation_words WHERE rowid = OLD.number;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reply_out AFTER DELETE ON reply BEGIN
    DELETE FROM reply_words WHERE rowid = OLD.number;
END;
-- +goose StatementEnd
CREATE INDEX reply_thread ON reply (consultation, thread);  -- and so by number
CREATE INDEX reply_reason ON reply (consultation, reason) WHERE standing = 'hidden';

-- Likes and boosts, each once per actor.
CREATE TABLE gesture (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    gesture      TEXT NOT NULL CHECK (gesture IN ('like', 'boost')),
    actor        TEXT NOT NULL,
    inbox        TEXT NOT NULL,
    id           TEXT NOT NULL,  -- address of the activity
    PRIMARY KEY (consultation, gesture, actor)
) STRICT, WITHOUT ROWID;

CREATE INDEX gesture_actor ON gesture (actor);

-- Snapshots of the count. All versions are kept until the ballots are destroyed.
CREATE TABLE result (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    version      INTEGER NOT NULL CHECK (version > 0),
    at           INTEGER NOT NULL,
    turnout      INTEGER NOT NULL,
    counts       TEXT NOT NULL,  -- JSON, null while hidden
    pending      INTEGER NOT NULL,
    replies      INTEGER NOT NULL,
    likes        INTEGER NOT NULL,
    boosts       INTEGER NOT NULL,
    refused      TEXT NOT NULL,  -- JSON
    classes      TEXT NOT NULL,  -- JSON, null until it is final
    entries      INTEGER NOT NULL, -- of the log that the counts show
    final        INTEGER NOT NULL CHECK (final IN (0, 1)),
    PRIMARY KEY (consultation, version)
) STRICT, WITHOUT ROWID;

-- What the municipality wrote in a thread.
CREATE TABLE post (
    id             TEXT PRIMARY KEY CHECK (id <> ''),
    consultation   INTEGER REFERENCES consultation (number), -- NULL: of the channel, in no thread
    channel        TEXT NOT NULL REFERENCES channel (name),
    kind           TEXT NOT NULL CHECK (kind IN ('answer', 'notice', 'erratum', 'result', 'checkpoint')),
    in_reply_to    TEXT NOT NULL,
    mention        TEXT NOT NULL,  -- canonical actor id of whom an answer addresses
    mention_name   TEXT NOT NULL,
    mention_handle TEXT NOT NULL,
    mention_url    TEXT NOT NULL,
    source         TEXT NOT NULL,  -- Markdown
    html           TEXT NOT NULL,
    language       TEXT NOT NULL,
    published      INTEGER NOT NULL
) STRICT;

CREATE INDEX post_consultation ON post (consultation, published, id);
CREATE INDEX post_kind ON post (consultation, kind, published, id);
CREATE INDEX post_channel ON post (channel);
CREATE INDEX post_mention ON post (mention) WHERE mention <> '';
CREATE INDEX post_answer ON post (in_reply_to) WHERE kind = 'answer';

-- What the municipality made of it all, for the council. Of earlier versions only
-- the digests stay.
CREATE TABLE summary (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    version      INTEGER NOT NULL CHECK (version > 0),
    at           INTEGER NOT NULL,
    sha256       TEXT NOT NULL,  -- of the source
    source       TEXT NOT NULL,  -- Markdown
    PRIMARY KEY (consultation, version)
) STRICT, WITHOUT ROWID;

-- Complaints of other servers' moderators.
CREATE TABLE report (
    id          TEXT PRIMARY KEY CHECK (id <> ''),
    server      TEXT NOT NULL,
    text        TEXT NOT NULL,
    objects     TEXT NOT NULL,     -- JSON
    received    INTEGER NOT NULL,
    resolved_at INTEGER NOT NULL,  -- 0 while open
    resolution  TEXT NOT NULL
) STRICT;

CREATE INDEX report_received ON report (received, id);

-- Accounts and servers of which nothing is accepted.
CREATE TABLE block (
    subject TEXT PRIMARY KEY CHECK (subject <> ''),  -- actor id or host name
    reason  TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Objects whose Delete came, perhaps before the object itself.
CREATE TABLE tombstone (
    key BLOB PRIMARY KEY CHECK (length(key) = 16),  -- keyed digest
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tombstone_at ON tombstone (at);

-- What happened, in order of commit. It outlives what it names.
CREATE TABLE event (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    place        INTEGER UNIQUE,  -- among those of a public type; NULL: it is not public
    at           INTEGER NOT NULL,
    type         TEXT NOT NULL CHECK (type <> ''),
    channel      TEXT NOT NULL,
    consultation TEXT NOT NULL,  -- ID
    subject      TEXT NOT NULL,
    reason       TEXT NOT NULL
) STRICT;

CREATE INDEX event_named ON event (at) WHERE subject <> '';
CREATE INDEX event_revision ON event (consultation, at)
    WHERE type IN ('consultation-scheduled', 'consultation-extended', 'consultation-closed', 'consultation-withdrawn');
CREATE INDEX event_moderation ON event (type, at, reason)
    WHERE type IN ('reply-hidden', 'reply-shown', 'report-received', 'report-resolved');

-- The node's last sign of life, and the name by which the database knows itself.
CREATE TABLE beat (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    database TEXT NOT NULL,
    n        INTEGER NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

INSERT INTO beat VALUES (1, lower(hex(randomblob(16))), 0, 0);

-- When votes may not have come through, and which consultations that concerned.
CREATE TABLE incident (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind   TEXT NOT NULL CHECK (kind IN ('outage', 'rollback')),
    began  INTEGER NOT NULL,
    ended  INTEGER NOT NULL CHECK (ended >= began)
) STRICT;

CREATE TABLE affected (
    consultation INTEGER NOT NULL REFERENCES consultation (number),
    incident     INTEGER NOT NULL REFERENCES incident (number),
    PRIMARY KEY (consultation, incident)
) STRICT, WITHOUT ROWID;

-- How far the log has been published.
CREATE TABLE cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;

INSERT INTO cursor VALUES (1, 0);

-- Remote actors, as their own servers described them.
CREATE TABLE peer (
    actor      TEXT PRIMARY KEY CHECK (actor <> ''),
    host       TEXT NOT NULL,     -- host[:port] of actor, lower case
    type       TEXT NOT NULL,
    inbox      TEXT NOT NULL,
    shared     TEXT NOT NULL,     -- shared inbox
    username   TEXT NOT NULL,
    name       TEXT NOT NULL,     -- raw display name
    url        TEXT NOT NULL,
    moved_to   TEXT NOT NULL,
    aliases    TEXT NOT NULL,     -- JSON: alsoKnownAs
    published  INTEGER NOT NULL,
    crowd      INTEGER NOT NULL CHECK (crowd IN (0, 1)),  -- first seen among many new ones of its domain
    fetched_at INTEGER NOT NULL,
    gone       INTEGER NOT NULL CHECK (gone IN (0, 1))
) STRICT;

CREATE INDEX peer_host ON peer (host);
CREATE INDEX peer_fetched ON peer (fetched_at);
CREATE INDEX peer_shared ON peer (shared) WHERE shared <> '';

CREATE TABLE peer_key (
    id        TEXT NOT NULL CHECK (id <> ''),
    actor     TEXT NOT NULL REFERENCES peer (actor) ON DELETE CASCADE,
    pem       TEXT NOT NULL,
    multibase TEXT NOT NULL,
    PRIMARY KEY (id, actor),
    CHECK ((pem = '') <> (multibase = ''))
) STRICT, WITHOUT ROWID;

CREATE INDEX peer_key_actor ON peer_key (actor);

-- Which form of signatures a server understands.
CREATE TABLE host_form (
    host    TEXT PRIMARY KEY CHECK (host <> ''),
    rfc9421 INTEGER NOT NULL CHECK (rfc9421 IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE follower (
    channel TEXT NOT NULL REFERENCES channel (name),
    actor   TEXT NOT NULL CHECK (actor <> ''),
    follow  TEXT NOT NULL,     -- address of the Follow
    inbox   TEXT NOT NULL,
    shared  TEXT NOT NULL,     -- shared inbox
    former  TEXT NOT NULL,     -- shared inbox that is gone, by which deliveries under way find their way
    host    TEXT NOT NULL,     -- host[:port] of actor, lower case
    since   INTEGER NOT NULL,
    PRIMARY KEY (channel, actor)
) STRICT, WITHOUT ROWID;

CREATE INDEX follower_actor ON follower (actor);
CREATE INDEX follower_inbox ON follower (inbox);
CREATE INDEX follower_shared ON follower (shared) WHERE shared <> '';
CREATE INDEX follower_host ON follower (host);

-- What this node said.
CREATE TABLE activity (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of queueing
    id      TEXT NOT NULL UNIQUE CHECK (id <> ''),
    channel TEXT NOT NULL,                      -- whose key signs
    public  INTEGER NOT NULL CHECK (public IN (0, 1)),
    count   INTEGER NOT NULL CHECK (count IN (0, 1)), -- new numbers, which make older ones needless
    passing INTEGER NOT NULL CHECK (passing IN (0, 1)), -- goes with its last delivery
    key     TEXT,                               -- ID of the consultation whose key seals the body, '' the node's own; NULL: it is plain
    body    BLOB NOT NULL,                      -- its JSON
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX activity_channel ON activity (channel, seq) WHERE public = 1;

-- Activities on their way, one row per inbox. Of the rows with the same inbox
-- and object exactly one may be tried; the others are held behind it.
CREATE TABLE delivery (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    activity INTEGER NOT NULL REFERENCES activity (seq),
    object   TEXT NOT NULL,     -- what the activity is about
    inbox    TEXT NOT NULL,
    host     TEXT NOT NULL,     -- host[:port] of inbox, lower case
    attempts INTEGER NOT NULL,
    queued   INTEGER NOT NULL,
    next     INTEGER,           -- when to try; NULL while held behind an earlier one
    UNIQUE (inbox, object, activity)
) STRICT;

CREATE INDEX delivery_activity ON delivery (activity);
CREATE INDEX delivery_due ON delivery (next, host) WHERE next IS NOT NULL;
CREATE INDEX delivery_host ON delivery (host, id) WHERE next IS NOT NULL;
CREATE INDEX delivery_failing ON delivery (host) WHERE attempts >= 3;

-- Requests, encrypted, whose signer's key could not be had yet.
CREATE TABLE waiting (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    digest       BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),  -- keyed, of the request
    consultation TEXT NOT NULL,  -- ID whose key seals it; '' for the node's own
    host         TEXT NOT NULL,  -- of the signer
    known        INTEGER NOT NULL CHECK (known IN (0, 1)),
    sealed       BLOB NOT NULL,
    received_at  INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    next         INTEGER NOT NULL
) STRICT;

CREATE INDEX waiting_next ON waiting (next, id);
CREATE INDEX waiting_consultation ON waiting (consultation, next, id);

-- Permissions to quote.
CREATE TABLE quote (
    id         TEXT PRIMARY KEY CHECK (id <> ''),
    object     TEXT NOT NULL,  -- our object's address
    instrument TEXT NOT NULL,  -- the quoting post
    actor      TEXT NOT NULL,
    request    TEXT NOT NULL   -- address of the QuoteRequest
) STRICT;

CREATE INDEX quote_actor ON quote (actor);

-- Who was sent the help text within a day.
CREATE TABLE helped (
    key BLOB PRIMARY KEY CHECK (length(key) = 16),  -- keyed digest of the account
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX helped_at ON helped (at);

-- Row counts of the tables that are bounded, kept by the triggers below,
-- because counting them at every insert would be slow.
CREATE TABLE occupancy (
    room TEXT PRIMARY KEY,
    n    INTEGER NOT NULL CHECK (n >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO occupancy VALUES ('tombstone', 0), ('waiting known', 0), ('waiting unknown', 0), ('helped', 0);

-- +goose StatementBegin
CREATE TRIGGER tombstone_in AFTER INSERT ON tombstone BEGIN
    UPDATE occupancy SET n = n + 1 WHERE room = 'tombstone';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tombstone_out AFTER DELETE ON tombstone BEGIN
    UPDATE occupancy SET n = n - 1 WHERE room = 'tombstone';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_in AFTER INSERT ON waiting BEGIN
    UPDATE occupancy SET n = n + 1 WHERE room = iif(NEW.known, 'waiting known', 'waiting unknown');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_out AFTER DELETE ON waiting BEGIN
    UPDATE occupancy SET n = n - 1 WHERE room = iif(OLD.known, 'waiting known', 'waiting unknown');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER helped_in AFTER INSERT ON helped BEGIN
    UPDATE occupancy SET n = n + 1 WHERE room = 'helped';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER helped_out AFTER DELETE ON helped BEGIN
    UPDATE occupancy SET n = n - 1 WHERE room = 'helped';
END;
-- +goose StatementEnd
