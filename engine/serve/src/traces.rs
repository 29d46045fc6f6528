//! Traces: each run with its steps and calls, told to a collector when they are over, by servers and by commands.
//!
//! Spans are made from the events of runs, with their times, so what is told is what the journal says. Reading
//! order: [`Tracer`] (events to spans), [`span`] (as OTLP has them), [`exporter`] (on their way out).

mod exporter;
mod span;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aa_run::engine::Engine;
use aa_run::event::{Body, Event, RunId, StepError, StepPath, Time};
use aa_run::observe::Observer;
use aa_run::trace::{Trace, outer};
use serde_json::{Value, json};

use exporter::Exporter;
use span::{Kind, Span};

/// Runs that are remembered at once.
const RUNS: usize = 10_000;

/// The traces of one process.
#[derive(Debug)]
pub struct Traces {
    exporter: Exporter,
}

impl Traces {
    /// Tells of what an engine does from now on, if its configuration says where to. Needs a runtime.
    pub fn of(engine: &Engine) -> Option<Self> {
        let settings = engine.settings().operations.traces.clone()?;
        let exporter = Exporter::start(engine, &settings);
        let tracer = Tracer {
            engine: engine.clone(),
            percent: settings.percent,
            runs: Mutex::default(),
            exporter: exporter.clone(),
        };
        engine.observe(Arc::new(tracer));
        Some(Self { exporter })
    }

    /// Sends what is left, but does not take long for it.
    ///
    /// # Errors
    /// Why that is lost, in one line.
    pub async fn end(self) -> Result<(), String> {
        self.exporter.end().await
    }
}

/// Makes spans of events.
struct Tracer {
    engine: Engine,
    percent: u32,
    runs: Mutex<BTreeMap<RunId, Running>>,
    exporter: Exporter,
}

/// A run that is under way.
struct Running {
    /// None of one that is not kept.
    trace: Option<Trace>,
    skill: String,
    began: Time,
    about: Vec<(&'static str, Value)>,
    steps: BTreeMap<StepPath, Step>,
}

/// A step that is under way.
struct Step {
    began: Time,
    kind: String,
    target: Option<String>,
    /// The attempt, when it calls something.
    call: Option<(u32, Time)>,
}

/// How something ended.
type End<'a> = Result<(), &'a StepError>;

impl Tracer {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<RunId, Running>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a run that another process has begun.
    fn learn(&self, event: &Event) -> Option<Running> {
        if matches!(event.body, Body::SkillStarted { .. }) {
            return Running::new(event, self.percent);
        }
        let first = self.engine.first_event(event.run_id).ok().flatten()?;
        Running::new(&first, self.percent)
    }

    fn tell(&self, spans: impl IntoIterator<Item = Span>) {
        spans.into_iter().for_each(|span| self.exporter.put(span));
    }
}

impl Observer for Tracer {
    fn traces(&self) -> Option<u32> {
        Some(self.percent)
    }

    fn happened(&self, event: &Event) {
        let mut runs = self.runs();
        if !runs.contains_key(&event.run_id) {
            drop(runs);
            let Some(learnt) = self.learn(event) else { return };
            runs = self.runs();
            if runs.len() >= RUNS {
                // Left by those that wait for people and were gone on with elsewhere.
                runs.pop_first();
            }
            runs.insert(event.run_id, learnt);
        }
        let Some(run) = runs.get_mut(&event.run_id) else { return };
        let spans = run.take_in(event);
        if is_end(&event.body) {
            runs.remove(&event.run_id);
        }
        drop(runs);
        self.tell(spans);
    }
}

fn is_end(body: &Body) -> bool {
    matches!(body, Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. })
}

impl Running {
    fn new(first: &Event, percent: u32) -> Option<Self> {
        let Body::SkillStarted { skill, dry_run, stubs, link, .. } = &first.body else { return None };
        let mut about = vec![
            ("aa.run", json!(first.run_id)),
            ("aa.skill", json!(skill)),
            ("aa.origin", json!(first.source)),
        ];
        if *dry_run || stubs.is_some() {
            about.push(("aa.rehearsal", json!(true)));
        }
        if let Some(request) = link.as_ref().and_then(|link| link.request.as_ref()) {
            about.push(("aa.request", json!(request)));
        }
        let trace = Trace::of(first).filter(|trace| trace.is_kept(percent));
        Some(Self { trace, skill: skill.clone(), began: first.at, about, steps: BTreeMap::new() })
    }

