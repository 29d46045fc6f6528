//! Runs started, gone on with, taken back, and asked for things.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aa_spec::name::fold;
use aa_spec::plan::{FORMAT, Plan};
use aa_spec::stub::Script;
use chrono::{SubsecRound, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::admission::{self, Admitted};
use super::{Engine, Inputs, Notice, Outcome, RunHandle, RunRequest, StartError, granting, watching};
use crate::driver::{self, Drive, Entry, Journal, Park, WallClock, drive};
use crate::event::{Body, Event, Link, Origin, RunId, Time};
use crate::machine::Machine;
use crate::mistake::{self, Watch};
use crate::places::Turn;
use crate::store::{Ask, Created, Lease, NewRun, Request, RunSummary, Store, StoreError};
use crate::stub::Stage;

/// How long a process that drives a run may take to read its inbox before whoever asked goes away.
const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(20);

/// How a run begins, apart from what runs.
#[derive(Default)]
pub(super) struct Opening {
    /// Canned answers that stand for tools and people.
    pub(super) script: Option<Script>,
    /// What a person is asked before anything begins.
    pub(super) approval: Option<String>,
    /// The run's claim to a place among those that may move.
    pub(super) turn: Option<Turn>,
    /// A run that is found by its key must be of the same skill and inputs.
    pub(super) alike: bool,
}

/// Admits and creates a run, and drives it.
pub(super) async fn start(
    engine: &Engine,
    request: RunRequest,
    script: Option<Script>,
) -> Result<RunHandle, StartError> {
    // The store is opened while the skill is read.
    engine.parts.open_store_early();
    let admitted = admission::admit(&engine.parts, &request)?;
    launch(engine, &admitted, &request, Opening { script, ..Opening::default() }).await
}

/// Creates a run of what has been admitted, and drives it.
pub(super) async fn launch(
    engine: &Engine,
    admitted: &Admitted,
    request: &RunRequest,
    opening: Opening,
) -> Result<RunHandle, StartError> {
    engine.may_begin()?;
    let Opening { script, approval, mut turn, alike } = opening;
    engine.may_run(&admitted.plan, request.dry_run)?;
    let store = engine.parts.store_soon().await?;
    let fresh = Arc::new(Mutex::new(None));
    let new = NewRun {
        skill: admitted.plan.skill.name.clone(),
        plan: Arc::clone(&admitted.plan),
        origin: request.origin,
        at: now(),
        folder: engine.settings().folder.clone(),
        request_key: request.request_key.clone(),
        tenant: engine.caller.tenant.clone(),
        principal: engine.caller.principal.clone(),
    };
    let stubs = match &script {
        Some(script) => Some(store.keep(serde_json::to_string(script).unwrap_or_default()).await?),
        None => None,
    };
    let digests = engine.parts.toolbox()?.digests(&admitted.plan);
    let first = Event {
        run_id: RunId(0),
        seq: 0,
        at: new.at,
        source: new.origin,
        body: first_body(
            admitted,
            request,
            (&new.folder.display().to_string(), stubs, digests, engine.link.as_deref().cloned()),
        ),
    };
    // Without a place nothing begins, and what has not begun needs none.
    let goes = approval.is_none() && turn.as_mut().is_none_or(Turn::try_take);
    let plan = Arc::clone(&admitted.plan);
    let slot = Arc::clone(&fresh);
    let begin = move |run: RunId| {
        let first = Event { run_id: run, ..first.clone() };
        let begun = if goes {
            driver::begin(&plan, first, &WallClock)
        } else {
            driver::begin_held(&plan, first, approval.clone())
        };
        let (machine, events) =
            begun.map_err(|misfit| StoreError::Corrupt { run, message: misfit.message })?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((machine, events.clone()));
        Ok(events)
    };
    let lease = match store.create(new, begin).await? {
        Created::New(lease) => lease,
        Created::Existing(run) => {
            if alike {
                be_alike(&store, run, admitted, request)?;
            }
            return join(engine, &store, run, request.park, turn).await;
        }
    };
    let fresh = fresh.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (machine, events) = fresh.ok_or(StoreError::Stopped)?;
    let (watchers, notices) = mpsc::unbounded_channel();
    let stubs = script.map(|script| Stubs { script, events: events.clone() });
    let hook = engine.told();
    for event in events {
        if let Some(hook) = &hook {
            hook(&event);
        }
        // The receiver is still in our hands.
        let _ = watchers.send(Notice::Event(Box::new(event)));
    }
    let folder = engine.settings().folder.clone();
    let skill = &admitted.plan.skill.name;
    let (origin, tenant) = (request.origin, &engine.caller.tenant);
    let of = Driven { lease, skill, origin, folder: &folder, tenant, park: request.park };
    go(engine, store, (machine, Entry::Fresh), (&of, stubs, turn), (watchers, notices))
}

/// Whether a run that was found by its key is the one that is wanted now.
fn be_alike(store: &Store, run: RunId, admitted: &Admitted, request: &RunRequest) -> Result<(), StartError> {
    let events = store.events(run, 0)?;
    // Whoever names no plan may find a run of the skill as it was.
    let same_plan = |plan: &str| request.plan_hash.is_none() || plan == admitted.plan.hash();
    let same = matches!(
        events.first().map(|event| &event.body),
        Some(Body::SkillStarted { skill, inputs, dry_run, plan, .. })
            if *skill == admitted.plan.skill.name
                && are_alike(inputs, admitted, &request.inputs)
                && *dry_run == request.dry_run
                && same_plan(plan)
    );
    if same {
        return Ok(());
    }
    Err(StartError::KeyUsed(run))
}

/// Whether inputs are those of a request: a default that is worked out anew each time, such as the time, makes no
/// other request of it.
fn are_alike(before: &Map<String, Value>, now: &Admitted, given: &Inputs) -> bool {
    let drifts = |name: &str| {
        let input = now.plan.skill.inputs.iter().find(|input| fold(&input.name) == fold(name));
        input.and_then(|input| input.default.as_ref()).is_some_and(|default| !default.is_constant())
            && !given.has(name)
    };
    let names: BTreeSet<&String> = before.keys().chain(now.inputs.keys()).collect();
    names.into_iter().all(|name| before.get(name) == now.inputs.get(name) || drifts(name))
}

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
    let lease = store.acquire(run.id).await.map_err(over)?;
    take_up(engine, store, (lease, Entry::Resume), run, (park, turn)).await
}

