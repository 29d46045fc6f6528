-- Format 5: definitions of foreign tools as they were first seen, or trusted since.

create table mcp_servers (
  server text primary key,             -- hash of the module's name and of how the server is reached
  module text not null,
  revision integer not null,           -- counts how often its definitions were trusted
  seen_at integer not null
) strict, without rowid;

create table mcp_tools (
  server text not null references mcp_servers,
  tool text not null,                  -- the server's own name
  definition text not null,            -- JSON
  primary key (server, tool)
) strict, without rowid;
