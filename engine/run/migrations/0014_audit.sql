-- Format 11: who did what, each entry bound to the one before it.

create table audit (
  -- From 1, without gaps.
  seq integer primary key,
  at integer not null,
  who text not null,
  -- Through which front end.
  via text not null,
  did text not null,
  what text not null,
  outcome text not null,
  -- What else there is to say, as JSON.
  detail text not null,
  -- Of all of this and of the hash before it, with the key of the audit.
  hash text not null
) strict;

-- The two ends of it.
create table audit_ends (
  id integer primary key check (id = 1),
  -- The events of runs are in it up to this position.
  events integer not null,
  -- The last entry that was removed for its age.
  removed integer not null,
  removed_hash text not null,
  -- The last entry.
  last integer not null,
  last_hash text not null,
  -- Of this row, with the key of the audit.
  seal text not null
) strict;
