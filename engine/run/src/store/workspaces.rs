//! Workspaces and sessions as rows: who works where, and in which conversation.

use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;

use super::journal::{Fault, Journal};
use super::{Store, StoreError, database};
use crate::caller::Whose;
use crate::event::Time;
use crate::workspace::{ChatSession, WorkspaceState, WorkspaceUpdated};

/// Notices that are kept.
const NOTICES: i64 = 1000;

impl Store {
    /// The workspace of a principal at an address.
    pub fn workspace(&self, whose: &Whose, uri: &str) -> Result<Option<WorkspaceState>, StoreError> {
        let sql = "select json from workspaces where tenant = ? and principal = ? and uri = ?";
        self.one(sql, [&whose.tenant, &whose.principal, uri])
    }

    /// The workspaces of a principal, the last used first.
    pub fn workspaces(&self, whose: &Whose) -> Result<Vec<WorkspaceState>, StoreError> {
        let reader = &self.parts.reader;
        let rows: Vec<String> = reader.with(|db| {
            let sql = "select json from workspaces where tenant = ? and principal = ?
                       order by last_activity desc, uri";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map([&whose.tenant, &whose.principal], |row| row.get(0));
            rows.and_then(Iterator::collect).map_err(|e| reader.failed(&e))
        })?;
        rows.iter().map(|json| self.workspace_json(json)).collect()
    }

    /// A session of a principal: that of another one is not there.
    pub fn chat_session(&self, whose: &Whose, id: &str) -> Result<Option<ChatSession>, StoreError> {
        let sql = "select json from chat_sessions where tenant = ? and principal = ? and id = ?";
        self.one(sql, [&whose.tenant, &whose.principal, id])
    }

    /// The sessions of a workspace, the last used first.
    pub fn chat_sessions(
        &self,
        whose: &Whose,
        uri: &str,
        limit: u32,
    ) -> Result<Vec<ChatSession>, StoreError> {
        let reader = &self.parts.reader;
        let rows: Vec<String> = reader.with(|db| {
            let sql = "select json from chat_sessions where tenant = ? and principal = ? and workspace = ?
                       order by last_activity desc, id limit ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let row = params![whose.tenant, whose.principal, uri, limit];
            let rows = select.query_map(row, |row| row.get(0));
            rows.and_then(Iterator::collect).map_err(|e| reader.failed(&e))
        })?;
        rows.iter().map(|json| self.workspace_json(json)).collect()
    }

    /// What has changed about the workspaces of a principal after a notice, oldest first.
    pub fn workspace_notices(
        &self,
        whose: &Whose,
        after: i64,
    ) -> Result<Vec<(i64, WorkspaceUpdated)>, StoreError> {
        let reader = &self.parts.reader;
        let rows: Vec<(i64, String)> = reader.with(|db| {
            let sql = "select id, json from workspace_notices where tenant = ? and principal = ? and id > ?
                       order by id";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let of = params![whose.tenant, whose.principal, after];
            let rows = select.query_map(of, |row| Ok((row.get(0)?, row.get(1)?)));
            rows.and_then(Iterator::collect).map_err(|e| reader.failed(&e))
        })?;
        rows.iter().map(|(id, json)| Ok((*id, self.workspace_json(json)?))).collect()
    }

    /// Writes a workspace and sessions of it, and what there is to tell of that. On return it is durable.
    pub async fn keep_workspace(
        &self,
        workspace: WorkspaceState,
        sessions: Vec<ChatSession>,
        notice: Option<WorkspaceUpdated>,
    ) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            journal.put_workspace(&workspace)?;
            sessions.iter().try_for_each(|session| journal.put_session(session))?;
            notice.iter().try_for_each(|notice| journal.put_notice(notice))
        };
        self.parts.writer.submit(work).await
    }

    /// Forgets sessions that nobody has used since, and workspaces without any.
    pub async fn forget_sessions(&self, before: Time) -> Result<usize, StoreError> {
        let work = move |journal: &mut Journal| -> Result<usize, Fault> {
            let before = before.timestamp_millis();
            let sql = "delete from chat_sessions where last_activity < ?";
            let gone = journal.db.prepare_cached(sql)?.execute([before])?;
            let sql = "delete from workspaces where last_activity < ? and not exists
                       (select 1 from chat_sessions s where s.tenant = workspaces.tenant
                        and s.principal = workspaces.principal and s.workspace = workspaces.uri)";
            journal.db.prepare_cached(sql)?.execute([before])?;
            Ok(gone)
        };
        self.parts.writer.submit(work).await
    }

    fn one<T: DeserializeOwned>(&self, sql: &str, of: [&str; 3]) -> Result<Option<T>, StoreError> {
        let reader = &self.parts.reader;
        let json: Option<String> = reader.with(|db| {
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            select.query_row(of, |row| row.get(0)).optional().map_err(|e| reader.failed(&e))
        })?;
        json.map(|json| self.workspace_json(&json)).transpose()
    }

    fn workspace_json<T: DeserializeOwned>(&self, json: &str) -> Result<T, StoreError> {
        serde_json::from_str(json).map_err(|error| {
            database::unusable(&self.parts.path, &format!("a workspace cannot be read: {error}"))
        })
    }
}

impl Journal {
    fn put_workspace(&self, workspace: &WorkspaceState) -> Result<(), Fault> {
        let sql =
            "insert into workspaces (tenant, principal, uri, json, last_activity) values (?, ?, ?, ?, ?)
                   on conflict (tenant, principal, uri) do update
                   set json = excluded.json, last_activity = excluded.last_activity";
        let at = workspace.last_activity.timestamp_millis();
        let (tenant, principal) = (&workspace.tenant, &workspace.principal);
        let row = params![tenant, principal, workspace.workspace_uri, text(workspace), at];
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn put_session(&self, session: &ChatSession) -> Result<(), Fault> {
        let sql = "insert into chat_sessions (id, tenant, principal, workspace, json, last_activity)
                   values (?, ?, ?, ?, ?, ?)
                   on conflict (id) do update set json = excluded.json, last_activity = excluded.last_activity";
        let at = session.last_activity.timestamp_millis();
        let (id, tenant, principal) = (&session.session_id, &session.tenant, &session.principal);
        let row = params![id, tenant, principal, session.workspace_uri, text(session), at];
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn put_notice(&self, notice: &WorkspaceUpdated) -> Result<(), Fault> {
        let sql = "insert into workspace_notices (tenant, principal, uri, at, json) values (?, ?, ?, ?, ?)";
        let at = notice.at.timestamp_millis();
        let row = params![notice.tenant, notice.principal, notice.workspace_uri, at, text(notice)];
        self.db.prepare_cached(sql)?.execute(row)?;
        let sql = "delete from workspace_notices where id <= (select max(id) from workspace_notices) - ?";
        self.db.prepare_cached(sql)?.execute([NOTICES])?;
        Ok(())
    }
}

/// These types can always be written.
fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
