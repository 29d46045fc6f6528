//! Browsers that have signed in, as rows of which none is of use by itself.

use rusqlite::{OptionalExtension, Row, params};

use super::journal::Journal;
use super::schedules::time;
use super::{Store, StoreError};
use crate::event::Time;

/// A browser that has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserRow {
    /// Hash of the mark that it has.
    pub mark: Vec<u8>,
    /// The key that was shown, sealed.
    pub sealed: Vec<u8>,
    /// When.
    pub began: Time,
    /// When it last looked.
    pub used: Time,
}

impl Store {
    /// A browser by the hash of its mark.
    pub fn browser(&self, mark: &[u8]) -> Result<Option<BrowserRow>, StoreError> {
        self.parts.reader.ask(|db| {
            let mut select =
                db.prepare_cached("select mark, sealed, began, used from browsers where mark = ?")?;
            let row = |row: &Row<'_>| {
                Ok(BrowserRow {
                    mark: row.get(0)?,
                    sealed: row.get(1)?,
                    began: time(row, 2)?,
                    used: time(row, 3)?,
                })
            };
            select.query_row([mark], row).optional()
        })
    }

    /// Keeps a browser, and forgets those that have not looked since a time, and all but the newest of the others.
    pub async fn keep_browser(&self, browser: BrowserRow, since: Time, most: u32) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            let BrowserRow { mark, sealed, began, used } = &browser;
            let sql = "insert or replace into browsers (mark, sealed, began, used) values (?, ?, ?, ?)";
            let row = params![mark, sealed, began.timestamp_millis(), used.timestamp_millis()];
            journal.db.prepare_cached(sql)?.execute(row)?;
            let sql = "delete from browsers where used < ?
                       or mark not in (select mark from browsers order by used desc limit ?)";
            journal.db.prepare_cached(sql)?.execute(params![since.timestamp_millis(), most])?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    /// Notes that a browser has looked, if it is still known.
    pub async fn browser_used(&self, mark: Vec<u8>, at: Time) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            let sql = "update browsers set used = ? where mark = ?";
            journal.db.prepare_cached(sql)?.execute(params![at.timestamp_millis(), mark])?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    /// Forgets a browser.
    pub async fn forget_browser(&self, mark: Vec<u8>) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            journal.db.prepare_cached("delete from browsers where mark = ?")?.execute([&mark])?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }
}
