-- Format 15: a project's schedule is let run as it was then, and a long backlog of one schedule is not read for others.

-- Hash of what somebody let run; null when nobody did.
alter table schedules add column consent text;

-- The turns of each schedule, the earliest first.
create index schedule_slots_ready on schedule_slots (schedule, due) where state = 'ready';
create index schedule_slots_underway on schedule_slots (at) where state in ('claimed', 'running');
create index schedule_slots_again on schedule_slots (schedule, due) where state = 'ready' and attempt > 0;
