//! Runs started, gone on with, taken back, and asked for things.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::name::suggest;
use aa_spec::plan::{FORMAT, Plan};
use aa_spec::stub::Script;
use chrono::{SubsecRound, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::{Engine, Notice, Outcome, RunHandle, StartError, watching};
use crate::caller::MAIN;
use crate::driver::{Drive, Entry, Journal, Park, drive};
use crate::event::{Body, Event, Origin, RunId, StepPath, Time};
use crate::fence::Fence;
use crate::machine::{Left, Machine};
use crate::mistake::{self, Watch};
use crate::places::Turn;
use crate::store::{Ask, Lease, Request, RunSummary, Store, StoreError};
use crate::stub::Stage;
use crate::toolbox::Toolbox;

/// How long a process that drives a run may take to read its inbox before whoever asked goes away.
const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(20);

/// Goes on with a run that no living process drives.
pub(super) async fn resume(engine: &Engine, run: RunId, park: Park) -> Result<RunHandle, StartError> {
    resume_in_turn(engine, run, park, None).await
}

/// The same, for a run that moves only when it has a place.
pub(super) async fn resume_in_turn(
    engine: &Engine,
    run: RunId,
    park: Park,
    turn: Option<Turn>,
) -> Result<RunHandle, StartError> {
    engine.may_begin()?;
    let store = engine.parts.store()?;
    let summary = with_folder(&store, run)?;
    go_on(engine, store, &summary, park, turn).await
}

async fn go_on(
    engine: &Engine,
    store: Store,
    run: &RunSummary,
    park: Park,
    turn: Option<Turn>,
) -> Result<RunHandle, StartError> {
    let engine = &at_home(engine, run)?;
    let lease = store.acquire(run.id).await.map_err(over)?;
    take_up(engine, store, (lease, None), run, (park, turn)).await
}

/// The engine of the folder that a run is of, wherever somebody asks: its tools and settings are those, and tools of
/// the same name elsewhere act on something else. Where the folder is gone, only the end of the run can come.
fn at_home(engine: &Engine, run: &RunSummary) -> Result<Engine, StartError> {
    if run.folder.is_dir() { engine.in_folder(&run.folder) } else { Ok(engine.clone()) }
}

/// Takes back a run that is over.
pub(super) async fn undo(engine: &Engine, run: RunId, by: &str) -> Result<RunHandle, StartError> {
    engine.may_begin()?;
    let store = engine.parts.store()?;
    let summary = with_folder(&store, run)?;
    if summary.ended_at.is_none() {
        return Err(StartError::Refused(format!("run {run} is not over, so it cannot be taken back yet")));
    }
    let engine = &engine.in_folder(&summary.folder)?;
    let lease = store.reopen(run).await?;
    take_up(engine, store, (lease, Some(by)), &summary, (Park::Release, None)).await
}

/// Asks a run to end; when nobody drives it, drives it to that end. When it cannot be driven, nothing was asked.
pub(super) async fn cancel(engine: &Engine, run: RunId, by: &str, reason: &str) -> Result<(), StartError> {
    let store = engine.parts.store()?;
    let ask = Ask::Cancel { reason: reason.to_owned() };
    let posted = post(engine, &store, run, by, &ask).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_taken(&store, run, by, &ask)? {
            return Ok(());
        }
        // Not even the loss of its folder keeps a run from being given up.
        match go_on(engine, store.clone(), &store.run(run)?, Park::Release, None).await {
            Ok(handle) => {
                handle.outcome.await.map_err(|_| StoreError::Stopped)??;
                return Ok(());
            }
            Err(StartError::Store(StoreError::Busy(_))) if Instant::now() < deadline => sleep(TICK).await,
            // It is written down, and whoever drives the run will see it.
            Err(StartError::Over { .. } | StartError::Draining | StartError::Store(StoreError::Busy(_))) => {
                return Ok(());
            }
            // Whoever goes on with the run later would be surprised by it; unless somebody has just taken it.
            Err(error) if store.withdraw(run, posted.id).await? => return Err(error),
            Err(_) => return Ok(()),
        }
    }
}

