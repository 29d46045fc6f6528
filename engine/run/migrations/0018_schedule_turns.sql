-- Format 15: a project's schedule is let run as it was then, and a long backlog of one schedule is not read for others.

-- Hash of what somebody let run; null when nobody did.
alter table schedules add column consent text;

-- The turns of each schedule: what is to be tried again, then the others, of both the earliest first.
create index schedule_slots_ready on schedule_slots (schedule, attempt = 0, due) where state = 'ready';
create index schedule_slots_underway on schedule_slots (at) where state in ('claimed', 'running');
