//! What people are told: written down first, then sent by whichever process comes to it.

use rusqlite::{Row, params};
use serde::Serialize;

use super::journal::{Fault, Journal};
use super::schedules::time;
use super::{Store, StoreError};
use crate::event::Time;

/// News for somebody.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// What it is about: the same news is told once.
    pub topic: String,
    /// By which channel.
    pub channel: String,
    /// When it was news.
    pub at: Time,
    /// A line.
    pub title: String,
    /// More lines.
    pub text: String,
    /// What has become of it.
    pub state: NoticeState,
    /// How often it was tried to send it.
    pub tries: u32,
    /// Why that failed; may be empty.
    pub error: String,
}

/// News that people are to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// What it is about: the same news is told once.
    pub topic: String,
    /// By which channels; with none nobody is told.
    pub channels: Vec<String>,
    /// A line.
    pub title: String,
    /// More lines.
    pub text: String,
}

/// What has become of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Queued,
    /// A process sends it.
    Sending,
    /// It waits to be summed up with others, because there were too many.
    Held,
    /// It was sent.
    Sent,
    /// It was part of a summary.
    Summed,
    /// It could not be sent.
    Failed,
}

const COLUMNS: &str = "id, topic, channel, at, title, text, state, tries, error";

impl NoticeState {
    const ALL: [Self; 6] = [Self::Queued, Self::Sending, Self::Held, Self::Sent, Self::Summed, Self::Failed];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Summed => "summed",
            Self::Failed => "failed",
        }
    }
}

impl Store {
    /// Writes news down for its channels; what was told before is not told again.
    pub async fn tell(&self, news: News, at: Time) -> Result<(), StoreError> {
        self.parts.writer.submit(move |journal| journal.write_news(&news, at)).await
    }

    /// The last news, the newest first.
    pub fn notices(&self, limit: u32) -> Result<Vec<Notice>, StoreError> {
        self.some_notices(&format!("select {COLUMNS} from notices order by id desc limit {limit}"), [])
    }

    /// Whether there is anything to send by now, by other channels than those that are busy.
    pub fn has_notices(&self, now: Time, busy: &[String]) -> Result<bool, StoreError> {
        let sql = format!(
            "select {COLUMNS} from notices where state in ('queued', 'sending', 'held') and next <= ?
             and channel not in (select value from json_each(?)) limit 1"
        );
        Ok(!self.some_notices(&sql, params![now.timestamp_millis(), listed(busy)])?.is_empty())
    }

    /// Takes the next news that may be sent by a channel that is not busy: one, or all that were held back. Of a channel
    /// no more than `messages` are sent after `since`; what is beyond is held.
    pub async fn take_notices(
        &self,
        now: Time,
        limit: (u32, Time),
        busy: &[String],
    ) -> Result<Vec<Notice>, StoreError> {
        let busy = listed(busy);
        self.parts.writer.submit(move |journal| journal.take_notices(now, limit, &busy)).await
    }

