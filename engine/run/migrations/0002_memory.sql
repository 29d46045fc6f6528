-- Format 2: memory, what skills remember from one run to the next.

-- One JSON mapping for each key, such as `state/current_work`.
create table memory (
  key text primary key,
  json text not null,
  updated_at integer not null
) strict, without rowid;

-- Changes made by runs, with what they answered: a call that is repeated after a crash is
-- answered from here, so that nothing is appended twice. `id` hashes the step and its
-- arguments.
create table memory_changes (
  id text primary key,
  key text not null,
  at integer not null,
  answer text not null
) strict, without rowid;
