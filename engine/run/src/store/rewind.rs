//! What is written down for a future that has become another one, because a clock was set back.

use chrono::TimeDelta;
use rusqlite::params;

use super::journal::{Fault, Journal};
use super::slots::COLUMNS;
use super::{Store, StoreError};
use crate::event::Time;
use crate::schedule::Slot;

impl Store {
    /// Sets marks back that lie further in the future than `beyond`, after a clock was set back. Times that were run
    /// keep their rows, and are not run again; those that were not are yet to come. What waits for the clock alone waits
    /// no longer; news that could not be sent may be meant to wait, but for no more than `longest`.
    pub async fn rewind_schedules(
        &self,
        (now, beyond): (Time, Time),
        longest: TimeDelta,
    ) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            journal.rewind_marks(now, beyond)?;
            journal.rewind_slots(now, beyond)?;
            journal.rewind_notices((now, beyond), now + longest)
        };
        self.parts.writer.submit(work).await
    }

    /// Times that are to be tried again, and not before `then`.
    pub fn tried_again_after(&self, then: Time) -> Result<Vec<Slot>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from schedule_slots
             where state in ('ready', 'claimed', 'running') and state = 'ready' and attempt > 0 and at > ?"
        );
        self.some_slots(&sql, [then.timestamp_millis()])
    }

    /// Has times that are to be tried again be tried at these moments, unless they have been meanwhile.
    pub async fn bring_forward(&self, of: Vec<(Slot, Time)>) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            let sql = "update schedule_slots set at = min(at, ?)
                       where schedule = ? and due = ? and attempt = ? and state = 'ready'";
            for (slot, at) in &of {
                let due = slot.due.timestamp_millis();
                let row = params![at.timestamp_millis(), slot.schedule, due, slot.attempt];
                journal.db.prepare_cached(sql)?.execute(row)?;
            }
            Ok(())
        };
        self.parts.writer.submit(work).await
    }
}

impl Journal {
    fn rewind_marks(&self, now: Time, beyond: Time) -> Result<(), Fault> {
        let of = [now.timestamp_millis(), beyond.timestamp_millis()];
        let sql = "update schedules set polled = ?1 where polled > ?2";
        self.db.prepare_cached(sql)?.execute(of)?;
        let sql = "update schedules set decided = ?1 where decided > ?2";
        self.db.prepare_cached(sql)?.execute(of)?;
        Ok(())
    }

    fn rewind_slots(&self, now: Time, beyond: Time) -> Result<(), Fault> {
        let of = [now.timestamp_millis(), beyond.timestamp_millis()];
        let sql = "delete from schedule_slots
                   where due > ? and kind in ('timed', 'caught_up') and state in ('missed', 'skipped')";
        self.db.prepare_cached(sql)?.execute([of[0]])?;
        let sql = "update schedule_slots set started = ?1 where state = 'running' and started > ?2";
        self.db.prepare_cached(sql)?.execute(of)?;
        // What no clock has brought was to be run at once.
        let sql = "update schedule_slots set at = ?1 where state = 'ready' and attempt = 0 and at > ?2
                   and kind not in ('timed', 'caught_up')";
        self.db.prepare_cached(sql)?.execute(of)?;
        Ok(())
    }

    fn rewind_notices(&self, (now, beyond): (Time, Time), latest: Time) -> Result<(), Fault> {
        let ms = Time::timestamp_millis;
        let sql = "update notices set next = ?1 where state in ('queued', 'sending', 'held')
                   and next > iif(tries = 0, ?2, ?3)";
        self.db.prepare_cached(sql)?.execute([ms(&now), ms(&beyond), ms(&latest)])?;
        // Else they would count among the last ones until then.
        let sql = "update notices set sent_at = ?1 where sent_at > ?2";
        self.db.prepare_cached(sql)?.execute([ms(&now), ms(&beyond)])?;
        Ok(())
    }
}
