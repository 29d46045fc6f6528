-- Format 11: tenants. What somebody has made names the tenant that they belong to, and every query names it, too:
-- two tenants may have principals of the same name, and see nothing of each other.

alter table runs add column tenant text not null default 'main';

drop index runs_by_request_key;
create unique index runs_by_request_key on runs (tenant, principal, request_key) where request_key is not null;
drop index runs_by_principal;
create index runs_by_principal on runs (tenant, principal, id) where tenant <> 'main' or principal <> 'local';

alter table workspaces rename to old_workspaces;
create table workspaces (
    tenant        text not null,
    principal     text not null,
    -- The folder as a `file://` address.
    uri           text not null,
    json          text not null,
    last_activity integer not null,
    primary key (tenant, principal, uri)
) strict, without rowid;
insert into workspaces select 'main', principal, uri, json, last_activity from old_workspaces;
drop table old_workspaces;

alter table chat_sessions add column tenant text not null default 'main';
drop index chat_sessions_by_workspace;
create index chat_sessions_by_workspace on chat_sessions (tenant, principal, workspace, last_activity);

alter table workspace_notices add column tenant text not null default 'main';
