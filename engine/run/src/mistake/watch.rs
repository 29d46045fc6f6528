//! One run's eye on mistakes: warns before a call, learns after it.
//!
//! What is known is read once, when the run starts. A call costs a look at the mistakes of
//! its tool in memory; the store is written to only after a failure, and after a success
//! that a warning was waiting for. The loop never waits for these writes: they are queued
//! behind the run's own commits, and awaited at its end.

use std::collections::{BTreeMap, BTreeSet};

use aa_spec::plan::digest;
use serde_json::Value;
use tokio::task::JoinSet;

use super::classify::{Failed, Found, classify};
use super::{Category, Mark, Mistake, Open, Outcome, Sighting};
use crate::driver::Toolbox;
use crate::event::{RunId, StepError, StepPath, Time};
use crate::machine::Call;
use crate::store::{Store, StoreError};

/// Most warnings before one call.
const MOST: usize = 3;

/// Characters of an error that are kept.
const SNIPPET: usize = 200;

/// What is needed to watch a run.
pub(crate) struct Means {
    pub(crate) store: Store,
    pub(crate) run: RunId,
    pub(crate) skill: String,
    /// Whether the run is seen from its first call on.
    pub(crate) from_start: bool,
}

/// What is known of mistakes during one run.
pub(crate) struct Watch {
    means: Means,
    known: Vec<Mistake>,
    /// Tools that have succeeded in the run, when that is known.
    done: Option<BTreeSet<String>>,
    /// Mistakes that running calls were warned of.
    warned: BTreeMap<StepPath, Vec<String>>,
    writes: JoinSet<Result<(), StoreError>>,
}

impl Watch {
    pub(crate) fn new(means: Means) -> Self {
        let known = means.store.mistakes_at_start().to_vec();
        Self::of(means, known)
    }

    /// One that knows these mistakes.
    pub(crate) fn of(means: Means, known: Vec<Mistake>) -> Self {
        Self {
            known,
            done: means.from_start.then(BTreeSet::new),
            warned: BTreeMap::new(),
            writes: JoinSet::new(),
            means,
        }
    }

    /// What to warn a call of that is about to start: names of mistakes, and words.
    pub(crate) fn before(&mut self, call: &Call, now: Time) -> Vec<(String, String)> {
        if self.known.is_empty() || call.attempt > 1 || is_aside(call) {
            return Vec::new();
        }
        let warnings: Vec<(String, String)> = self
            .known
            .iter()
            .filter(|mistake| mistake.tool == call.tool && mistake.warns(now) && self.makes(call, mistake))
            .take(MOST)
            .map(|mistake| (mistake.id.clone(), words(mistake, now)))
            .collect();
        for (id, _) in &warnings {
            self.warned.entry(call.step.clone()).or_default().push(id.clone());
            let (store, of, id) = (self.means.store.clone(), self.here(&call.step), id.clone());
            if let Some(mistake) = self.known.iter_mut().find(|mistake| mistake.id == *id) {
                mistake.open.push(of.clone());
            }
            self.writes.spawn(async move { store.put_warning(id, of, now).await });
        }
        warnings
    }

    /// Learns from a call that has ended, for good unless it is `retried`.
    pub(crate) fn after(
        &mut self,
        call: &Call,
        (error, retried): (Option<&StepError>, bool),
        now: Time,
        tools: &Toolbox,
    ) {
        if is_aside(call) {
            return;
        }
        match error {
            None => self.succeeded(call),
            // What may yet work with the same arguments is no mistake so far.
            Some(_) if retried => {}
            Some(error) => self.failed(call, error, now, tools),
        }
    }

    /// Waits for what was to be written down. Losing it costs a warning, not the run.
    pub(crate) async fn finish(&mut self) {
        while let Some(written) = self.writes.join_next().await {
            if let Ok(Err(error)) = written {
                tracing::warn!(run = %self.means.run, "a mistake was not put down: {error}");
            }
        }
    }

