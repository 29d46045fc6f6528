//! Runs of schedules that only a person can move on.

use std::collections::HashMap;

use super::super::Engine;
use crate::event::RunId;
use crate::schedule::{Slot, SlotState, Waiting};
use crate::standing::Standing;
use crate::store::{RunStatus, Store, StoreError};

impl Engine {
    /// What waits for a person among what goes on, by the keys of the schedules; of several, what waits for longest.
    pub(super) fn waiting_slots(&self) -> Result<HashMap<String, Waiting>, StoreError> {
        let store = self.parts.store()?;
        let mut waiting: HashMap<String, Waiting> = HashMap::new();
        for slot in store.slots_under_way()? {
            let Some(found) = waits(&store, &slot)? else { continue };
            let first = waiting.get(&slot.schedule).is_none_or(|known| found.since < known.since);
            if first {
                waiting.insert(slot.schedule, found);
            }
        }
        Ok(waiting)
    }

    /// The same as the caller is told of it.
    pub(super) fn as_told(&self, waiting: Waiting) -> Waiting {
        let run = waiting.run.filter(|run| self.caller.sees_all() || self.run(*run).is_ok());
        Waiting { run, ..waiting }
    }
}

fn waits(store: &Store, slot: &Slot) -> Result<Option<Waiting>, StoreError> {
    let Some(run) = slot.run.filter(|_| slot.state == SlotState::Running) else { return Ok(None) };
    let summary = store.run(run)?;
    if summary.status != RunStatus::Waiting || summary.ended_at.is_some() {
        return Ok(None);
    }
    of_run(store, run).map(Some)
}

/// Since when a run waits, and for what.
pub(crate) fn of_run(store: &Store, run: RunId) -> Result<Waiting, StoreError> {
    let events = store.events(run, 0)?;
    let standing = Standing::of(&events);
    let seqs = || standing.questions.values().map(|asked| asked.seq);
    let asked =
        seqs().min().and_then(|seq| events.iter().find(|event| event.seq == seq)).map(|event| event.at);
    let in_doubt = standing.doubt.filter(|_| !standing.unknown.is_empty());
    let doubt = in_doubt.filter(|_| asked.is_none());
    let since = asked.or_else(|| doubt.map(|(_, at)| at)).or(standing.at).unwrap_or_default();
    let mark = seqs().max().max(in_doubt.map(|(seq, _)| seq)).unwrap_or_default();
    Ok(Waiting { run: Some(run), since, in_doubt: doubt.is_some(), mark })
}
