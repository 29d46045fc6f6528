//! `/ui`: what goes on, what waits for a person, what has failed, what is due next.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aa_run::course::{Course, Question, StepCourse, StepState};
use aa_run::engine::{Engine, ScheduleView};
use aa_run::event::{RunId, StepPath};
use aa_run::store::{RunFilter, RunStatus, RunSummary, StoreError};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};

use super::page::{Live, live};
use super::seen::{Seen, Shown};
use super::{run, runs, show};

/// Entries of each list. There is room for so many from the start, so that nothing moves when they come.
const SHORT: u32 = 5;
/// Runs that wait of which it is looked what they wait for.
const WAITING: u32 = 100;
/// Things that are due next.
const NEXT: usize = 8;
/// Runs of the strip that shows how the last ones went.
const STRIP: u32 = 60;
/// For so long nobody looks again at what is due: that reads files.
const MOMENT: Duration = Duration::from_secs(5);
/// Failures that are counted.
const COUNTED: u32 = 1000;

/// What is due next, as of a moment ago.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<Option<(Instant, Vec<ScheduleView>)>>);

impl Due {
    /// Of all schedules, those that are there for a visitor.
    fn next(&self, all: &Engine, visitor: &Engine) -> Vec<ScheduleView> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = held.take().filter(|(at, _)| at.elapsed() < MOMENT);
        let (at, due) = fresh.unwrap_or_else(|| (Instant::now(), in_order(all)));
        let theirs = due.iter().filter(|view| visitor.shows_schedule(&view.name));
        let next = theirs.take(NEXT).cloned().collect();
        *held = Some((at, due));
        next
    }
}

/// What will be run, the next one first.
fn in_order(engine: &Engine) -> Vec<ScheduleView> {
    let mut due = engine.schedules(Utc::now()).unwrap_or_default();
    due.retain(|view| view.enabled && view.paused.is_none() && view.next.is_some());
    due.sort_by_key(|view| view.next);
    due
}

/// Everything on the page.
struct Overview {
    running: Vec<Course>,
    /// Those that the page shows as running, and that are over.
    ended: Vec<Course>,
    waiting: Vec<Course>,
    failed: Vec<RunSummary>,
    failed_count: usize,
    counts: std::collections::BTreeMap<String, u64>,
    last: Vec<RunSummary>,
    /// None for those for whom there are no schedules.
    due: Option<Vec<ScheduleView>>,
}

pub(super) async fn page(seen: Seen) -> Shown {
    let engine = &seen.visitor.engine;
    let since = engine.end()?.to_string();
    let due = seen.dashboard.due.next(&seen.dashboard.engine, engine);
    let due = Some(due).filter(|due| !due.is_empty() || seen.visitor.is_owner().is_ok());
    let mut overview = Overview::read(engine, due).map_err(|error| seen.trouble(error))?;
    let is_new = |run: &RunId| overview.running.iter().all(|course| course.run.id != *run);
    let held: Vec<RunId> = seen.query.held("running-").filter(is_new).collect();
    overview.ended = held.into_iter().filter_map(|run| engine.course(run).ok()).collect();
    let main = live(&overview.show(), Live { since: &since, ..Live::default() });
    Ok(seen.page("Overview", &main))
}

fn with_status(status: RunStatus, limit: u32) -> RunFilter {
    RunFilter { status: vec![status], limit: Some(limit), ..RunFilter::default() }
}

impl Overview {
    fn read(engine: &Engine, due: Option<Vec<ScheduleView>>) -> Result<Self, StoreError> {
        let courses = |status, limit| {
            let runs = engine.runs(&with_status(status, limit))?.into_iter();
            // A run that cannot be read any more is told of on its own page.
            Ok::<_, StoreError>(runs.filter_map(|run| engine.course(run.id).ok()))
        };
        let waiting = courses(RunStatus::Waiting, WAITING)?.filter(Course::waits_for_person);
        let day = RunFilter {
            since: Some(Utc::now() - TimeDelta::days(1)),
            ..with_status(RunStatus::Failed, COUNTED)
        };
        let failed = engine.runs(&day)?;
        Ok(Self {
            running: courses(RunStatus::Running, SHORT)?.collect(),
            ended: Vec::new(),
            waiting: waiting.take(SHORT as usize).collect(),
            failed_count: failed.len(),
            failed: failed.into_iter().take(SHORT as usize).collect(),
            counts: engine.run_counts()?,
            last: engine.runs(&RunFilter { limit: Some(STRIP), ..RunFilter::default() })?,
            due,
        })
    }

