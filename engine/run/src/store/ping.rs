//! What a process that lives on asks of its store.

use super::journal::Journal;
use super::{Store, StoreError};
use crate::event::RunId;

impl Store {
    /// Whether it can be written and read.
    ///
    /// # Errors
    /// It cannot.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let write = |journal: &mut Journal| {
            journal.may_write()?;
            Ok(journal.db.query_row("select 1", (), |_| Ok(()))?)
        };
        self.parts.writer.submit(write).await?;
        let reader = &self.parts.reader;
        reader.with(|db| {
            db.query_row("select count(*) from schedule_seen limit 1", (), |_| Ok(()))
                .map_err(|e| reader.failed(&e))
        })
    }

    /// Runs in whose inbox something lies.
    pub(crate) fn asked(&self) -> Result<Vec<RunId>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select distinct run from requests order by run";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map((), |row| row.get(0).map(RunId)).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }
}
