//! A run followed from this terminal, from its first event to its end.
//!
//! Ctrl-C asks the run to cancel and waits for its processes to end; a second one
//! leaves at once, which kills them. Questions are asked here when somebody can answer.

use std::pin::pin;
use std::time::Duration;

use aa_run::cause::cause;
use aa_run::driver::Park;
use aa_run::engine::{Engine, Notice, Outcome, RunHandle};
use aa_run::event::{Event, Resolution, RunId, StepPath};
use aa_run::store::StoreError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::ask::{self, Asker};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::Reporter;
use crate::report::tree::{Question, State};

/// Time between two frames of the live display.
const FRAME: Duration = Duration::from_millis(80);
/// Time between two looks whether anybody drives a run that is watched.
const LOOK: Duration = Duration::from_secs(1);
/// Notices taken at once, so that a burst does not starve the display.
const BATCH: usize = 1024;

/// Drives a run that this process holds, and shows it. `stop` has listened since before the run began.
pub(crate) async fn follow(
    engine: &Engine,
    (handle, mut stop): (RunHandle, Stop),
    context: &Context<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<Exit, Failure> {
    let mut asker = Asker::default();
    let mut handle = handle;
    loop {
        let run = handle.id;
        match drive(engine, handle, context, (&mut *reporter, &mut stop, &mut asker)).await? {
            Some(Outcome::Waiting(steps)) if can_ask(context, reporter) => {
                reporter.pause();
                if !settle(engine, (run, &steps), context, (&mut *reporter, &mut stop, &mut asker)).await? {
                    return Ok(reporter.conclude());
                }
                reporter.go_on();
                handle = engine.resume(run, Park::Stay).await?;
            }
            Some(_) => return Ok(reporter.conclude()),
            None => {
                reporter.close();
                return Err(Failure::new(Exit::Cancelled, format!("run {run} was left in the middle"))
                    .hint(format!("`aa run resume {run}` goes on with it")));
            }
        }
    }
}

/// What following needs besides the run: the display, the signals, the person.
type Desk<'a, 'p> = (&'a mut Reporter<'p>, &'a mut Stop, &'a mut Asker);

/// Shows notices until the driver is done; `None` when it was not waited for.
async fn drive(
    engine: &Engine,
    mut handle: RunHandle,
    context: &Context<'_>,
    (reporter, stop, asker): Desk<'_, '_>,
) -> Result<Option<Outcome>, Failure> {
    let mut frames = tokio::time::interval_at(tokio::time::Instant::now() + FRAME, FRAME);
    let mut batch = Vec::new();
    let mut open: Option<Question> = None;
    loop {
        tokio::select! {
            received = handle.notices.recv_many(&mut batch, BATCH) => {
                for notice in batch.drain(..) {
                    if let Notice::Event(event) = &notice {
                        catch_up(engine, event, reporter)?;
                    }
                    reporter.notice(&notice);
                }
                if received == 0 {
                    break;
                }
                if can_ask(context, reporter) {
                    open = next_question(open.as_ref(), context, reporter);
                }
            }
            () = stop.asked() => {
                if stop.count > 1 {
                    return Ok(None);
                }
                engine.cancel(handle.id, context.environment.user(), "").await?;
            }
            answer = asker.answer_to(open.as_ref(), context.printer) => {
                if let Some(question) = open.take() {
                    reporter.go_on();
                    engine.answer(handle.id, &question.step, &answer, context.environment.user()).await?;
                }
            }
            _ = frames.tick(), if reporter.is_live() => reporter.tick(),
        }
    }
    let outcome = ended(handle.outcome.await);
    let hint = format!("`aa run resume {}` goes on with the run once that is better", handle.id);
    outcome.map(Some).map_err(|failure| {
        reporter.close();
        failure.hint(hint)
    })
}

/// A run that was there already, found by its key, has a past of which nothing was heard.
fn catch_up(engine: &Engine, first: &Event, reporter: &mut Reporter<'_>) -> Result<(), Failure> {
    if reporter.tree.run != 0 || first.seq == 0 {
        return Ok(());
    }
    for event in engine.events(first.run_id, 0)?.iter().take_while(|event| event.seq < first.seq) {
        reporter.catch_up(event);
    }
    Ok(())
}

/// Asks how steps with unknown outcome ended; false when that is left for later.
async fn settle(
    engine: &Engine,
    (run, steps): (RunId, &[StepPath]),
    context: &Context<'_>,
    (reporter, stop, asker): Desk<'_, '_>,
) -> Result<bool, Failure> {
    let unknown =
        |step: &&StepPath| reporter.tree.node(step).is_some_and(|node| node.state == State::Unknown);
    for step in steps.iter().filter(unknown) {
        let question = Question {
            step: step.clone(),
            message: "its process died; run it again?".to_owned(),
            options: vec!["retry".to_owned(), "fail".to_owned(), "later".to_owned()],
            form: None,
            default: None,
            until: None,
        };
        ask::put(&question, context.printer);
        let answer = tokio::select! {
            answer = asker.answer(&question, context.printer) => answer,
            () = stop.asked() => "later".to_owned(),
        };
        let resolution = match answer.as_str() {
            "retry" => Resolution::Retry,
            "fail" => Resolution::Fail,
            _ => return Ok(false),
        };
        engine.resolve(run, step, resolution, context.environment.user()).await?;
    }
    Ok(true)
}

/// Keeps at most one question on the terminal, and takes one away that was answered elsewhere.
fn next_question(
    shown: Option<&Question>,
    context: &Context<'_>,
    reporter: &mut Reporter<'_>,
) -> Option<Question> {
    let open = reporter.tree.questions().next().cloned();
    if open.as_ref() != shown {
        if shown.is_some() {
            context.printer.say("");
            reporter.go_on();
        }
        if let Some(question) = &open {
            reporter.pause();
            ask::put(question, context.printer);
        }
    }
    open
}

fn can_ask(context: &Context<'_>, reporter: &Reporter<'_>) -> bool {
    reporter.is_live() && context.printer.can_ask()
}

/// Shows a run that another process drives (or that is over) until it ends. That process may end before: then it is said,
/// and whoever takes the run up again is watched.
pub(crate) async fn watch(
    engine: &Engine,
    run: RunId,
    context: &Context<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<Exit, Failure> {
    let mut events = engine.watch(run, 0)?;
    let mut stop = Stop::new()?;
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_left = false;
    let mut frames = tokio::time::interval_at(tokio::time::Instant::now() + FRAME, FRAME);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            received = events.recv_many(&mut batch, BATCH) => {
                batch.drain(..).for_each(|event| reporter.notice(&Notice::Event(Box::new(event))));
                if received == 0 || context.printer.is_gone() {
                    return Ok(reporter.conclude());
                }
            }
            () = stop.asked() => {
                reporter.close();
                context.printer.say(format_args!("run {} is not watched any more", reporter.tree.run));
                return Ok(Exit::Ok);
            }
            _ = frames.tick(), if reporter.is_live() => reporter.tick(),
            _ = looks.tick() => {
                let was_left = std::mem::replace(&mut is_left, engine.run(run)?.interrupted);
                if is_left && !was_left {
                    // What is shown as under way is not.
                    reporter.pause();
                    context.printer.hint(format_args!("nobody drives run {run}; `aa run resume {run}` goes on with it"));
                } else if was_left && !is_left {
                    reporter.go_on();
                }
            }
        }
    }
}