    fn count(&self, status: &str) -> u64 {
        self.counts.get(status).copied().unwrap_or_default()
    }

    fn show(&self) -> Markup {
        html! {
            div.head { h1 { "Overview" } a.button.primary href="/ui/skills" { "Start a run" } }
            (self.tiles())
            (strip(&self.last))
            div.columns {
                div {
                    (self.waiting())
                    (self.running())
                }
                div {
                    (self.failed())
                    @if let Some(due) = &self.due { (next(due)) }
                }
            }
        }
    }

    fn tiles(&self) -> Markup {
        let next = self.due.as_ref().and_then(|due| due.first());
        html! {
            ul.tiles {
                (tile("running", self.count("running"), "running", "/ui/runs?status=running"))
                (tile("waiting", self.count("waiting"), "waiting for a person", "/ui/runs?status=waiting"))
                (tile("failed", self.failed_count as u64, "failed in 24 hours", "/ui/runs?status=failed&age=day"))
                @if self.due.is_some() {
                    li.tile { a href="/ui/schedules" {
                        span.number.due { @if let Some(at) = next.and_then(|view| view.next) { (show::ago(at)) } @else { "–" } }
                        span.what { @if let Some(view) = next { "next: " (view.name) } @else { "nothing is due" } }
                    } }
                }
            }
        }
    }

    fn waiting(&self) -> Markup {
        let waiting = || self.waiting.iter();
        let questions = waiting().flat_map(|course| course.questions().map(move |asked| (course, asked)));
        let doubts = waiting().flat_map(|course| course.doubts().map(move |step| (course, step)));
        html! {
            section.card aria-labelledby="waiting" {
                h2 #waiting { "Waiting for you" }
                (show::news("questions", ("question", "questions"), ""))
                div.room.of-questions {
                    div #questions data-hold {
                        @for (course, asked) in questions { (question(course, asked)) }
                        @for (course, step) in doubts { (doubt(course, step)) }
                    }
                    (show::empty("Nobody waits.", &html! { "Questions of runs are answered here." }))
                }
                p.more { @if self.count("waiting") > 0 { a href="/ui/runs?status=waiting" { "All " (self.count("waiting")) " that wait" } } }
            }
        }
    }

    fn running(&self) -> Markup {
        html! {
            section.card aria-labelledby="running" {
                h2 #running { "Running" }
                (show::news("now", ("run", "runs"), ""))
                div.room {
                    ul.rows #now data-hold data-tell data-room=(SHORT) { @for course in self.running.iter().chain(&self.ended) { (running(course)) } }
                    (show::empty("Nothing runs.", &html! { a href="/ui/skills" { "Start something" } "." }))
                }
                p.more { @if self.count("running") > 0 { a href="/ui/runs?status=running" { "All " (self.count("running")) " that run" } } }
            }
        }
    }

    fn failed(&self) -> Markup {
        html! {
            section.card aria-labelledby="failed" {
                h2 #failed { "Failed lately" }
                (show::news("failures", ("failure", "failures"), ""))
                div.room {
                ul.rows #failures data-hold data-room=(SHORT) { @for run in &self.failed {
                    li #{ "failed-" (run.id) } { a.row href=(runs::address(run.id)) {
                        (show::sign("failed"))
                        span.what { strong { (run.skill) } " " span.quiet { "#" (run.id) } span.line.wrong { (show::prose(show::first_line(&run.error))) } }
                        span.when { (show::ago(run.ended_at.unwrap_or(run.started_at))) }
                    } }
                } }
                (show::empty("No failures.", &html! { "Nothing has failed in the last 24 hours." }))
                }
                p.more { @if self.failed_count > 0 { a href="/ui/runs?status=failed" { "All failures" } } }
            }
        }
    }
}

fn tile(state: &str, count: u64, what: &str, address: &str) -> Markup {
    let kind = if count == 0 { "none" } else { state };
    html! {
        li class={ "tile of-" (kind) } { a href=(address) { span.number { (count) } span.what { (what) } } }
    }
}

