//! A run's place among those that may move: waited for before anything follows from what has
//! happened, and given back while only a person can move the run on.

use std::pin::pin;
use std::sync::Arc;

use aa_spec::plan::Plan;

use super::Driver;
use crate::event::Event;
use crate::machine::{Machine, Misfit};
use crate::places::Turn;
use crate::store::StoreError;

/// A fresh run that may not begin yet: because a person is asked first, or because it has no
/// place among the runs that may move.
pub(crate) fn begin_held(
    plan: &Arc<Plan>,
    first: Event,
    approval: Option<String>,
) -> Result<(Machine, Vec<Event>), Misfit> {
    let mut machine = Machine::new(plan);
    machine.apply(&first)?;
    let mut events = vec![first];
    if let Some(message) = approval {
        let asked = Event { seq: machine.next_seq(), body: Machine::approval(message), ..events[0].clone() };
        machine.apply(&asked)?;
        events.push(asked);
    }
    Ok((machine, events))
}

impl Driver {
    /// Waits for a place, when there may be something to do. What is asked of the run meanwhile is
    /// written down; a run that is to end needs no place for that.
    pub(super) async fn take_turn(&mut self) -> Result<(), StoreError> {
        if !self.wants_turn() {
            return Ok(());
        }
        let Some(turn) = &mut self.run.turn else { return Ok(()) };
        if turn.try_take() {
            return Ok(());
        }
        let mut place = pin!(turn.wait());
        let drain = self.run.means.drain.clone();
        // What is asked of a run that has not been driven before must not be left for its first step.
        self.inbox.look_again();
        while self.wants_turn() {
            self.commit().await?;
            tokio::select! {
                place = &mut place => {
                    if let Some(turn) = &mut self.run.turn {
                        turn.hold(place);
                    }
                    return Ok(());
                }
                () = self.inbox.changed() => self.read_inbox()?,
                () = drain.begun() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Gives the place back: nothing of the run moves until somebody says something.
    pub(super) fn leave_turn(&mut self) {
        if let Some(turn) = &mut self.run.turn {
            turn.give_back();
            self.rests = true;
        }
    }

    fn wants_turn(&mut self) -> bool {
        let machine = &self.run.machine;
        if self.run.means.drain.has_begun() {
            return false;
        }
        if self.run.turn.as_ref().is_none_or(Turn::has) || machine.is_cancelled() || machine.is_held_up() {
            return false;
        }
        // A run that rests is woken by what is recorded, or by a time that has come.
        let due = machine.wake_at().is_some_and(|at| at <= self.now());
        if self.rests && self.batch.is_empty() && !due {
            return false;
        }
        self.rests = false;
        true
    }
}
