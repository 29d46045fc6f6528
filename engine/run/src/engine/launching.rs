//! Runs created.
//!
//! A run is written down with all that follows from its start. Its driver does not wait for that commit: it has
//! the machine as soon as the run has its number, and may begin what changes nothing. Nobody is told of anything
//! before the run is on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use aa_spec::name::fold;
use aa_spec::plan::Plan;
use aa_spec::stub::Script;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::admission::{self, Admitted};
use super::steering::{Driven, Stubs, go, join, now};
use super::{Engine, Inputs, Notice, RunHandle, RunRequest, StartError};
use crate::caller::Caller;
use crate::driver::{self, AfterCommit, Entry, WallClock};
use crate::event::{Body, Event, Link, Origin, RunId};
use crate::fence::Fence;
use crate::machine::Machine;
use crate::places::Turn;
use crate::store::{Created, Lease, NewRun, Store, StoreError};

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
    // The times of a schedule have keys of their own, and one that is tried again is the same whatever has changed.
    let alike = request.origin == Origin::Cli;
    launch(engine, &admitted, &request, Opening { script, alike, ..Opening::default() }).await
}

/// Creates a run of what has been admitted, and drives it.
pub(super) async fn launch(
    engine: &Engine,
    admitted: &Admitted,
    request: &RunRequest,
    opening: Opening,
) -> Result<RunHandle, StartError> {
    engine.may_begin()?;
    engine.may_run(&admitted.plan, request.dry_run)?;
    engine.may_name(&admitted.inputs).map_err(StartError::NotGranted)?;
    let store = &match &opening.script {
        // It may be on its way still, and the run waits there.
        None => engine.parts.store_coming().await?,
        // Nothing is put beside a store that may be none of ours.
        Some(_) => engine.parts.store_soon().await?,
    };
    let Opening { script, approval, mut turn, alike } = opening;
    let first = first(engine, store, (admitted, request), script.as_ref()).await?;
    // Without a place nothing begins, and what has not begun needs none.
    let goes = approval.is_none() && turn.as_mut().is_none_or(Turn::try_take);
    let again = turn.as_ref().map(Turn::again);
    let (sender, begun) = mpsc::unbounded_channel();
    let begin = beginning(Arc::clone(&admitted.plan), first, (goes, approval), sender);
    let creating = store.create(new_run(engine, admitted, request), begin);
    let nursery = Nursery { engine, admitted, request, store, script };
    let (early, created) = nursery.attend(creating, begun, (&mut turn, again.as_ref())).await;
    match created {
        // What is on disk has had its beginning handed on.
        Ok(Created::New(_)) => early.map(Newborn::be_born).ok_or_else(|| StoreError::Stopped.into()),
        Ok(Created::Existing(run)) => {
            give_up(early).await;
            if alike {
                be_alike(store, run, admitted, request)?;
            }
            join(engine, store, run, request.park, turn.or(again)).await
        }
        Err(error) => {
            give_up(early).await;
            Err(error.into())
        }
    }
}

/// A run that was to be has not come to be; waits until nothing of it is left.
async fn give_up(early: Early) {
    if let Some(early) = early {
        drop(early.born);
        let _ = early.handle.outcome.await;
    }
}

/// A run that has its number.
struct Begun {
    run: RunId,
    machine: Machine,
    events: Vec<Event>,
}

/// What writes the beginning of a run, and hands it on.
fn beginning(
    plan: Arc<Plan>,
    first: Event,
    (goes, approval): (bool, Option<String>),
    begun: mpsc::UnboundedSender<Begun>,
) -> impl FnMut(RunId) -> Result<Vec<Event>, StoreError> + Send + 'static {
    move |run| {
        let first = Event { run_id: run, ..first.clone() };
        let (machine, events) = if goes {
            driver::begin(&plan, first, &WallClock)
        } else {
            driver::begin_held(&plan, first, approval.clone())
        }
        .map_err(|misfit| StoreError::Corrupt { run, message: misfit.message })?;
        // Whoever started it may have gone away by now.
        let _ = begun.send(Begun { run, machine, events: events.clone() });
        Ok(events)
    }
}

/// Gives runs their drivers while they are written down.
struct Nursery<'a> {
    engine: &'a Engine,
    admitted: &'a Admitted,
    request: &'a RunRequest,
    store: &'a Store,
    script: Option<Script>,
}

/// What has become of a run that has its number, if it has one by now.
type Early = Option<Newborn>;

/// A driven run that may not be on disk yet.
struct Newborn {
    handle: RunHandle,
    watchers: mpsc::UnboundedSender<Notice>,
    hook: Option<AfterCommit>,
    events: Vec<Event>,
    born: oneshot::Sender<()>,
}

