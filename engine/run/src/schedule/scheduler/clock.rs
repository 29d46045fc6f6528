//! Clocks that are set, and machines that sleep.

use chrono::TimeDelta;

use super::super::Slot;
use super::super::book::NAP;
use super::super::decide::{GRACE, lapse, milliseconds};
use super::super::notify::longest_wait;
use super::Scheduler;
use crate::event::Time;
use crate::store::{Store, StoreError};

/// A clock that is put back by less was not put back: two processes may differ by so much.
const SLACK: TimeDelta = TimeDelta::seconds(5);
/// So long without a look is worth a note.
const ABSENCE: TimeDelta = TimeDelta::minutes(1);

impl Scheduler {
    /// Notices that the clock was set, or that nobody has looked for a while.
    pub(super) async fn mind_clock(&mut self, store: &Store, now: Time) -> Result<(), StoreError> {
        let before = self.looked;
        if let Some(back) = back(store, before, now)? {
            self.back = back;
        }
        match before {
            None => {
                // It may have been put back while nobody was there.
                store.rewind_schedules((now, now + SLACK), longest_wait()).await?;
            }
            Some(before) if before - now > SLACK => {
                let text = format!(
                    "the clock was put back by {}: times that were run before are not run again",
                    lapse(before - now)
                );
                store.rewind_schedules((now, now + SLACK), longest_wait()).await?;
                store.note_scheduler(now, &text).await?;
                self.rewound(now);
            }
            Some(before) if now - before > ABSENCE => {
                let text = format!(
                    "nobody looked for {}: the machine slept, or its clock was put forward",
                    lapse(now - before)
                );
                store.note_scheduler(now, &text).await?;
            }
            Some(_) => {}
        }
        // What has failed is done at the next look.
        self.looked = Some(now);
        self.may_be_back |= before.is_none_or(|before| before - now > SLACK);
        Ok(())
    }

    /// Has nothing wait longer to be tried again than its schedule says, as it would after the clock was put back.
    pub(super) async fn mind_retries(&self, store: &Store, now: Time) -> Result<(), StoreError> {
        let latest = |slot: &Slot| {
            let retry = self.book.get(&*slot.schedule)?.compiled.retry;
            Some(now + retry.map_or(TimeDelta::zero(), |retry| milliseconds(retry.delay_after(slot.attempt))))
        };
        let waiting = store.tried_again_after(now)?.into_iter();
        let waiting = waiting.filter_map(|slot| Some((latest(&slot)?, slot)));
        let too_long =
            waiting.filter(|(latest, slot)| slot.at > *latest).map(|(latest, slot)| (slot, latest));
        store.bring_forward(too_long.collect()).await
    }

    fn rewound(&mut self, now: Time) {
        self.back = self.back.min(now);
        for decided in self.decided.values_mut() {
            *decided = (*decided).min(now);
        }
        (self.reloaded, self.tidied) = (self.reloaded.map(|_| now), None);
        self.arm(now);
    }
}

/// Until when nobody noticed what was due, when that is over: this process begins, or was stopped, as all are when the
/// machine sleeps. Where another one looks, what it is about to decide has not been missed; what is older than that was
/// not its to decide.
fn back(store: &Store, before: Option<Time>, now: Time) -> Result<Option<Time>, StoreError> {
    let others = || Ok(if store.has_scheduler()? { now - NAP * 2 } else { now });
    match before {
        None => others().map(Some),
        Some(before) => Ok((now - before > GRACE).then_some(now)),
    }
}
