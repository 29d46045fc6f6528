//! Marks that count once.

use rusqlite::params;

use super::journal::{Fault, Journal};
use super::{Store, StoreError};
use crate::event::Time;

impl Store {
    /// Takes note that a mark was shown: true the first time. Until a time it is remembered; whoever
    /// shows it must not be believed afterwards. On return it is durable.
    pub async fn use_mark(&self, mark: &str, now: Time, until: Time) -> Result<bool, StoreError> {
        let mark = mark.to_owned();
        self.parts.writer.submit(move |journal| journal.use_mark(&mark, now, until)).await
    }
}

impl Journal {
    fn use_mark(&mut self, mark: &str, now: Time, until: Time) -> Result<bool, Fault> {
        self.db
            .prepare_cached("delete from used_marks where until < ?")?
            .execute([now.timestamp_millis()])?;
        let sql = "insert or ignore into used_marks (mark, until) values (?, ?)";
        let new = self.db.prepare_cached(sql)?.execute(params![mark, until.timestamp_millis()])?;
        Ok(new == 1)
    }
}
