-- Format 8: folders that are worked in, and conversations about them.

create table workspaces (
    principal     text not null,
    -- The folder as a `file://` address.
    uri           text not null,
    json          text not null,
    last_activity integer not null,
    primary key (principal, uri)
) strict, without rowid;

create table chat_sessions (
    -- Random, so that nobody comes by one by guessing.
    id            text primary key,
    principal     text not null,
    workspace     text not null,
    json          text not null,
    last_activity integer not null
) strict, without rowid;

create index chat_sessions_by_workspace on chat_sessions (principal, workspace, last_activity);
create index chat_sessions_by_activity on chat_sessions (last_activity);

-- What has changed about workspaces, for whoever comes later; only the newest are kept.
create table workspace_notices (
    id        integer primary key,
    principal text not null,
    uri       text not null,
    at        integer not null,
    json      text not null
) strict;
