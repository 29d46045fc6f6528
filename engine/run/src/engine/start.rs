//! From a request to a run that is driven.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::input::{self, InputError};
use aa_spec::plan::resolve::{Known, ResolvedPlan};
use aa_spec::plan::{Plan, SkillPlan};
use aa_spec::template::{Scope, seal};
use chrono::{SubsecRound, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::parts::Parts;
use super::{Engine, Inputs, Notice, Outcome, RunHandle, RunRequest, StartError, library, watch};
use crate::driver::{Drive, Entry, Park, WallClock, begin, drive, outcome};
use crate::event::{Body, Event, Origin, RunId, Time};
use crate::machine::Machine;
use crate::store::{Ask, Created, Lease, NewRun, Request, Store, StoreError};

/// A request that was found good: what will run, and with what.
struct Ready {
    plan: Arc<Plan>,
    inputs: Map<String, Value>,
    config: Value,
    env: Map<String, Value>,
    at: Time,
}

/// Resolves what can be resolved of a run before it starts.
pub(super) fn resolve(parts: &Parts, request: &RunRequest) -> Result<ResolvedPlan, StartError> {
    Ok(resolved(parts, &prepare(parts, request)?))
}

fn resolved(parts: &Parts, ready: &Ready) -> ResolvedPlan {
    let known = Known { inputs: &ready.inputs, config: &ready.config, env: &ready.env };
    aa_spec::plan::resolve::resolve(&ready.plan, known, &|tool, _| parts.touches(tool))
}

/// Starts a run, or finds the one that the same request had started before.
pub(super) async fn start(engine: &Engine, request: RunRequest) -> Result<RunHandle, StartError> {
    let parts = &engine.parts;
    let ready = prepare(parts, &request)?;
    if let Some(wanted) = request.plan_hash {
        let found = resolved(parts, &ready).hash;
        if found != wanted {
            return Err(StartError::PlanChanged { wanted, found });
        }
    }
    let store = parts.store()?;
    let new = NewRun {
        skill: ready.plan.skill.name.clone(),
        plan: Arc::clone(&ready.plan),
        origin: request.origin,
        at: ready.at,
        folder: parts.settings.folder.clone(),
        request_key: request.request_key,
    };
    let body = Body::SkillStarted {
        skill: ready.plan.skill.name.clone(),
        plan: ready.plan.hash(),
        nonce: nonce(),
        inputs: ready.inputs,
        config: ready.config,
        env: ready.env,
        folder: parts.settings.folder.display().to_string(),
        dry_run: request.dry_run,
    };
    let (at, origin, plan) = (ready.at, request.origin, ready.plan);
    let born: Arc<Mutex<Option<(Machine, Vec<Event>)>>> = Arc::default();
    let birth = Arc::clone(&born);
    let begin = move |run| {
        let first = Event { run_id: run, seq: 0, at, source: origin, body: body.clone() };
        let (machine, events) = begin(&plan, first, &WallClock).map_err(|misfit| corrupt(run, &misfit))?;
        *birth.lock().unwrap_or_else(PoisonError::into_inner) = Some((machine, events.clone()));
        Ok(events)
    };
    let lease = match store.create(new, begin).await? {
        Created::New(lease) => lease,
        Created::Existing(run) => return find(engine, &store, run, request.park).await,
    };
    let born = born.lock().unwrap_or_else(PoisonError::into_inner).take();
    // A new run has been begun.
    let (machine, events) = born.ok_or(StoreError::NoRun(lease.run))?;
    if let Some(hook) = &engine.after_commit {
        events.iter().for_each(|event| hook(event));
    }
    let run = Taken { lease, machine, origin, folder: parts.settings.folder.clone() };
    hand_over(engine, store, run, (Entry::Fresh, request.park), events)
}

/// Goes on with a run that no living process drives.
pub(super) async fn resume(engine: &Engine, run: RunId, park: Park) -> Result<RunHandle, StartError> {
    let store = engine.parts.store()?;
    let lease = store.acquire(run).await.map_err(over)?;
    let taken = take(&store, lease).await?;
    hand_over(engine, store, taken, (Entry::Resume, park), Vec::new())
}

/// Takes back the completed steps of a run that is over.
pub(super) async fn undo(engine: &Engine, run: RunId, by: &str) -> Result<RunHandle, StartError> {
    let store = engine.parts.store()?;
    let lease = store.reopen(run).await?;
    let taken = take(&store, lease).await?;
    if !taken.machine.is_over() {
        store.release(lease).await?;
        return Err(StartError::Refused(format!("run {run} is not over, so it cannot be taken back")));
    }
    // Without an ending it was being taken back already, by a process that died.
    let entry = match taken.machine.ending() {
        Some(_) => Entry::Undo { by: by.to_owned() },
        None => Entry::Resume,
    };
    hand_over(engine, store, taken, (entry, Park::Release), Vec::new())
}

/// Refuses a request that does not fit the run as it stands.
pub(super) fn refuse_misfit(parts: &Parts, run: RunId, by: &str, ask: &Ask) -> Result<(), StartError> {
    let store = parts.store()?;
    let summary = store.run(run)?;
    if summary.ended_at.is_some() {
        return Err(StartError::Over { run, status: summary.status });
    }
    let plan = Arc::new(store.plan(run)?);
    let machine = Machine::replay(&plan, &store.events(run, 0)?).map_err(|misfit| corrupt(run, &misfit))?;
    let request = Request { id: 0, origin: Origin::Cli, by: by.to_owned(), ask: ask.clone() };
    machine.request(&request).map(drop).map_err(|misfit| StartError::Refused(misfit.message))
}

/// A run whose lease this process holds.
struct Taken {
    lease: Lease,
    machine: Machine,
    origin: Origin,
    folder: PathBuf,
}

/// Reads a run back; gives the lease away again when that fails.
async fn take(store: &Store, lease: Lease) -> Result<Taken, StoreError> {
    let read = || {
        let summary = store.run(lease.run)?;
        let plan = Arc::new(store.plan(lease.run)?);
        let events = store.events(lease.run, 0)?;
        let machine = Machine::replay(&plan, &events).map_err(|misfit| corrupt(lease.run, &misfit))?;
        Ok(Taken { lease, machine, origin: summary.origin, folder: summary.folder })
    };
    match read() {
        Ok(taken) => Ok(taken),
        Err(error) => {
            store.release(lease).await?;
            Err(error)
        }
    }
}

fn hand_over(
    engine: &Engine,
    store: Store,
    run: Taken,
    (entry, park): (Entry, Park),
    begun: Vec<Event>,
) -> Result<RunHandle, StartError> {
    let (watchers, notices) = mpsc::unbounded_channel();
    for event in begun {
        // The receiver is right here.
        let _ = watchers.send(Notice::Event(Box::new(event)));
    }
    let id = run.lease.run;
    let means = engine.parts.means(engine.after_commit.clone())?;
    let run = Drive {
        machine: run.machine,
        entry,
        lease: run.lease,
        origin: run.origin,
        folder: run.folder,
        journal: Arc::new(store),
        means,
        watchers,
        park,
    };
    Ok(RunHandle { id, notices, outcome: tokio::spawn(drive(run)) })
}

/// The run of an earlier request with the same key: gone on with when its process died,
/// and otherwise watched.
async fn find(engine: &Engine, store: &Store, run: RunId, park: Park) -> Result<RunHandle, StartError> {
    let summary = store.run(run)?;
    if summary.ended_at.is_none() && summary.interrupted {
        return resume(engine, run, park).await;
    }
    let mut events = watch::watch(store.clone(), run, 0)?;
    let (watchers, notices) = mpsc::unbounded_channel();
    let store = store.clone();
    let outcome = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let _ = watchers.send(Notice::Event(Box::new(event)));
        }
        let plan = Arc::new(store.plan(run)?);
        let machine =
            Machine::replay(&plan, &store.events(run, 0)?).map_err(|misfit| corrupt(run, &misfit))?;
        Ok(machine.ending().map_or_else(|| Outcome::Waiting(machine.waiting()), outcome))
    });
    Ok(RunHandle { id: run, notices, outcome })
}

