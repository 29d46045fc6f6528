-- Format 9: what may be shown only once.

-- Sealed states that were sent along with a question, by their random mark, once they have come back.
create table used_marks (
    mark text primary key,
    -- When nobody would believe the state any more anyway, in milliseconds.
    until integer not null
) without rowid;
