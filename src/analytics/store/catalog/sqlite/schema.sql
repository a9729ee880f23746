-- Version 2. What needs no look-up of its own lies in `body`, as JSON.
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
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    secret BLOB NOT NULL UNIQUE, -- sha256
    created_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE salts (
    day INTEGER PRIMARY KEY,
    made_on INTEGER NOT NULL,
    salt BLOB NOT NULL
) STRICT;