    /// Notes how sending went; with `again` it is tried again then.
    pub async fn sent_notices(
        &self,
        of: &[Notice],
        outcome: Result<(), String>,
        (now, again): (Time, Option<Time>),
    ) -> Result<(), StoreError> {
        let ids: Vec<i64> = of.iter().map(|notice| notice.id).collect();
        let work = move |journal: &mut Journal| {
            for (index, id) in ids.iter().enumerate() {
                let state = match (&outcome, again) {
                    // One message was sent for all of them.
                    (Ok(()), _) if index == 0 => "sent",
                    (Ok(()), _) => "summed",
                    (Err(_), Some(_)) => "queued",
                    (Err(_), None) => "failed",
                };
                let error = outcome.as_ref().err().map(String::as_str).unwrap_or_default();
                let sql = "update notices set state = ?, error = ?, owner = null, sent_at = ?, next = coalesce(?, next)
                           where id = ?";
                let sent = outcome.is_ok().then_some(now.timestamp_millis());
                let again = again.map(|at| at.timestamp_millis());
                journal.db.prepare_cached(sql)?.execute(params![state, error, sent, again, id])?;
            }
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    fn some_notices(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Notice>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map(params, notice).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }
}

impl Journal {
    /// Writes news down, as part of what else is written: who dies afterwards has told it all the same.
    pub(super) fn write_news(&self, news: &News, at: Time) -> Result<(), Fault> {
        for channel in &news.channels {
            let sql = "insert or ignore into notices (topic, channel, at, title, text, state, next)
                       values (?1, ?2, ?3, ?4, ?5, 'queued', ?3)";
            let row = params![news.topic, channel, at.timestamp_millis(), news.title, news.text];
            self.db.prepare_cached(sql)?.execute(row)?;
        }
        Ok(())
    }

    fn take_notices(
        &mut self,
        now: Time,
        (messages, since): (u32, Time),
        busy: &str,
    ) -> Result<Vec<Notice>, Fault> {
        self.free_notices()?;
        for channel in self.channels_with_notices(now, busy)? {
            if self.sent_by(&channel, since)? >= messages {
                self.hold_notices(&channel, now)?;
                continue;
            }
            let mut taken = self.next_notices(&channel, now)?;
            let own = self.owner_name()?;
            for notice in &mut taken {
                notice.tries = self.mark_sending(notice.id, &own)?;
            }
            return Ok(taken);
        }
        Ok(Vec::new())
    }

    /// The channels that there is something for, those first that wait longest.
    fn channels_with_notices(&self, now: Time, busy: &str) -> Result<Vec<String>, Fault> {
        let sql = "select channel from notices where state in ('queued', 'held') and next <= ?
                   and channel not in (select value from json_each(?)) group by channel order by min(id)";
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map(params![now.timestamp_millis(), busy], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How much was sent by a channel since then.
    fn sent_by(&self, channel: &str, since: Time) -> Result<u32, Fault> {
        let sql = "select count(*) from notices where channel = ? and state = 'sent' and sent_at > ?";
        let mut select = self.db.prepare_cached(sql)?;
        Ok(select.query_row(params![channel, since.timestamp_millis()], |row| row.get(0))?)
    }

    /// Holds back what there is for a channel.
    fn hold_notices(&self, channel: &str, now: Time) -> Result<(), Fault> {
        let sql = "update notices set state = 'held' where channel = ? and state = 'queued' and next <= ?";
        self.db.prepare_cached(sql)?.execute(params![channel, now.timestamp_millis()])?;
        Ok(())
    }

    /// The next news of a channel: one, or all that were held back.
    fn next_notices(&self, channel: &str, now: Time) -> Result<Vec<Notice>, Fault> {
        let sql = format!(
            "select {COLUMNS} from notices where state in ('queued', 'held') and next <= ? and channel = ?
             order by id limit 200"
        );
        let mut select = self.db.prepare_cached(&sql)?;
        let open = select.query_map(params![now.timestamp_millis(), channel], notice)?;
        let mut open = open.collect::<Result<Vec<_>, _>>()?;
        match open.first() {
            Some(first) if first.state == NoticeState::Held => {
                open.retain(|other| other.state == NoticeState::Held);
            }
            _ => open.truncate(1),
        }
        Ok(open)
    }

    /// What a dead process was sending may have been sent; it is sent again rather than not at all.
    fn free_notices(&self) -> Result<(), Fault> {
        let sql = "select distinct owner from notices where state = 'sending' and owner is not null";
        let owners = self
            .db
            .prepare_cached(sql)?
            .query_map((), |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        for name in owners.iter().filter(|name| !self.ownership.is_alive(name)) {
            let sql = "update notices set state = 'queued', owner = null where owner = ?";
            self.db.prepare_cached(sql)?.execute([name])?;
        }
        Ok(())
    }

    /// Notes that it is being sent; gives how often it was tried, this time included.
    fn mark_sending(&self, id: i64, owner: &str) -> Result<u32, Fault> {
        let sql =
            "update notices set state = 'sending', owner = ?, tries = tries + 1 where id = ? returning tries";
        Ok(self.db.prepare_cached(sql)?.query_row(params![owner, id], |row| row.get(0))?)
    }
}

/// Names as a statement takes them.
fn listed(names: &[String]) -> String {
    serde_json::json!(names).to_string()
}

fn notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    let state: String = row.get(6)?;
    Ok(Notice {
        id: row.get(0)?,
        topic: row.get(1)?,
        channel: row.get(2)?,
        at: time(row, 3)?,
        title: row.get(4)?,
        text: row.get(5)?,
        state: NoticeState::ALL.into_iter().find(|of| of.word() == state).unwrap_or(NoticeState::Failed),
        tries: row.get(7)?,
        error: row.get(8)?,
    })
}
