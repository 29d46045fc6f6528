-- Format 1: plans, runs, their events and the inbox.
-- Times are UTC milliseconds since 1970.

pragma application_id = 0x61615752;

-- What runs, once per content.
create table plans (
  hash text primary key,
  json text not null
) strict, without rowid;

-- One row per run: what is fixed at its start, who drives it, and a projection of its events.
create table runs (
  id integer primary key autoincrement,
  skill text not null,
  plan text not null,
  status text not null,
  origin text not null,
  started_at integer not null,
  ended_at integer,
  folder text not null,
  request_key text,
  owner text,
  epoch integer not null,
  error text not null
) strict;

create unique index runs_by_request_key on runs (request_key) where request_key is not null;
create index runs_open on runs (id) where ended_at is null;

-- The journal, append-only. `pos` orders the events of all runs. A body is JSON, here or,
-- when it is big, in the file `blobs/ab/abcdef…` that `blob` names by its hash.
create table events (
  pos integer primary key,
  run integer not null,
  seq integer not null,
  at integer not null,
  source text not null,
  kind text not null,
  blob text,
  body text,
  unique (run, seq)
) strict;

-- What other processes want of a run: rows leave when the run has taken them in.
create table requests (
  id integer primary key autoincrement,
  run integer not null,
  at integer not null,
  origin text not null,
  by text not null,
  ask text not null
) strict;
