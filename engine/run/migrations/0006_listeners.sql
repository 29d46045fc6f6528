-- Format 6: what listeners have heard.

-- Where the next look at a source begins.
create table listener_positions (
  module text not null,
  source text not null,
  position text not null,
  at integer not null,
  primary key (module, source)
) strict, without rowid;

-- Every item heard, once by its key: waiting until `done_at` is set. Until `claimed_until` it is given to
-- nobody else; `claimed_by` knows the same claim when it is made again.
create table listener_items (
  id integer primary key autoincrement,
  module text not null,
  key text not null,
  source text not null,
  heard_at integer not null,
  item text not null,
  person text,
  done_at integer,
  response text,
  claimed_until integer,
  claimed_by text,
  unique (module, key)
) strict;
create index listener_items_waiting on listener_items (module, id) where done_at is null;
create index listener_items_done on listener_items (module, done_at) where done_at is not null;

-- Whom items came from, as far as somebody was asked.
create table listener_people (
  module text not null,
  id text not null,
  person text not null,
  at integer not null,
  primary key (module, id)
) strict, without rowid;
