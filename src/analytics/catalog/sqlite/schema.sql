-- Version 4. What needs no look-up of its own lies in `body`, as JSON.
CREATE TABLE sites (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- a number is never given twice
    id TEXT NOT NULL UNIQUE,
    domain TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL, -- argon2id
    owner INTEGER NOT NULL,
    sites BLOB NOT NULL,
    must_change INTEGER NOT NULL DEFAULT 0 -- whether somebody else chose the password
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    token BLOB PRIMARY KEY, -- sha256
    person TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL DEFAULT 0, -- to the hour
    browser TEXT NOT NULL DEFAULT '' -- as people call it
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    secret BLOB NOT NULL UNIQUE, -- sha256
    created_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key_uses (
    key TEXT PRIMARY KEY REFERENCES keys (id) ON DELETE CASCADE,
    day INTEGER NOT NULL -- the last one on which it was used, in days since 1970
) STRICT, WITHOUT ROWID;

CREATE TABLE submissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE, -- of a form that created something
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    about TEXT NOT NULL,
    site TEXT NOT NULL,
    times INTEGER NOT NULL
) STRICT;
