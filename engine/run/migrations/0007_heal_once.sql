-- Format 7: a healing is known by the event that began it. A step that is opened once more counts
-- its healings from 1 again, so its path and their number alone do not tell them apart.

create table heals_7 (
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
  unique (run, step, number, seq)
) strict;

insert into heals_7 (id, rule, action, shown, run, step, number, seq, tool, kind, snippet, reused,
                     started_at, until_at, ended_at, worked, helped)
  select id, rule, action, shown, run, step, number, seq, tool, kind, snippet, reused,
         started_at, until_at, ended_at, worked, helped from heals;

drop table heals;
alter table heals_7 rename to heals;

create index heals_by_rule on heals (rule, started_at);
create index heals_by_action on heals (action, started_at);
create index heals_open on heals (run) where helped is null;