/// Takes back a run that is over.
pub(super) async fn undo(engine: &Engine, run: RunId, by: &str) -> Result<RunHandle, StartError> {
    engine.may_begin()?;
    let store = engine.parts.store()?;
    let summary = with_folder(&store, run)?;
    if summary.ended_at.is_none() {
        return Err(StartError::Refused(format!("run {run} is not over, so it cannot be taken back yet")));
    }
    let lease = store.reopen(run).await?;
    take_up(engine, store, (lease, Entry::Undo { by: by.to_owned() }), &summary, (Park::Release, None)).await
}

/// Asks a run to end; when nobody drives it, drives it to that end.
pub(super) async fn cancel(engine: &Engine, run: RunId, by: &str, reason: &str) -> Result<(), StartError> {
    let store = engine.parts.store()?;
    let ask = Ask::Cancel { reason: reason.to_owned() };
    post(engine, &store, run, by, &ask).await?;
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
            Err(error) => return Err(error),
        }
    }
}

/// Asks something of a run; when nobody drives it, writes down what that amounts to.
pub(super) async fn ask(engine: &Engine, run: RunId, by: &str, ask: Ask) -> Result<(), StartError> {
    let store = engine.parts.store()?;
    let from = post(engine, &store, run, by, &ask).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_taken(&store, run, by, &ask)? {
            return counted(&store, run, from, by, &ask);
        }
        match store.acquire(run).await {
            Ok(lease) => {
                let result = take_in(engine, &store, lease).await;
                store.release(lease).await?;
                result?;
                return counted(&store, run, from, by, &ask);
            }
            Err(StoreError::Busy(_)) if Instant::now() < deadline => sleep(TICK).await,
            Err(StoreError::Busy(_)) => return Ok(()),
            // It may have been taken, and have brought the run to its end, since the look above.
            Err(_) if is_taken(&store, run, by, &ask)? => return counted(&store, run, from, by, &ask),
            Err(error) => return Err(over(error)),
        }
    }
}

