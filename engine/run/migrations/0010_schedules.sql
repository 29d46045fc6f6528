-- Format 10: schedules, what has become of their times, and what people were told of it.

-- Schedules that a scheduler has seen. The definition stays in its file.
create table schedules (
  -- Where it is defined (a project's folder; empty for the user's own), a line end, its name.
  key text primary key,
  -- Hash of what makes it due: when that changes, the past begins anew.
  trigger text not null,
  -- All its times until this one are decided.
  decided integer not null,
  seen integer not null,
  paused_at integer,
  paused_by text,
  paused_why text,
  -- The last time at which a poll asked, and what came of it.
  polled integer,
  polled_text text
) strict, without rowid;

-- The times of schedules, each once. A row of missed times can stand for several, from `since` to `due`.
create table schedule_slots (
  schedule text not null,
  due integer not null,
  since integer,
  count integer not null default 1,
  kind text not null,
  state text not null,
  -- When it may start.
  at integer not null,
  attempt integer not null default 0,
  -- Who is about to start it.
  owner text,
  run integer,
  -- Inputs as JSON, when they cannot be worked out from the time alone.
  inputs text,
  started integer,
  ended integer,
  -- By when there has to be a success, and when somebody was told that there was none.
  deadline integer,
  alerted integer,
  why text not null,
  primary key (schedule, due)
) strict, without rowid;

create index schedule_slots_open on schedule_slots (at) where state in ('ready', 'claimed', 'running');
create index schedule_slots_late on schedule_slots (deadline)
  where deadline is not null and alerted is null and state <> 'succeeded';
create index schedule_slots_by_run on schedule_slots (run) where run is not null;

-- What a poll or a webhook has brought before.
create table schedule_seen (
  schedule text not null,
  key text not null,
  at integer not null,
  due integer,
  primary key (schedule, key)
) strict, without rowid;

-- What happened to schedulers themselves: begun, ended, clocks that were set.
create table schedule_notes (
  id integer primary key,
  at integer not null,
  owner text not null,
  text text not null
) strict;

-- What is switched off, or on again.
create table services (
  name text primary key,
  enabled integer not null,
  by text not null,
  at integer not null
) strict, without rowid;

-- What people are told, by which channel, and how that went.
create table notices (
  id integer primary key autoincrement,
  -- The same news is told once.
  topic text not null,
  channel text not null,
  at integer not null,
  title text not null,
  text text not null,
  state text not null,
  -- When it may be sent, and by whom it is being sent.
  next integer not null,
  owner text,
  tries integer not null default 0,
  sent_at integer,
  error text not null default '',
  unique (topic, channel)
) strict;

create index notices_open on notices (next) where state in ('queued', 'sending', 'held');
create index notices_by_channel on notices (channel, sent_at) where state = 'sent';