    /// The spans that are over with an event.
    fn take_in(&mut self, event: &Event) -> Vec<Span> {
        let Some(trace) = self.trace.clone() else { return Vec::new() };
        let at = event.at;
        match &event.body {
            Body::StepStarted { step, attempt, kind, target, .. } => {
                self.begin(step, kind, target.as_ref(), (*attempt, at));
                Vec::new()
            }
            Body::StepRetrying { step, error, .. } => {
                let Some(begun) = self.steps.get_mut(step) else { return Vec::new() };
                let call = begun.call.take();
                call.map(|call| begun.call_span(&trace, step, call, (at, Err(error)))).into_iter().collect()
            }
            Body::StepCompleted { step, duration_ms, .. } => {
                self.end(&trace, step, (at, Ok(())), *duration_ms)
            }
            Body::StepFailed { step, error, duration_ms, .. } => {
                self.end(&trace, step, (at, Err(error)), *duration_ms)
            }
            Body::StepSkipped { step, .. } => {
                self.steps.remove(step);
                Vec::new()
            }
            Body::SkillCompleted { .. } => self.over(&trace, (at, Ok(()))),
            Body::SkillFailed { error, .. } => self.over(&trace, (at, Err(error))),
            Body::SkillCancelled { .. } => {
                let cancelled = StepError::new(aa_spec::tool::ErrorKind::Cancelled, "cancelled");
                self.over(&trace, (at, Err(&cancelled)))
            }
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, step: &StepPath, kind: &str, target: Option<&String>, (attempt, at): (u32, Time)) {
        let begun = self.steps.entry(step.clone()).or_insert_with(|| Step {
            began: at,
            kind: kind.to_owned(),
            target: target.cloned(),
            call: None,
        });
        let calls = matches!(kind, "tool" | "undo" | "reconcile");
        begun.call = calls.then_some((attempt, at));
    }

    fn end(&mut self, trace: &Trace, step: &StepPath, end: (Time, End<'_>), ms: u64) -> Vec<Span> {
        let mut begun = self.steps.remove(step).unwrap_or_else(|| Step {
            // It began in a process that died.
            began: end.0 - chrono::TimeDelta::milliseconds(ms.cast_signed()),
            kind: "other".to_owned(),
            target: None,
            call: None,
        });
        let call = begun.call.take().map(|call| begun.call_span(trace, step, call, end));
        let mut about = vec![("aa.step", json!(step)), ("aa.kind", json!(begun.kind))];
        about.extend(begun.target.as_ref().map(|target| ("aa.target", json!(target))));
        let parent = outer(step).map_or_else(|| trace.root(), |of| trace.step(&of));
        let own = Span {
            trace: trace.id.clone(),
            id: trace.step(step),
            parent: Some(parent),
            name: format!("step {step}"),
            kind: Kind::Internal,
            began: begun.began,
            ended: end.0,
            about,
            error: end.1.err().map(failure),
        };
        call.into_iter().chain([own]).collect()
    }

    fn over(&mut self, trace: &Trace, end: (Time, End<'_>)) -> Vec<Span> {
        // What is under way still was cut off.
        let left: Vec<StepPath> = self.steps.keys().cloned().collect();
        let mut spans: Vec<Span> = left.iter().flat_map(|step| self.end(trace, step, end, 0)).collect();
        spans.push(Span {
            trace: trace.id.clone(),
            id: trace.root(),
            parent: trace.parent.clone(),
            name: format!("run {}", self.skill),
            kind: if trace.parent.is_some() { Kind::Server } else { Kind::Internal },
            began: self.began,
            ended: end.0,
            about: self.about.clone(),
            error: end.1.err().map(failure),
        });
        spans
    }
}

impl Step {
    fn call_span(
        &self,
        trace: &Trace,
        step: &StepPath,
        (attempt, began): (u32, Time),
        (ended, result): (Time, End<'_>),
    ) -> Span {
        let tool = self.target.clone().unwrap_or_default();
        Span {
            trace: trace.id.clone(),
            id: trace.call(step, attempt),
            parent: Some(trace.step(step)),
            name: format!("call {tool}"),
            kind: Kind::Client,
            began,
            ended,
            about: vec![("aa.tool", json!(tool)), ("aa.attempt", json!(attempt)), ("aa.step", json!(step))],
            error: result.err().map(failure),
        }
    }
}

/// What kind of error it was, and nothing of what was said: that may be private.
fn failure(error: &StepError) -> String {
    serde_json::to_value(error.kind)
        .ok()
        .and_then(|kind| kind.as_str().map(str::to_owned))
        .unwrap_or_default()
}