/// The outcome of a driver; a panic in it is a bug and goes up.
fn ended(outcome: Result<Result<Outcome, StoreError>, tokio::task::JoinError>) -> Result<Outcome, Failure> {
    match outcome {
        Ok(outcome) => Ok(outcome?),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure::new(Exit::Bug, error.to_string())),
        },
    }
}

/// The signals that ask a process to stop.
#[derive(Debug)]
pub(crate) struct Stop {
    signals: [Signal; 3],
    /// How often it was asked.
    count: u32,
    /// It was asked once more, and nobody has heard of it.
    owed: bool,
}

impl Stop {
    /// Listens for them from now on.
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::failed(format!("cannot listen for signals: {}", cause(&error))))
        };
        let kinds = (SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup());
        Ok(Self { signals: [listen(kinds.0)?, listen(kinds.1)?, listen(kinds.2)?], count: 0, owed: false })
    }

    /// What is being started. Whoever asks to stop meanwhile is heard once it has: a run that is half on disk
    /// is cancelled like any other. Whoever asks twice does not wait for that.
    pub(crate) async fn or<T, E: Into<Failure>>(
        &mut self,
        start: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let mut start = pin!(start);
        tokio::select! {
            biased;
            started = &mut start => return started.map_err(Into::into),
            () = self.signal() => self.owed = true,
        }
        tokio::select! {
            biased;
            started = &mut start => started.map_err(Into::into),
            () = self.signal() => Err(Failure::new(Exit::Cancelled, "stopped while the run was being started")
                .hint("`aa run list` shows whether there is one")),
        }
    }

    /// Waits until it is asked.
    pub(crate) async fn asked(&mut self) {
        if !std::mem::take(&mut self.owed) {
            self.signal().await;
        }
        self.count += 1;
    }

    async fn signal(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
