-- Format 3: what is searched of the memory, and mistakes that repeat.

-- Passages of the memory, to search in. They are brought up to date by who searches:
-- triggers note which keys have changed, so that a change costs no more than that.
create virtual table passages using fts5 (key unindexed, place unindexed, text, tokenize = 'porter unicode61');

create table memory_stale (
  key text primary key
) strict, without rowid;

insert into memory_stale select key from memory;

-- An upsert decides what happens to conflicts in its triggers, so there must be none.
create trigger memory_inserted after insert on memory begin
  insert into memory_stale select new.key where new.key not in (select key from memory_stale);
end;
create trigger memory_updated after update on memory begin
  insert into memory_stale select new.key where new.key not in (select key from memory_stale);
end;
create trigger memory_deleted after delete on memory begin
  insert into memory_stale select old.key where old.key not in (select key from memory_stale);
end;

-- Mistakes in calls, once each. `id` hashes the tool, the category and the mark; the mark
-- says, as JSON, by what a call is known that makes the mistake.
create table mistakes (
  id text primary key,
  tool text not null,
  category text not null,
  mark text not null,
  error text not null,
  advice text not null,
  seen integer not null,
  prevented integer not null,
  false_alarms integer not null,
  first_at integer not null,
  last_at integer not null
) strict, without rowid;

-- Warnings that nothing came of yet; what came of the others is in the mistakes' counts.
-- `outcome` is always null.
create table mistake_warnings (
  id integer primary key,
  mistake text not null,
  run integer not null,
  skill text not null,
  step text not null,
  at integer not null,
  outcome text
) strict;

create index mistake_warnings_open on mistake_warnings (mistake) where outcome is null;
