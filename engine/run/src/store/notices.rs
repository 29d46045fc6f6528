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

    /// Whether there is anything to send by now.
    pub fn has_notices(&self, now: Time) -> Result<bool, StoreError> {
        let sql = format!(
            "select {COLUMNS} from notices where state in ('queued', 'sending', 'held') and next <= ? limit 1"
        );
        Ok(!self.some_notices(&sql, [now.timestamp_millis()])?.is_empty())
    }

    /// Takes the next news that may be sent: one, or all that were held back for a channel. Of a channel
    /// no more than `messages` are sent after `since`; what is beyond is held.
    pub async fn take_notices(
        &self,
        now: Time,
        (messages, since): (u32, Time),
    ) -> Result<Vec<Notice>, StoreError> {
        self.parts.writer.submit(move |journal| journal.take_notices(now, messages, since)).await
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

    fn take_notices(&mut self, now: Time, messages: u32, since: Time) -> Result<Vec<Notice>, Fault> {
        self.free_notices()?;
        let at = now.timestamp_millis();
        let sql = format!(
            "select {COLUMNS} from notices where state in ('queued', 'held') and next <= ? order by id limit 200"
        );
        let open = self.db.prepare_cached(&sql)?.query_map([at], notice)?.collect::<Result<Vec<_>, _>>()?;
        for first in &open {
            let sql = "select count(*) from notices where channel = ? and state = 'sent' and sent_at > ?";
            let sent: u32 = self
                .db
                .prepare_cached(sql)?
                .query_row(params![first.channel, since.timestamp_millis()], |row| row.get(0))?;
            if sent >= messages {
                if first.state != NoticeState::Held {
                    self.mark_notice(first.id, "held", None)?;
                }
                continue;
            }
            let of_channel = |other: &&Notice| other.channel == first.channel;
            let is_held = |other: &&Notice| other.state == NoticeState::Held;
            let taken: Vec<Notice> = if first.state == NoticeState::Held {
                open.iter().filter(of_channel).filter(is_held).cloned().collect()
            } else {
                vec![first.clone()]
            };
            let own = self.owner_name()?;
            taken.iter().try_for_each(|notice| self.mark_notice(notice.id, "sending", Some(&own)))?;
            return Ok(taken);
        }
        Ok(Vec::new())
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

    fn mark_notice(&self, id: i64, state: &str, owner: Option<&str>) -> Result<(), Fault> {
        let sql = "update notices set state = ?1, owner = ?2, tries = tries + iif(?1 = 'sending', 1, 0) where id = ?3";
        self.db.prepare_cached(sql)?.execute(params![state, owner, id])?;
        Ok(())
    }
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