/// Asks something of a run; when nobody drives it, writes down what that amounts to.
pub(super) async fn ask(engine: &Engine, run: RunId, by: &str, ask: Ask) -> Result<(), StartError> {
    let store = engine.parts.store()?;
    let posted = post(engine, &store, run, by, &ask).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_taken(&store, run, by, &ask)? {
            return counted(&store, run, &posted);
        }
        match store.acquire(run).await {
            Ok(lease) => {
                let result = take_in(engine, &store, lease).await;
                store.release(lease).await?;
                result?;
                return counted(&store, run, &posted);
            }
            Err(StoreError::Busy(_)) if Instant::now() < deadline => sleep(TICK).await,
            Err(StoreError::Busy(_)) => return Ok(()),
            // It may have been taken, and have brought the run to its end, since the look above.
            Err(_) if is_taken(&store, run, by, &ask)? => return counted(&store, run, &posted),
            Err(error) => return Err(over(error)),
        }
    }
}

/// A request in the inbox: the event that it amounts to, and the number from which on that can be found.
struct Posted {
    /// Its number in the inbox.
    id: i64,
    from: u64,
    body: Body,
}

/// Whether what was taken out of the inbox was what counted: of two answers at the same moment, the second is
/// ignored. That it was given by the same key makes it no other answer, and that it says the same makes it one that
/// counted.
fn counted(store: &Store, run: RunId, posted: &Posted) -> Result<(), StartError> {
    let Some(step) = posted.body.step() else { return Ok(()) };
    let events = store.events(run, posted.from)?;
    if events.iter().any(|event| event.body == posted.body) {
        return Ok(());
    }
    let kind = posted.body.kind();
    let first = events.iter().find(|event| event.body.kind() == kind && event.body.step() == Some(step));
    let instead = match first.map(|event| &event.body) {
        Some(Body::ConfirmAnswered { answer, by, .. }) => {
            format!(": it was answered with `{answer}` by {by}")
        }
        Some(Body::StepResolved { by, .. }) => format!(": {by} has said how it ended"),
        _ => String::new(),
    };
    Err(StartError::Refused(format!("it came too late for step `{step}` of run {run}{instead}")))
}

/// Puts a request into the inbox that fits the run as it is.
async fn post(engine: &Engine, store: &Store, run: RunId, by: &str, ask: &Ask) -> Result<Posted, StartError> {
    let summary = store.run(run)?;
    if summary.ended_at.is_some() {
        return Err(StartError::Over { run, status: summary.status });
    }
    let request = Request { id: 0, origin: engine.caller.origin, by: by.to_owned(), ask: ask.clone() };
    let machine = replay(store, run)?;
    if let Ask::Answer { step, .. } | Ask::Resolve { step, .. } = ask
        && !machine.may_have(step)
    {
        return Err(no_step(store, run, step)?);
    }
    let body = machine.request(&request).map_err(|misfit| StartError::Refused(misfit.message))?;
    let id = store.post(run, engine.caller.origin, by, ask.clone()).await?;
    engine.parts.nudge();
    Ok(Posted { id, from: machine.next_seq(), body })
}

/// What is told of a step that a run cannot have.
fn no_step(store: &Store, run: RunId, step: &StepPath) -> Result<StartError, StartError> {
    let plan = store.plan(run)?;
    let names = plan.skill.steps.iter().map(|step| step.name.as_str());
    let suggestion = suggest(&step.0, names).map(str::to_owned);
    Ok(StartError::NoStep { run, step: step.clone(), suggestion })
}

fn is_taken(store: &Store, run: RunId, by: &str, ask: &Ask) -> Result<bool, StoreError> {
    Ok(!store.inbox(run)?.iter().any(|request| request.by == by && request.ask == *ask))
}

/// Turns the requests in an inbox into events.
async fn take_in(engine: &Engine, store: &Store, lease: Lease) -> Result<(), StartError> {
    let run = lease.run;
    let mut machine = replay(store, run)?;
    let mut events = Vec::new();
    let mut taken = Vec::new();
    for request in store.inbox(run)? {
        taken.push(request.id);
        match machine.request(&request) {
            Ok(body) => {
                let at = now().max(machine.last_at());
                let event = Event { run_id: run, seq: machine.next_seq(), at, source: request.origin, body };
                machine.apply(&event).map_err(|misfit| corrupt(run, misfit.message))?;
                events.push(event);
            }
            Err(misfit) => tracing::warn!(%run, by = request.by, "ignored a request: {misfit}"),
        }
    }
    let copies = engine.told().map(|hook| (hook, events.clone()));
    store.append(lease, events, taken).await?;
    if let Some((hook, events)) = copies {
        for event in &events {
            hook(event);
        }
    }
    Ok(())
}

