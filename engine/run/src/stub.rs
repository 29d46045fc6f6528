//! What stands in for the tools, people, secrets and time of a stubbed run.
//!
//! Everything goes through the same seams as in a real run: the tool lookup, the journal's
//! inbox, the clock. So sub-skills, undo and whatever else calls tools is covered, and
//! neither the machine nor the driver knows that a run is stubbed.

mod clock;
mod inbox;
mod secrets;
mod tool;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aa_spec::diagnostic::Diagnostic;
use aa_spec::source::{Source, Span};
use aa_spec::stub::{Checked, Others, Prompter, Question, Reply, Script, Spot};
use aa_spec::template::{EvalError, seal};
use aa_spec::tool::Effect;
use serde_json::{Map, Value};

pub(crate) use self::clock::VirtualClock;
use self::inbox::StagedJournal;
use self::secrets::StageSecrets;
use self::tool::StubTool;
use crate::driver::{Clock, Journal, Means};
use crate::event::{Body, Event, StepPath, Time};
use crate::heal::Freely;
use crate::permits::Permits;
use crate::tool::{Tool, touches_nothing};
use crate::toolbox::Toolbox;

/// The stage of one stubbed run.
pub struct Stage {
    prompter: Mutex<Prompter>,
    clock: Arc<VirtualClock>,
    secrets: Arc<StageSecrets>,
    /// Questions that are open and have an answer.
    replies: Mutex<BTreeMap<StepPath, String>>,
    /// Calls without an answer, a line each.
    missing: Mutex<Vec<String>>,
}

impl Stage {
    /// A stage for a script, with the clock at a time. `means` are those of a real run.
    pub(crate) fn new(script: Script, at: Time, means: &Means) -> Arc<Self> {
        let clock = Arc::new(VirtualClock::new(at, !script.is_closed()));
        let secrets = Arc::new(StageSecrets::new(Arc::clone(&means.secrets), !script.is_closed()));
        Arc::new(Self {
            prompter: Mutex::new(Prompter::new(script)),
            clock,
            secrets,
            replies: Mutex::default(),
            missing: Mutex::default(),
        })
    }

    /// Takes into account what has been answered in the run so far.
    pub(crate) fn catch_up(&self, events: &[Event]) {
        let mut started: BTreeMap<&StepPath, (&str, &Value)> = BTreeMap::new();
        for event in events {
            match &event.body {
                Body::StepStarted { step, target: Some(tool), args: Some(args), kind, .. }
                    if is_call(kind) =>
                {
                    started.insert(step, (tool, args));
                }
                Body::StepRetrying { step, .. }
                | Body::StepCompleted { step, .. }
                | Body::StepFailed { step, .. } => {
                    if let Some((tool, args)) = started.remove(step) {
                        self.give_again(tool, step, args);
                    }
                }
                body => self.hear(body),
            }
        }
    }

    /// Counts an answer that was given before.
    fn give_again(&self, tool: &str, step: &StepPath, args: &Value) {
        let mut args = args.clone();
        seal::show(&mut args);
        if let Value::Object(args) = &args {
            // It was given once, so it can be given again; what it says does not matter.
            let _ = self.prompter().answer(&Question { tool, step: &step.0, args });
        }
    }

    /// Finds the answer to a question that is asked, and forgets one that is answered.
    fn hear(&self, body: &Body) {
        match body {
            Body::ConfirmRequested { step, .. } => {
                if let Some(reply) = self.prompter().reply(&step.0) {
                    self.replies().insert(step.clone(), reply);
                }
            }
            Body::ConfirmAnswered { step, .. } | Body::StepFailed { step, .. } => {
                self.replies().remove(step);
            }
            _ => {}
        }
    }

    /// The means of a real run, with everything replaced that the script stands for.
    pub(crate) fn means(self: &Arc<Self>, means: Means) -> Means {
        let (stage, real) = (Arc::clone(self), Arc::clone(&means.tools));
        let closed = self.prompter().script().is_closed();
        // A canned call that takes its time holds nothing that others wait for.
        let permits = if closed { Arc::new(Permits::unlimited()) } else { means.permits };
        Means {
            tools: Arc::new(move |name| real(name).map(|tool| stage.tool(tool))),
            permits,
            secrets: self.secrets.clone(),
            clock: self.clock.clone(),
            healer: Some(Arc::new(Freely)),
            ..means
        }
    }

    /// A journal whose inbox has the answers to questions. `nudge` makes the driver look into it.
    pub(crate) fn journal(
        self: &Arc<Self>,
        journal: Arc<dyn Journal>,
        nudge: impl Fn() + Send + Sync + 'static,
    ) -> Arc<dyn Journal> {
        Arc::new(StagedJournal::new(journal, Arc::clone(self), nudge))
    }

    /// What stands for a tool; the tool itself when it is to be called.
    fn tool(self: &Arc<Self>, real: Arc<dyn Tool>) -> Arc<dyn Tool> {
        let spec = real.spec();
        let prompter = self.prompter();
        let takes_place = match prompter.script().others {
            Others::Fail => touches_nothing(spec),
            Others::Reads => touches_nothing(spec) || spec.effect == Effect::Read,
            Others::Real => true,
        };
        if takes_place && !prompter.knows(&spec.name) {
            drop(prompter);
            return real;
        }
        Arc::new(StubTool { spec: Arc::clone(spec), stage: Arc::clone(self) })
    }

    /// The answer of a call.
    fn answer(
        &self,
        tool: &str,
        step: &StepPath,
        args: &Map<String, Value>,
    ) -> Result<Option<Reply>, EvalError> {
        self.prompter().answer(&Question { tool, step: &step.0, args })
    }

    /// The clock that the run goes by.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The answers that nothing has asked for so far.
    pub fn unused(&self) -> Vec<Spot> {
        self.prompter().unused()
    }

    /// What nothing has asked for so far, where it is written.
    pub fn unused_of(&self, source: &Source, checked: &Checked) -> Vec<Diagnostic> {
        let unused = self.unused();
        let places = checked.places.iter().filter(|(spot, _)| unused.contains(spot));
        places.map(|(spot, span)| unused_answer(spot, source, *span)).collect()
    }

    /// The calls that had no answer so far, a line each.
    pub fn missing(&self) -> Vec<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_missing(&self, line: String) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn prompter(&self) -> MutexGuard<'_, Prompter> {
        self.prompter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replies(&self) -> MutexGuard<'_, BTreeMap<StepPath, String>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The doubt about a canned answer that nothing has asked for.
pub(crate) fn unused_answer(spot: &Spot, source: &Source, span: Span) -> Diagnostic {
    let message = match spot {
        Spot::Tool(tool, _) => format!("no call of `{tool}` has had this answer"),
        Spot::Question(step) => format!("step `{step}` has not asked"),
    };
    Diagnostic::warning("unused-answer", source, span, message)
}

/// Whether a step of that kind calls a tool.
pub(crate) fn is_call(kind: &str) -> bool {
    matches!(kind, "tool" | "undo" | "reconcile")
}

/// Whether a tool of that name is one that somebody may want to stand in for.
pub(crate) fn has_services(toolbox: &Toolbox, tool: &str) -> bool {
    toolbox.tool(tool).is_none_or(|tool| !touches_nothing(tool.spec()))
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