/// Whether what was taken out of the inbox was what counted: of two answers at the same moment,
/// the second is ignored.
fn counted(store: &Store, run: RunId, from: u64, by: &str, ask: &Ask) -> Result<(), StartError> {
    let (step, answered) = match ask {
        Ask::Cancel { .. } => return Ok(()),
        Ask::Answer { step, .. } => (step, true),
        Ask::Resolve { step, .. } => (step, false),
    };
    let events = store.events(run, from)?;
    let mine = events.iter().any(|event| match &event.body {
        Body::ConfirmAnswered { step: of, by: who, .. } => answered && of == step && who == by,
        Body::StepResolved { step: of, by: who, .. } => !answered && of == step && who == by,
        _ => false,
    });
    if mine {
        return Ok(());
    }
    Err(StartError::Refused(format!("it came too late for step `{step}` of run {run}")))
}

/// Puts a request into the inbox that fits the run as it is; what comes of it is an event from the
/// number on that this gives.
async fn post(engine: &Engine, store: &Store, run: RunId, by: &str, ask: &Ask) -> Result<u64, StartError> {
    let summary = store.run(run)?;
    if summary.ended_at.is_some() {
        return Err(StartError::Over { run, status: summary.status });
    }
    let request = Request { id: 0, origin: engine.caller.origin, by: by.to_owned(), ask: ask.clone() };
    let machine = replay(store, run)?;
    machine.request(&request).map_err(|misfit| StartError::Refused(misfit.message))?;
    store.post(run, engine.caller.origin, by, ask.clone()).await?;
    engine.parts.nudge();
    Ok(machine.next_seq())
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

/// Reads a run whose lease is held, and drives it.
async fn take_up(
    engine: &Engine,
    store: Store,
    (lease, entry): (Lease, Entry),
    summary: &RunSummary,
    (park, turn): (Park, Option<Turn>),
) -> Result<RunHandle, StartError> {
    let (origin, folder) = (summary.origin, &summary.folder);
    let tenant = &summary.tenant;
    let of = Driven { lease, skill: &summary.skill, origin, folder, tenant, park };
    let driven = replay(&store, lease.run).and_then(|machine| {
        let stubs = Stubs::of(&store, summary)?;
        go(engine, store.clone(), (machine, entry), (&of, stubs, turn), mpsc::unbounded_channel())
    });
    if driven.is_err() {
        store.release(lease).await?;
    }
    driven
}

/// What is driven, and how.
struct Driven<'a> {
    lease: Lease,
    skill: &'a str,
    origin: Origin,
    folder: &'a Path,
    tenant: &'a str,
    park: Park,
}

/// The canned answers of a run, and what has happened in it so far.
struct Stubs {
    script: Script,
    events: Vec<Event>,
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

fn go(
    engine: &Engine,
    store: Store,
    (machine, entry): (Machine, Entry),
    (of, stubs, turn): (&Driven<'_>, Option<Stubs>, Option<Turn>),
    (watchers, notices): (mpsc::UnboundedSender<Notice>, mpsc::UnboundedReceiver<Notice>),
) -> Result<RunHandle, StartError> {
    let mut means = granting::for_tenant(engine.parts.means(engine.told())?, of.tenant);
    means.trace = means.observers.traces().map(|percent| (Arc::new(machine.trace()), percent));
    // Canned answers teach nothing.
    let watch = stubs.is_none().then(|| {
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
        journal,
        means,
        watchers,
        park: of.park,
        turn,
        watch,
    };
    let id = run.lease.run;
    Ok(RunHandle { id, notices, outcome: tokio::spawn(drive(run)), stage })
}

/// A run's state as of now.
fn replay(store: &Store, run: RunId) -> Result<Machine, StartError> {
    let plan: Plan = store.plan(run)?;
    if plan.format > FORMAT {
        return Err(StartError::Refused(format!("run {run} was started by a newer `aa`")));
    }
    let machine = Machine::replay(&Arc::new(plan), &store.events(run, 0)?);
    machine.map_err(|misfit| corrupt(run, misfit.message).into())
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

/// The first event of a run.
pub(super) fn first_body(
    admitted: &Admitted,
    request: &RunRequest,
    (folder, stubs, tools, link): (&str, Option<String>, BTreeMap<String, String>, Option<Link>),
) -> Body {
    Body::SkillStarted {
        skill: admitted.plan.skill.name.clone(),
        plan: admitted.plan.hash(),
        nonce: nonce(),
        inputs: admitted.inputs.clone(),
        config: admitted.config.clone(),
        env: admitted.env.clone(),
        folder: folder.to_owned(),
        dry_run: request.dry_run,
        stubs,
        given: Some(admitted.given.clone()),
        tools,
        link,
    }
}

/// Text that no other run has: the keys of the system's random source, hashed twice.
fn nonce() -> String {
    crate::trace::fresh()
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