/// The run that an earlier request of the same key has started.
pub(super) async fn join(
    engine: &Engine,
    store: &Store,
    run: RunId,
    park: Park,
    turn: Option<Turn>,
) -> Result<RunHandle, StartError> {
    match resume_in_turn(engine, run, park, turn).await {
        Err(StartError::Over { .. } | StartError::Store(StoreError::Busy(_))) => {
            Ok(watching::follow(store.clone(), run)?)
        }
        resumed => resumed,
    }
}

/// Reads a run whose lease is held, and drives it: on, or back for whoever has asked for that. Lets the lease go when
/// that cannot be.
async fn take_up(
    engine: &Engine,
    store: Store,
    (lease, undo_by): (Lease, Option<&str>),
    summary: &RunSummary,
    (park, turn): (Park, Option<Turn>),
) -> Result<RunHandle, StartError> {
    let driven = ready(engine, &store, lease.run, undo_by).await.and_then(|(machine, entry, toolbox)| {
        let stubs = Stubs::of(&store, summary)?;
        let (origin, folder) = (summary.origin, &summary.folder);
        let (tenant, skill) = (&summary.tenant, &summary.skill);
        let fence = engine.fence_of_run((tenant, &summary.principal), skill, folder);
        let of = Driven { lease, skill, origin, folder, tenant, fence, toolbox, park, born: None };
        Ok(go(engine, store.clone(), (machine, entry), (of, stubs, turn), mpsc::unbounded_channel()))
    });
    if driven.is_err() {
        store.release(lease).await?;
    }
    driven
}

/// A run as of now, and the tools that it goes on with; what was left running of it is ended.
async fn ready(
    engine: &Engine,
    store: &Store,
    run: RunId,
    undo_by: Option<&str>,
) -> Result<(Machine, Entry, Toolbox), StartError> {
    let plan = plan(store, run)?;
    let events = store.events(run, 0)?;
    let machine = replay_of(&plan, run, &events)?;
    let toolbox = engine.parts.toolbox()?;
    if undo_by.is_some() && !machine.can_undo() {
        return Err(StartError::NothingLeft(run));
    }
    let ended = clear(run, &machine, &toolbox).await?;
    let entry = match undo_by {
        Some(by) => Entry::Undo { by: by.to_owned() },
        None => Entry::Resume(Left { ended, changed: changed(&plan, events.first(), &toolbox) }),
    };
    Ok((machine, entry, toolbox))
}

/// Ends what the process that drove a run before has left running: before that is over, nobody can know what it has
/// done, and to make its calls again would be to make them twice.
async fn clear(run: RunId, machine: &Machine, toolbox: &Toolbox) -> Result<Vec<String>, StartError> {
    let ended = toolbox.end_remains(&machine.open_keys()).await;
    ended.map_err(|why| {
        StartError::Refused(format!("run {run} can neither go on nor be cancelled yet: {why}"))
    })
}

/// What is driven, and how.
pub(super) struct Driven<'a> {
    pub(super) lease: Lease,
    pub(super) skill: &'a str,
    pub(super) origin: Origin,
    pub(super) folder: &'a Path,
    pub(super) tenant: &'a str,
    pub(super) fence: Fence,
    /// Its tools; those that it was checked with, where it was just now.
    pub(super) toolbox: Toolbox,
    pub(super) park: Park,
    /// See [`Drive::born`].
    pub(super) born: Option<oneshot::Receiver<()>>,
}

/// The canned answers of a run, and what has happened in it so far.
pub(super) struct Stubs {
    pub(super) script: Script,
    pub(super) events: Vec<Event>,
}

impl Stubs {
    /// Those that a run is pinned to. A stubbed run without them must not go on: it would call
    /// real tools.
    fn of(store: &Store, run: &RunSummary) -> Result<Option<Self>, StartError> {
        if !run.stubbed {
            return Ok(None);
        }
        let events = store.events(run.id, 0)?;
        let Some(Body::SkillStarted { stubs: Some(hash), .. }) = events.first().map(|event| &event.body)
        else {
            return Err(corrupt(run.id, "its canned answers are gone".to_owned()).into());
        };
        let script = serde_json::from_str(&store.kept(run.id, hash)?)
            .map_err(|error| corrupt(run.id, format!("its canned answers cannot be read: {error}")))?;
        Ok(Some(Self { script, events }))
    }
}

