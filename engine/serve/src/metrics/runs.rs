//! Runs, steps and calls, counted by the events of the runs that this process drives.
//!
//! Dry runs and those with canned answers do nothing in the world, and are not counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::event::{Body, Event, Origin, RunId, StepError, StepPath, Time};
use aa_run::observe::Observer;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Modules that are told apart; whatever comes later counts as `other`.
const MODULES: usize = 50;

/// Runs whose steps are remembered.
const RUNS: usize = 10_000;

/// Bounds of the durations of runs, in seconds.
const RUN_SECONDS: [f64; 12] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0];
/// Bounds of the durations of steps and calls, in seconds.
const STEP_SECONDS: [f64; 11] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 600.0];
/// Bounds of the times that calls wait for their turn, in seconds.
const WAIT_SECONDS: [f64; 8] = [0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0, 60.0];

type Few<const N: usize> = [(&'static str, &'static str); N];
type Named = [(&'static str, String); 2];
type Histograms = Family<Few<1>, Histogram, fn() -> Histogram>;

/// Counts what runs do.
pub(super) struct Runs {
    engine: Engine,
    open: Mutex<Open>,
    started: Family<Few<1>, Counter>,
    ended: Family<Few<1>, Counter>,
    resumed: Counter,
    run_seconds: Histograms,
    steps: Family<Few<2>, Counter>,
    step_seconds: Histograms,
    calls: Family<Named, Counter>,
    call_seconds: Histogram,
    call_wait: Histogram,
    retries: Family<Few<1>, Counter>,
    heals: Family<Few<1>, Counter>,
    questions: Counter,
    answers: Family<Few<1>, Counter>,
}

/// What is under way.
#[derive(Default)]
struct Open {
    runs: BTreeMap<RunId, HashMap<StepPath, Attempt>>,
    /// Runs that are not counted.
    quiet: BTreeSet<RunId>,
    modules: BTreeSet<String>,
}

/// An attempt at a step.
struct Attempt {
    kind: &'static str,
    at: Time,
    /// The module of what it calls, if it calls a tool.
    module: Option<String>,
}

impl Runs {
    pub(super) fn new(engine: &Engine, registry: &mut Registry) -> Self {
        let steps: fn() -> Histogram = || Histogram::new(STEP_SECONDS);
        let of_runs: fn() -> Histogram = || Histogram::new(RUN_SECONDS);
        let runs = Self {
            engine: engine.clone(),
            open: Mutex::default(),
            started: Family::default(),
            ended: Family::default(),
            resumed: Counter::default(),
            run_seconds: Family::new_with_constructor(of_runs),
            steps: Family::default(),
            step_seconds: Family::new_with_constructor(steps),
            calls: Family::default(),
            call_seconds: Histogram::new(STEP_SECONDS),
            call_wait: Histogram::new(WAIT_SECONDS),
            retries: Family::default(),
            heals: Family::default(),
            questions: Counter::default(),
            answers: Family::default(),
        };
        runs.begin_at_zero();
        runs.register(registry);
        runs
    }

    /// A series that begins with its first event hides that event: rates need two points.
    fn begin_at_zero(&self) {
        for of in [Origin::Cli, Origin::Cron, Origin::Mcp, Origin::Http, Origin::Parent] {
            drop(self.started.get_or_create(&[("origin", origin(of))]));
        }
        for outcome in ["completed", "failed", "cancelled"] {
            drop(self.ended.get_or_create(&[("outcome", outcome)]));
            drop(self.run_seconds.get_or_create(&[("outcome", outcome)]));
        }
        for outcome in ["completed", "failed"] {
            drop(self.steps.get_or_create(&[("kind", "tool"), ("outcome", outcome)]));
        }
        for outcome in ["healed", "failed", "held"] {
            drop(self.heals.get_or_create(&[("outcome", outcome)]));
        }
        for who in ["person", "timeout"] {
            drop(self.answers.get_or_create(&[("by", who)]));
        }
        for error in ["transient", "network", "timeout"] {
            drop(self.retries.get_or_create(&[("error", error)]));
        }
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("runs_started", "Runs begun, by front end", self.started.clone());
        registry.register("runs_ended", "Runs that are over, by how they ended", self.ended.clone());
        registry.register("runs_resumed", "Runs taken over from a process that died", self.resumed.clone());
        let (seconds, of) = (Unit::Seconds, &self.run_seconds);
        registry.register_with_unit("run_duration", "From a run's start to its end", seconds, of.clone());
        registry.register("steps", "Steps that are over, by kind and how they ended", self.steps.clone());
        let (seconds, of) = (Unit::Seconds, &self.step_seconds);
        registry.register_with_unit(
            "step_duration",
            "From a step's first attempt to its end",
            seconds,
            of.clone(),
        );
        registry.register("tool_calls", "Calls of tools, by module and how they ended", self.calls.clone());
        let (seconds, of) = (Unit::Seconds, &self.call_seconds);
        registry.register_with_unit("tool_call_duration", "Time that a call takes", seconds, of.clone());
        let (seconds, of) = (Unit::Seconds, &self.call_wait);
        registry.register_with_unit("call_wait", "Time that calls wait for their turn", seconds, of.clone());
        registry.register(
            "step_retries",
            "Attempts that failed and are repeated, by error",
            self.retries.clone(),
        );
        registry.register("heals", "Heal rules that fired, by what came of it", self.heals.clone());
        registry.register("questions", "Questions put to people", self.questions.clone());
        registry.register("answers", "Answers to them, by who gave them", self.answers.clone());
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, event: &Event, step: &StepPath, kind: &str, target: Option<&str>) {
        let calls = matches!(kind, "tool" | "undo" | "reconcile");
        let module = target.filter(|_| calls).map(|tool| self.engine.module_of(tool).unwrap_or_default());
        let mut open = self.open();
        let module = module.map(|module| open.bounded(module));
        let attempt = Attempt { kind: known(kind), at: event.at, module };
        if open.runs.len() >= RUNS {
            // Left by those that wait for people and were gone on with elsewhere.
            open.runs.pop_first();
        }
        open.runs.entry(event.run_id).or_default().insert(step.clone(), attempt);
    }

    /// Counts the end of an attempt, and says what kind of step it was.
    fn end(&self, event: &Event, step: &StepPath, error: Option<&StepError>) -> Option<&'static str> {
        let attempt = self.open().runs.get_mut(&event.run_id)?.remove(step)?;
        if let Some(module) = attempt.module {
            let outcome = error.map_or("ok", name);
            self.calls.get_or_create(&[("module", module), ("outcome", outcome.to_owned())]).inc();
            self.call_seconds.observe(seconds((event.at - attempt.at).num_milliseconds()));
        }
        Some(attempt.kind)
    }

    fn step_over(&self, kind: Option<&'static str>, outcome: &'static str, ms: u64) {
        // What began in another process is known here by its end only.
        let kind = kind.unwrap_or("other");
        self.steps.get_or_create(&[("kind", kind), ("outcome", outcome)]).inc();
        self.step_seconds.get_or_create(&[("kind", kind)]).observe(seconds(ms.cast_signed()));
    }

    fn run_over(&self, run: RunId, outcome: &'static str, ms: u64) {
        self.open().runs.remove(&run);
        self.ended.get_or_create(&[("outcome", outcome)]).inc();
        self.run_seconds.get_or_create(&[("outcome", outcome)]).observe(seconds(ms.cast_signed()));
    }

    fn count_step(&self, event: &Event) {
        match &event.body {
            Body::StepStarted { step, kind, target, .. } => self.begin(event, step, kind, target.as_deref()),
            Body::StepCompleted { step, duration_ms, .. } => {
                let kind = self.end(event, step, None);
                self.step_over(kind, "completed", *duration_ms);
            }
            Body::StepFailed { step, duration_ms, error, .. } => {
                let kind = self.end(event, step, Some(error));
                self.step_over(kind, "failed", *duration_ms);
            }
            Body::StepSkipped { .. } => {
                self.steps.get_or_create(&[("kind", "other"), ("outcome", "skipped")]).inc();
            }
            Body::StepRetrying { step, error, .. } => {
                self.end(event, step, Some(error));
                self.retries.get_or_create(&[("error", name(error))]).inc();
            }
            Body::HealFinished { healed, note, .. } => {
                let outcome = if *healed {
                    "healed"
                } else if note.is_empty() {
                    "failed"
                } else {
                    "held"
                };
                self.heals.get_or_create(&[("outcome", outcome)]).inc();
            }
            Body::ConfirmRequested { .. } => {
                self.questions.inc();
            }
            Body::ConfirmAnswered { by, .. } => {
                let who = if by == "timeout" { "timeout" } else { "person" };
                self.answers.get_or_create(&[("by", who)]).inc();
            }
            _ => {}
        }
    }

    fn count_run(&self, event: &Event) {
        match &event.body {
            Body::SkillStarted { .. } => {
                self.started.get_or_create(&[("origin", origin(event.source))]).inc();
            }
            Body::RunResumed { .. } => {
                self.resumed.inc();
            }
            Body::SkillCompleted { duration_ms, .. } => {
                self.run_over(event.run_id, "completed", *duration_ms);
            }
            Body::SkillFailed { duration_ms, .. } => self.run_over(event.run_id, "failed", *duration_ms),
            Body::SkillCancelled { duration_ms } => self.run_over(event.run_id, "cancelled", *duration_ms),
            _ => self.count_step(event),
        }
    }
}

impl Observer for Runs {
    fn happened(&self, event: &Event) {
        if self.open().is_quiet(event) {
            return;
        }
        self.count_run(event);
    }

    fn waited(&self, wait: Duration) {
        self.call_wait.observe(wait.as_secs_f64());
    }
}

impl Open {
    /// Whether an event is of a run that is not counted.
    fn is_quiet(&mut self, event: &Event) -> bool {
        let over = matches!(
            event.body,
            Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. }
        );
        match &event.body {
            Body::SkillStarted { dry_run, stubs, .. } if *dry_run || stubs.is_some() => {
                self.quiet.insert(event.run_id)
            }
            _ if over => self.quiet.remove(&event.run_id),
            _ => self.quiet.contains(&event.run_id),
        }
    }

    /// A module's name, or `other` when there are too many.
    fn bounded(&mut self, module: String) -> String {
        if self.modules.contains(&module) {
            return module;
        }
        if module.is_empty() || self.modules.len() >= MODULES {
            return "other".to_owned();
        }
        self.modules.insert(module.clone());
        module
    }
}

fn seconds(ms: i64) -> f64 {
    Duration::from_millis(ms.max(0).cast_unsigned()).as_secs_f64()
}

/// A kind of step as a label.
fn known(kind: &str) -> &'static str {
    const KINDS: [&str; 9] =
        ["tool", "skill", "compute", "confirm", "wait", "then", "foreach", "undo", "reconcile"];
    KINDS.into_iter().find(|known| *known == kind).unwrap_or("other")
}

fn name(error: &StepError) -> &'static str {
    use aa_spec::tool::ErrorKind;
    match error.kind {
        ErrorKind::Transient => "transient",
        ErrorKind::Permanent => "permanent",
        ErrorKind::Auth => "auth",
        ErrorKind::Network => "network",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Invalid => "invalid",
    }
}

fn origin(of: Origin) -> &'static str {
    match of {
        Origin::Cli => "cli",
        Origin::Cron => "cron",
        Origin::Mcp => "mcp",
        Origin::Http => "http",
        Origin::Parent => "parent",
    }
}