fn question(course: &Course, (step, question): (&StepPath, &Question)) -> Markup {
    html! {
        div.asks #{ "asks-" (question.id) } data-keep=(question.id) {
            p.of {
                a href=(runs::address(course.run.id)) { strong { (course.run.skill) } " #" (course.run.id) }
                " at " code { (step) } span.when { (show::ago(question.asked_at)) }
            }
            @if question.form.is_some() {
                p.message { (show::prose(&question.message)) }
                a.button href={ (runs::address(course.run.id)) "#dock" } { "Answer…" }
            } @else {
                (run::ask(course.run.id, step, question, "/ui"))
            }
        }
    }
}

/// A step of which nobody knows how it ended.
fn doubt(course: &Course, step: &StepCourse) -> Markup {
    let id = run::doubt_id(course, step);
    html! {
        div.asks #(id) data-keep=(id) {
            p.of {
                a href=(runs::address(course.run.id)) { strong { (course.run.skill) } " #" (course.run.id) }
                " at " code { (step.path) } @if let Some(at) = step.started_at { span.when { (show::ago(at)) } }
            }
            (run::doubt(course.run.id, step, "/ui"))
        }
    }
}

fn running(course: &Course) -> Markup {
    let (all, over) = (course.top().count(), course.top().filter(|step| step.state.is_over()).count());
    let now = course
        .top()
        .find(|step| matches!(step.state, StepState::Running | StepState::Retrying | StepState::Waiting));
    let run = &course.run;
    html! {
        li #{ "running-" (run.id) } { a.row href=(runs::address(run.id)) {
            (show::sign(&run.standing()))
            span.what {
                strong { (run.skill) } " " span.quiet { "#" (run.id) }
                span.line.quiet { @if let Some(step) = now { (step.path) @if !step.line.is_empty() { ": " (show::prose(show::first_line(&step.line))) } } @else if run.ended_at.is_some() { (run.standing()) } @else { " " } }
            }
            span.when { (runs::took(run)) progress max=(all) value=(over) aria-label="steps done" { (over) " of " (all) } }
        } }
    }
}

fn next(due: &[ScheduleView]) -> Markup {
    html! {
        section.card aria-labelledby="due" {
            h2 #due { "Due next" }
            @if due.is_empty() { (show::empty("Nothing is due.", &html! { "Schedules stand in the configuration or in skills." })) }
            ul.rows #coming data-hold { @for view in due {
                li #{ "due-" (view.name) } { a.row href={ "/ui/schedules/" (show::part(&view.name)) } {
                    (show::sign("ready"))
                    span.what { strong { (view.name) } span.line.quiet { (view.skill) ", " (show::prose(&view.trigger)) } }
                    span.when { @if let Some(at) = view.next { (show::ago(at)) } }
                } }
            } }
        }
    }
}

/// The last runs, the newest on the right: how they ended, and how long they took.
fn strip(runs: &[RunSummary]) -> Markup {
    let took = |run: &RunSummary| show::between(run.started_at, run.ended_at.unwrap_or_else(Utc::now)).max(1);
    let longest = runs.iter().map(took).max().unwrap_or(1);
    html! {
        figure.strip aria-label={ "The last " (runs.len()) " runs" } {
            svg viewBox="0 0 600 40" preserveAspectRatio="none" aria-hidden="true" {
                @for (at, run) in runs.iter().rev().enumerate() {
                    @let height = height(took(run), longest);
                    @let x = (STRIP as usize - runs.len() + at) * 10 + 1;
                    rect class={ "bar is-" (run.standing()) } x=(x) y=(40 - height) width="8" height=(height) rx="1" {
                        title { (run.skill) " #" (run.id) ": " (run.standing()) }
                    }
                }
            }
            figcaption.quiet.small { "The last " (runs.len()) " runs: height is how long they took, colour how they ended" }
        }
    }
}

/// A bar's height: the longest is as high as the strip, one of a thousandth of that still to be seen.
fn height(took: u64, longest: u64) -> u64 {
    let steps = |ms: u64| u64::from(u64::BITS - ms.leading_zeros());
    (6 + 34 * steps(took) / steps(longest).max(1)).min(40)
}
