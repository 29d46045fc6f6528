-- Format 4: what heal rules did.

-- One row for each healing that was let through. `action` hashes the call and its arguments:
-- whoever wants the same waits for it, or makes use of it. How it went is told by the run's
-- journal from `seq` on, and put down here when somebody looks.
create table heals (
  id integer primary key,
  rule text not null,
  action text not null,
  shown text not null,
  run integer not null,
  step text not null,
  number integer not null,
  seq integer not null,
  tool text not null,
  kind text not null,
  snippet text not null,
  reused integer not null,
  started_at integer not null,
  until_at integer not null,
  ended_at integer,
  worked integer,
  helped integer,
  -- The step was cancelled, so `helped` says nothing about the rule.
  cancelled integer not null default 0,
  -- A step that is opened once more counts its healings from 1 again, so its path and their
  -- number alone do not tell them apart: a healing is known by the event that began it.
  unique (run, step, number, seq)
) strict;

create index heals_by_rule on heals (rule, started_at);
create index heals_by_action on heals (action, started_at);
create index heals_open on heals (run) where helped is null;

-- Since when a rule that has stopped by itself may act again, because a person said so.
create table heal_resets (
  rule text primary key,
  at integer not null
) strict, without rowid;