impl Nursery<'_> {
    /// Drives what begins while it is written down, until that is done.
    async fn attend(
        &self,
        creating: impl Future<Output = Result<Created, StoreError>>,
        mut begun: mpsc::UnboundedReceiver<Begun>,
        (turn, again): (&mut Option<Turn>, Option<&Turn>),
    ) -> (Early, Result<Created, StoreError>) {
        let mut creating = pin!(creating);
        let (mut early, created) = tokio::select! {
            created = &mut creating => (None, created),
            Some(begun) = begun.recv() => (Some(self.drive(begun, turn.take())), creating.await),
        };
        // A commit that had to be repeated has given the run another beginning, and the last one counts.
        while let Ok(last) = begun.try_recv() {
            give_up(early).await;
            early = Some(self.drive(last, turn.take().or_else(|| again.map(Turn::again))));
        }
        (early, created)
    }

    fn fence(&self) -> Fence {
        let Caller { tenant, principal, .. } = &self.engine.caller;
        let skill = &self.admitted.plan.skill.name;
        self.engine.fence_of_run((tenant, principal), skill, &self.engine.settings().folder)
    }

    fn drive(&self, begun: Begun, turn: Option<Turn>) -> Newborn {
        let Begun { run, machine, events } = begun;
        let (watchers, notices) = mpsc::unbounded_channel();
        let (born, word) = oneshot::channel();
        let stubs = self.script.clone().map(|script| Stubs { script, events: events.clone() });
        let of = Driven {
            lease: Lease::first(run),
            skill: &self.admitted.plan.skill.name,
            origin: self.request.origin,
            folder: &self.engine.settings().folder,
            tenant: &self.engine.caller.tenant,
            fence: self.fence(),
            toolbox: self.admitted.toolbox.clone(),
            park: self.request.park,
            born: Some(word),
        };
        let channel = (watchers.clone(), notices);
        let handle = go(self.engine, self.store.clone(), (machine, Entry::Fresh), (of, stubs, turn), channel);
        Newborn { handle, watchers, hook: self.engine.told(), events, born }
    }
}

impl Newborn {
    /// It is on disk: whoever watches is told, and it goes on.
    fn be_born(self) -> RunHandle {
        for event in self.events {
            if let Some(hook) = &self.hook {
                hook(&event);
            }
            // The receiver is in our hands.
            let _ = self.watchers.send(Notice::Event(Box::new(event)));
        }
        // Its driver waits for it.
        let _ = self.born.send(());
        RunHandle { joined: false, ..self.handle }
    }
}

fn new_run(engine: &Engine, admitted: &Admitted, request: &RunRequest) -> NewRun {
    NewRun {
        skill: admitted.plan.skill.name.clone(),
        plan: Arc::clone(&admitted.plan),
        origin: request.origin,
        at: now(),
        folder: engine.settings().folder.clone(),
        request_key: request.request_key.clone(),
        tenant: engine.caller.tenant.clone(),
        principal: engine.caller.principal.clone(),
    }
}

/// The first event of a run that has no number yet.
async fn first(
    engine: &Engine,
    store: &Store,
    (admitted, request): (&Admitted, &RunRequest),
    script: Option<&Script>,
) -> Result<Event, StartError> {
    let stubs = match script {
        Some(script) => Some(store.keep(serde_json::to_string(script).unwrap_or_default()).await?),
        None => None,
    };
    let tools = admitted.toolbox.digests(&admitted.plan);
    let folder = engine.settings().folder.display().to_string();
    let body = first_body(admitted, request, (&folder, stubs, tools, engine.link.as_deref().cloned()));
    Ok(Event { run_id: RunId(0), seq: 0, at: now(), source: request.origin, body })
}

/// Whether a run that was found by its key is the one that is wanted now.
fn be_alike(store: &Store, run: RunId, admitted: &Admitted, request: &RunRequest) -> Result<(), StartError> {
    let events = store.events(run, 0)?;
    let Some(Body::SkillStarted { skill, inputs, dry_run, planned, .. }) =
        events.first().map(|event| &event.body)
    else {
        return Err(StartError::KeyUsed(run));
    };
    let is_same = *skill == admitted.plan.skill.name
        && are_alike(inputs, admitted, &request.inputs)
        && *dry_run == request.dry_run;
    match &request.plan_hash {
        _ if !is_same => Err(StartError::KeyUsed(run)),
        // Whoever names no plan may find a run of the skill as it was. Whoever does has seen the configuration and the
        // environment as well, so of a run that none was named for nobody can say that it is the one.
        Some(_) if request.plan_hash != *planned => Err(StartError::KeyPlanned(run)),
        _ => Ok(()),
    }
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

/// What the first event of a run says.
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
        planned: request.plan_hash.clone(),
    }
}

/// Text that no other run has: the keys of the system's random source, hashed twice.
fn nonce() -> String {
    crate::trace::fresh()
}
