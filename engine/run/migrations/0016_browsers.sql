-- Format 13: browsers that have signed in to the dashboard, for when the server is started anew.

create table browsers (
  -- Hash of the mark that the browser has.
  mark blob primary key,
  -- The key that was shown, sealed with that mark and the key of this store.
  sealed blob not null,
  began integer not null,
  used integer not null
) strict, without rowid;