fn prepare(parts: &Parts, request: &RunRequest) -> Result<Ready, StartError> {
    let checked = library::check(parts, &request.skill, request.strictness)?;
    let Some(plan) = checked.plan else { return Err(StartError::Invalid(checked.diagnostics)) };
    let at = Utc::now().trunc_subsecs(3);
    let mut config = Value::Object(parts.settings.values.clone());
    seal::clean(&mut config);
    let env = environment(parts, &plan);
    let mut scope = Scope::default();
    scope.set("config", &config);
    scope.set("env", &Value::Object(env.clone()));
    scope.set("defaults", &plan.skill.defaults);
    scope.set_now(at.timestamp_millis());
    let inputs = bind(&plan.skill, &request.inputs, &scope).map_err(StartError::Inputs)?;
    Ok(Ready { plan, inputs, config, env, at })
}

/// The declared environment variables of the skill and of those that it runs; null when not set.
fn environment(parts: &Parts, plan: &Plan) -> Map<String, Value> {
    let names: BTreeSet<&String> =
        plan.skill.env.iter().chain(plan.skills.values().flat_map(|skill| &skill.env)).collect();
    let value =
        |name: &str| parts.settings.environment.get(name).map_or(Value::Null, |text| text.as_str().into());
    let mut env = Value::Object(names.into_iter().map(|name| (name.clone(), value(name))).collect());
    seal::clean(&mut env);
    match env {
        Value::Object(env) => env,
        _ => Map::new(),
    }
}

/// The bound inputs; texts are read by the declared types and win over values.
fn bind(skill: &SkillPlan, inputs: &Inputs, scope: &Scope) -> Result<Map<String, Value>, Vec<InputError>> {
    let (mut given, text) = match inputs {
        Inputs::Json(json) => (json.clone(), &Vec::new()),
        Inputs::Text(text) => (Map::new(), text),
        Inputs::Mixed { json, text } => (json.clone(), text),
    };
    let mut errors: Vec<InputError> = Vec::new();
    for (name, text) in text {
        match input::coerce(skill, name, text) {
            Ok(value) => {
                let name = aa_spec::name::fold(name);
                given.retain(|known, _| aa_spec::name::fold(known) != name);
                given.insert(name, value);
            }
            Err(error) => errors.push(error),
        }
    }
    match input::bind(skill, &given, scope) {
        Ok(bound) if errors.is_empty() => Ok(bound),
        Ok(_) => Err(errors),
        Err(more) => {
            // What could not be read is not missing as well.
            let is_new = |error: &InputError| !errors.iter().any(|known| known.name == error.name);
            let more: Vec<InputError> = more.into_iter().filter(is_new).collect();
            errors.extend(more);
            Err(errors)
        }
    }
}

/// Text that no other run of any store has.
fn nonce() -> String {
    // Each state is seeded by the operating system.
    let part = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", part(), part())
}

fn corrupt(run: RunId, misfit: &crate::machine::Misfit) -> StoreError {
    StoreError::Corrupt { run, message: misfit.to_string() }
}

fn over(error: StoreError) -> StartError {
    match error {
        StoreError::Over { run, status } => StartError::Over { run, status },
        other => other.into(),
    }
}