pub(super) fn go(
    engine: &Engine,
    store: Store,
    (machine, entry): (Machine, Entry),
    (of, stubs, turn): (Driven<'_>, Option<Stubs>, Option<Turn>),
    (watchers, notices): (mpsc::UnboundedSender<Notice>, mpsc::UnboundedReceiver<Notice>),
) -> RunHandle {
    let mut means = engine.parts.means(of.toolbox, engine.told());
    means.trace = means.observers.traces().map(|percent| (Arc::new(machine.trace()), percent));
    // Canned answers teach nothing, and a warning may say what was in another call: so only one tenant is warned.
    let watched = stubs.is_none() && of.tenant == MAIN;
    let watch = watched.then(|| {
        let (run, skill) = (of.lease.run, of.skill.to_owned());
        let from_start = entry == Entry::Fresh;
        Watch::new(mistake::Means { store: store.clone(), run, skill, from_start })
    });
    let mut journal: Arc<dyn Journal> = Arc::new(store);
    let stage = stubs.map(|Stubs { script, events }| {
        let stage = Stage::new(script, machine.last_at().max(now()), &means);
        stage.catch_up(&events);
        stage
    });
    if let Some(stage) = &stage {
        let parts = Arc::clone(&engine.parts);
        means = stage.means(means);
        journal = stage.journal(journal, move || parts.nudge());
    }
    let run = Drive {
        machine,
        entry,
        lease: of.lease,
        origin: of.origin,
        folder: of.folder.to_owned(),
        tenant: of.tenant.into(),
        fence: of.fence,
        journal,
        means,
        watchers,
        park: of.park,
        turn,
        watch,
        born: of.born,
    };
    let id = run.lease.run;
    RunHandle { id, notices, outcome: tokio::spawn(drive(run)), stage, joined: true }
}

/// Tools that do something else now than when a run started, as far as their text tells. A run is pinned to its plan,
/// and not to them: so it is said.
fn changed(plan: &Plan, first: Option<&Event>, toolbox: &Toolbox) -> Vec<String> {
    let Some(Body::SkillStarted { tools, .. }) = first.map(|event| &event.body) else { return Vec::new() };
    let now = toolbox.digests(plan);
    let differs = |(name, was): &(&String, &String)| now.get(*name) != Some(*was);
    tools.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

/// A run's state as of now.
fn replay(store: &Store, run: RunId) -> Result<Machine, StartError> {
    replay_of(&plan(store, run)?, run, &store.events(run, 0)?)
}

fn replay_of(plan: &Arc<Plan>, run: RunId, events: &[Event]) -> Result<Machine, StartError> {
    Machine::replay(plan, events).map_err(|misfit| corrupt(run, misfit.message).into())
}

/// What a run is pinned to.
fn plan(store: &Store, run: RunId) -> Result<Arc<Plan>, StartError> {
    let plan: Plan = store.plan(run)?;
    if plan.format > FORMAT {
        return Err(StartError::Refused(format!("run {run} was started by a newer `aa`")));
    }
    Ok(Arc::new(plan))
}

/// A run whose folder is still there.
fn with_folder(store: &Store, run: RunId) -> Result<RunSummary, StartError> {
    let summary = store.run(run)?;
    if summary.folder.is_dir() {
        Ok(summary)
    } else {
        Err(StartError::FolderGone { run, folder: summary.folder })
    }
}

pub(super) fn now() -> Time {
    Utc::now().trunc_subsecs(3)
}

fn corrupt(run: RunId, message: String) -> StoreError {
    StoreError::Corrupt { run, message }
}

fn over(error: StoreError) -> StartError {
    match error {
        StoreError::Over { run, status } => StartError::Over { run, status },
        other => other.into(),
    }
}

/// How a run went that is over, by its events.
pub(super) fn outcome(events: &[Event]) -> Option<Outcome> {
    events.iter().rev().find_map(|event| match &event.body {
        Body::SkillCompleted { outputs, .. } => Some(Outcome::Completed(outputs.clone())),
        Body::SkillFailed { error, step, .. } => {
            Some(Outcome::Failed { error: error.clone(), step: step.clone() })
        }
        Body::SkillCancelled { .. } => Some(Outcome::Cancelled),
        _ => None,
    })
}
