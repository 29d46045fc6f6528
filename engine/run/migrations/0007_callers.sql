-- Format 7: who started a run.

alter table runs add column principal text not null default 'local';

-- Two principals may choose the same key, and must not find each other's runs by it.
drop index runs_by_request_key;
create unique index runs_by_request_key on runs (principal, request_key) where request_key is not null;
create index runs_by_principal on runs (principal, id) where principal <> 'local';