    fn succeeded(&mut self, call: &Call) {
        for id in self.warned.remove(&call.step).unwrap_or_default() {
            let here = self.here(&call.step);
            self.settle(&id, |open| *open == here, Outcome::FalseAlarm);
        }
        for index in 0..self.known.len() {
            let mistake = &self.known[index];
            if mistake.tool == call.tool && !mistake.open.is_empty() && !self.makes(call, mistake) {
                let (id, run, skill) = (mistake.id.clone(), self.means.run, self.means.skill.clone());
                let step = call.step.clone();
                let is_meant = |open: &Open| open.run == run || (open.skill == skill && open.step == step);
                self.settle(&id, is_meant, Outcome::Prevented);
            }
        }
        if let Some(done) = &mut self.done
            && !done.contains(&call.tool)
        {
            done.insert(call.tool.clone());
        }
    }

    /// Puts down what came of those warnings of a mistake that are meant.
    fn settle(&mut self, id: &str, is_meant: impl Fn(&Open) -> bool, outcome: Outcome) {
        let Some(mistake) = self.known.iter_mut().find(|mistake| mistake.id == id) else { return };
        let (meant, open): (Vec<_>, Vec<_>) = mistake.open.drain(..).partition(is_meant);
        mistake.open = open;
        if meant.is_empty() {
            return;
        }
        match outcome {
            Outcome::Prevented => mistake.prevented += 1,
            Outcome::FalseAlarm => mistake.false_alarms += 1,
            Outcome::Repeated => {}
        }
        let (store, id) = (self.means.store.clone(), id.to_owned());
        self.writes.spawn(async move { store.settle_warnings(id, meant, outcome).await });
    }

    fn failed(&mut self, call: &Call, error: &StepError, now: Time, tools: &Toolbox) {
        self.warned.remove(&call.step);
        let is_tool = |name: &str| tools(name).is_some();
        let failed =
            Failed { tool: &call.tool, args: &call.args, error, done: self.done.as_ref(), is_tool: &is_tool };
        let Some(found) = classify(failed) else { return };
        let mistake = mistake(&call.tool, found, error, now);
        let here = self.here(&call.step);
        match self.known.iter_mut().find(|known| known.id == mistake.id) {
            Some(known) => {
                known.seen += 1;
                known.last_at = now;
                known.error.clone_from(&mistake.error);
                known.open.retain(|open| *open != here);
            }
            None => self.known.push(mistake.clone()),
        }
        let (store, seen) = (self.means.store.clone(), Sighting { mistake, at: now, open: here });
        self.writes.spawn(async move { store.count_mistake(seen).await });
    }

    fn makes(&self, call: &Call, mistake: &Mistake) -> bool {
        match &mistake.mark {
            Mark::Before { tool } => self.done.as_ref().is_some_and(|done| !done.contains(tool)),
            mark => mark.is_in(&call.args),
        }
    }

    fn here(&self, step: &StepPath) -> Open {
        Open { run: self.means.run, skill: self.means.skill.clone(), step: step.clone() }
    }
}

/// Calls that take back or ask back are not what a skill says.
fn is_aside(call: &Call) -> bool {
    call.step.0.contains('#')
}

fn mistake(tool: &str, found: Found, error: &StepError, now: Time) -> Mistake {
    let Found { category, mark, advice } = found;
    Mistake {
        id: id(tool, category, &mark),
        tool: tool.to_owned(),
        category,
        mark,
        error: error.message.lines().next().unwrap_or_default().chars().take(SNIPPET).collect(),
        advice,
        seen: 1,
        prevented: 0,
        false_alarms: 0,
        first_at: now,
        last_at: now,
        open: Vec::new(),
    }
}

fn id(tool: &str, category: Category, mark: &Mark) -> String {
    let mark = serde_json::to_value(mark).unwrap_or(Value::Null);
    digest(format!("{tool}\n{category}\n{mark}")).chars().take(12).collect()
}

pub(crate) fn words(mistake: &Mistake, now: Time) -> String {
    let Mistake { tool, mark, seen, error, advice, category, .. } = mistake;
    let times = if *seen == 1 { "once".to_owned() } else { format!("{seen} times") };
    let sure = mistake.confidence(now);
    format!("{mark}: `{tool}` failed of it {times} ({category}, confidence {sure:.2}): {error}; {advice}")
}
