-- Format 14: each tenant has a memory of its own. What was there before belongs to the main tenant.

drop trigger memory_inserted;
drop trigger memory_updated;
drop trigger memory_deleted;

alter table memory rename to old_memory;
create table memory (
  tenant text not null,
  key text not null,
  json text not null,
  updated_at integer not null,
  primary key (tenant, key)
) strict, without rowid;
insert into memory select 'main', key, json, updated_at from old_memory;
drop table old_memory;

-- Two tenants never meet here: whoever repeats a change gets the answer of their own first one.
alter table memory_changes rename to old_memory_changes;
create table memory_changes (
  tenant text not null,
  id text not null,
  key text not null,
  at integer not null,
  answer text not null,
  primary key (tenant, id)
) strict, without rowid;
insert into memory_changes select 'main', id, key, at, answer from old_memory_changes;
drop table old_memory_changes;

-- The index is made anew by the first search, so that opening an old store does not wait for it.
drop table passages;
create virtual table passages using fts5 (
  tenant unindexed, key unindexed, place unindexed, text, tokenize = 'porter unicode61'
);
drop table memory_stale;
create table memory_stale (
  tenant text not null,
  key text not null,
  primary key (tenant, key)
) strict, without rowid;
insert into memory_stale select tenant, key from memory;

-- An upsert decides what happens to conflicts in its triggers, so there must be none.
create trigger memory_inserted after insert on memory begin
  insert into memory_stale select new.tenant, new.key
    where not exists (select 1 from memory_stale where tenant = new.tenant and key = new.key);
end;
create trigger memory_updated after update on memory begin
  insert into memory_stale select new.tenant, new.key
    where not exists (select 1 from memory_stale where tenant = new.tenant and key = new.key);
end;
create trigger memory_deleted after delete on memory begin
  insert into memory_stale select old.tenant, old.key
    where not exists (select 1 from memory_stale where tenant = old.tenant and key = old.key);
end;
