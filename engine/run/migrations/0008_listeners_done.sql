-- Format 8: what was dealt with long ago is found without a look at all that is known.

create index listener_items_done on listener_items (module, done_at) where done_at is not null;
