//! `/ui/runs/RUN`: how a run goes, while it does.
//!
//! Reading order: here what is looked at and the head of the page, [`steps`] (all steps with their times),
//! [`step`] (all that is known of one), [`question`] (what it asks), [`now`] (where it is), [`why`] (why it failed), [`act`] (what
//! can be said to it). A run of many steps is told in parts: [`changes`] has what is new since the last look.

mod act;
mod changes;
mod now;
mod question;
mod step;
mod steps;
mod why;

use std::sync::Arc;

use aa_run::course::{Course, Level, LogLine, StepState};
use aa_run::engine::Cause;
use aa_run::event::{RunId, StepPath};
use aa_run::store::{RunStatus, StoreError};
use aa_spec::graph;
use aa_spec::plan::Plan;
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use maud::{Markup, html};

use super::page::{Live, drawn, live};
use super::seen::{Seen, Shown};
use super::{Dashboard, compare, runs, schedules, show};
pub(super) use question::{ask, doubt, doubt_id};

/// From so many steps on, a page is told what has changed instead of everything.
const MANY: usize = 120;
/// Lines of a log that a page has.
const LINES: usize = 500;
/// What the name of a run of a single tool begins with.
const SINGLE: &str = "call:";

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/ui/runs/{run}", get(page))
        .route("/ui/runs/{run}/changes", get(changes::page))
        .route("/ui/runs/{run}/compare", get(compare::page))
        .route("/ui/runs/{run}/cancel", post(act::cancel))
        .route("/ui/runs/{run}/answer", post(act::answer))
        .route("/ui/runs/{run}/resolve", post(act::resolve))
        .route("/ui/runs/{run}/resume", post(act::resume))
        .route("/ui/runs/{run}/retry", post(act::retry))
        .route("/ui/runs/{run}/undo", post(act::undo))
}

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Graph,
    Timeline,
    Log,
    Data,
}

impl View {
    const ALL: [Self; 4] = [Self::Graph, Self::Timeline, Self::Log, Self::Data];

    fn word(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Timeline => "timeline",
            Self::Log => "log",
            Self::Data => "data",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Graph => "Graph",
            Self::Timeline => "Timeline",
            Self::Log => "Log",
            Self::Data => "Inputs and outputs",
        }
    }
}

/// A run, and what of it is looked at.
struct Look<'a> {
    seen: &'a Seen,
    course: Course,
    plan: Plan,
    view: View,
    step: Option<StepPath>,
    /// It goes on, or did when somebody came to look: then every part of the page keeps its place.
    is_live: bool,
    /// The questions that were open when they came; later ones come up below, where they push nothing away.
    placed: Vec<String>,
    /// The time of a schedule that it was started for.
    cause: Option<Cause>,
    /// Where all that has happened so far ends.
    since: String,
}

async fn page(seen: Seen, Path(run): Path<String>) -> Shown {
    let look = Look::read(&seen, &run).map_err(|error| seen.trouble(error))?;
    let from = look.live_address();
    let main = live(&look.show()?, look.live(from.as_deref()));
    Ok(seen.page(&format!("{} #{}", look.course.run.skill, look.course.run.id), &main))
}

/// The number of a run as it stands in an address.
fn number(text: &str) -> RunId {
    // There is no run of that number, and so it is said.
    RunId(text.parse().unwrap_or(0))
}

impl<'a> Look<'a> {
    fn read(seen: &'a Seen, run: &str) -> Result<Self, StoreError> {
        let (engine, run) = (&seen.visitor.engine, number(run));
        let since = engine.end()?.to_string();
        let (course, plan) = (engine.course(run)?, engine.run_plan(run)?);
        let wanted = View::ALL.into_iter().find(|view| view.word() == seen.query.text("view"));
        let usual = if plan.skill.steps.len() > MANY { View::Timeline } else { View::Graph };
        let was_live = seen.query.has("live");
        let is_live = was_live || course.run.ended_at.is_none();
        let step = match seen.query.get("step") {
            // Nobody has chosen one: what went wrong is what is looked for.
            None if !seen.query.has("step") && !is_live => course.failed_step.clone(),
            step => step.map(|step| StepPath(step.to_owned())),
        };
        let step = step.filter(|step| course.step(step).is_some());
        let placed = if was_live {
            seen.query.text("asks").split(',').map(str::to_owned).collect()
        } else {
            let questions = course.questions().map(|(_, question)| question.id.clone());
            questions.chain(course.doubts().map(|step| doubt_id(&course, step))).collect()
        };
        // A run is shown whatever is known of its schedule.
        let cause = engine.run_cause(run).unwrap_or_default();
        Ok(Self { seen, course, plan, view: wanted.unwrap_or(usual), step, is_live, placed, cause, since })
    }

    fn run(&self) -> RunId {
        self.course.run.id
    }

    /// The address of the page with another view or step.
    fn address(&self, view: View, step: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("view", view.word());
        query.append_pair("step", step.unwrap_or_default());
        format!("{}?{}", runs::address(self.run()), query.finish())
    }

    /// The address that leads to what is told of a step.
    fn step_address(&self, step: &str) -> String {
        format!("{}#step", self.address(self.view, Some(step)))
    }

    fn live<'b>(&'b self, from: Option<&'b str>) -> Live<'b> {
        Live { run: Some(self.run().0), since: &self.since, from, every: None }
    }

    fn show(&self) -> Shown<Markup> {
        Ok(html! {
            (self.head())
            (self.trouble()?)
            (question::placed(self))
            nav.tabs aria-label="Views" {
                @for view in View::ALL {
                    a href=(self.address(view, self.step.as_ref().map(|step| step.0.as_str())))
                        aria-current=[(view == self.view).then_some("true")] data-swap { (view.title()) }
                }
            }
            div.split {
                div.pane #view { (self.view()?) }
                (self.detail()?)
            }
            (question::dock(self))
        })
    }

    /// Why it failed; of a run that is looked at while it goes on, a line that is there from the start.
    fn trouble(&self) -> Shown<Markup> {
        let shown = if self.is_live { now::show(self) } else { why::show(self)? };
        Ok(html! { div #trouble data-part { (shown) } })
    }

    fn head(&self) -> Markup {
        let run = &self.course.run;
        let is_single = run.skill.starts_with(SINGLE);
        html! {
            div #head data-part {
                p.crumbs { a href="/ui/runs" { "Runs" } " / #" (run.id) }
                div.head {
                    h1 {
                        @if is_single { (run.skill) } @else { a href={ "/ui/skills/" (show::part(&run.skill)) } { (run.skill) } }
                        " " (show::standing(run))
                        @if self.course.dry_run { " " span.chip title="Reads ran, writes were answered from the plan" { "dry run" } }
                        @if run.stubbed { " " span.chip title="Canned answers stand for its tools" { "canned answers" } }
                    }
                    (act::buttons(self))
                }
                (self.progress())
                (self.facts())
            }
        }
    }

    /// How far it is: a bar of all steps of the skill, by how they stand.
    fn progress(&self) -> Markup {
        let states = [
            StepState::Completed,
            StepState::Skipped,
            StepState::Failed,
            StepState::Running,
            StepState::Retrying,
            StepState::Waiting,
            StepState::Asking,
            StepState::Unknown,
        ];
        let top = || self.course.top();
        let count = |state| top().filter(|step| step.state == state).count();
        let (all, over) = (top().count(), top().filter(|step| step.state.is_over()).count());
        let parts = states.iter().map(|state| (show::step_word(*state), count(*state)));
        let placed = parts.scan(0, |x, (word, count)| {
            let at = *x;
            *x += count;
            Some((word, at, count))
        });
        html! {
            div.progress {
                svg viewBox={ "0 0 " (all.max(1)) " 1" } preserveAspectRatio="none" role="img" aria-label={ (over) " of " (all) " steps are over" } {
                    @for (word, x, count) in placed.filter(|(.., count)| *count > 0) {
                        rect class={ "bar is-" (word) } x=(x) y="0" width=(count) height="1" {}
                    }
                }
                span.quiet.small { (over) " of " (all) @if all == 1 { " step" } @else { " steps" } }
            }
        }
    }

    fn facts(&self) -> Markup {
        let run = &self.course.run;
        html! {
            dl.facts {
                div { dt { "Started" } dd { (show::ago(run.started_at)) } }
                div { dt { "Took" } dd.number { (runs::took(run)) } }
                div { dt { "Came from" } dd { (show::origin(run.origin)) } }
                @if let Some(cause) = &self.cause {
                    div { dt { "Schedule" } dd { a href=(schedules::slot_address(cause)) { (cause.schedule) } ", due " (show::ago(cause.slot.due)) } }
                }
                div { dt { "For" } dd { (run.principal) } }
                div { dt { "Folder" } dd { code.cut title=(run.folder.display()) { (run.folder.display()) } } }
                div { dt { "Plan" } dd { code title=(run.plan) { (run.plan.chars().take(12).collect::<String>()) } } }
                @if let Some(cancel) = &self.course.cancel {
                    div { dt { "Ended by" } dd { (cancel.by) @if !cancel.reason.is_empty() { ": " (cancel.reason) } } }
                }
            }
        }
    }

    fn view(&self) -> Shown<Markup> {
        Ok(match self.view {
            View::Graph => {
                html! { div.graph #graph tabindex="0" role="region" aria-label="Steps" { (self.graph(None)) } }
            }
            View::Timeline => steps::list(self, None),
            View::Log => log(&self.seen.visitor.engine.run_log(self.run(), None)?),
            View::Data => self.data(),
        })
    }

    /// The picture of the steps, or of those of them that have changed.
    fn graph(&self, only: Option<&std::collections::BTreeSet<String>>) -> Markup {
        let link = |step: &str| self.step_address(step);
        let current = self.step.as_ref().map(|step| step.0.split(['/', '[', '#']).next().unwrap_or_default());
        let within = graph::Within { link: &link, current, only };
        drawn(graph::svg_within(&self.plan.skill, &self.course.marks(), &within))
    }

    fn data(&self) -> Markup {
        html! {
            section #data data-part {
                h2 { "Inputs" }
                (values(&self.course.inputs, "It takes none."))
                h2 { "Outputs" }
                @match &self.course.outputs {
                    Some(outputs) => (values(outputs, "It gives none.")),
                    None => p.quiet { "There are none yet." },
                }
            }
        }
    }

    /// All that is known of the step that is looked at, or where more is to be found.
    fn detail(&self) -> Shown<Markup> {
        let shown = match &self.step {
            Some(step) => Some(step::show(self, step)?),
            None => None,
        };
        Ok(html! {
            section.pane.detail.held[self.is_live && self.step.is_some()] #step data-part aria-label="Step" tabindex="-1" data-open[self.step.is_some()] {
                @match shown {
                    Some(shown) => (shown),
                    None => (self.summary()),
                }
            }
        })
    }

    /// What the run takes and gives, while no step is chosen.
    fn summary(&self) -> Markup {
        html! {
            p.quiet { "Choose a step to see what it was called with and what came of it." }
            h2 { "Inputs" }
            (values(&self.course.inputs, "It takes none."))
            @if let Some(outputs) = &self.course.outputs { h2 { "Outputs" } (values(outputs, "It gives none.")) }
        }
    }

    /// Where it is told how the page would be now; of a run of many steps, only what has changed.
    fn live_address(&self) -> Option<String> {
        if self.course.steps.len() > MANY {
            return Some(changes::address(self));
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("view", self.view.word());
        query.append_pair("step", self.step.as_ref().map(|step| step.0.as_str()).unwrap_or_default());
        self.keep_places(&mut query);
        self.is_live.then(|| format!("{}?{}", runs::address(self.run()), query.finish()))
    }

    /// What stands where, for the next look at it.
    fn keep_places(&self, query: &mut form_urlencoded::Serializer<'_, String>) {
        if self.is_live {
            query.append_pair("live", "").append_pair("asks", &self.placed.join(","));
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.course.run.status, RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled)
    }
}

/// Values by name.
pub(super) fn values(values: &serde_json::Map<String, serde_json::Value>, none: &str) -> Markup {
    html! {
        @if values.is_empty() { p.quiet { (none) } }
        dl.values { @for (name, value) in values { dt { (name) } dd { (show::value(value)) } } }
    }
}

/// What was said, the last line at the end.
fn log(lines: &[LogLine]) -> Markup {
    let more = lines.len().saturating_sub(LINES);
    html! {
        section #log data-part {
            @if lines.is_empty() { (show::empty("Nothing was said.", &html! { "Tools that print something are heard here." })) }
            @if more > 0 { p.quiet.small { (more) " earlier lines; the API has them." } }
            ol.log #lines data-stick tabindex="0" aria-label="Log" {
                @for line in &lines[more..] { (log_line(line, true)) }
            }
        }
    }
}

/// A line of a log.
fn log_line(line: &LogLine, with_step: bool) -> Markup {
    let level = match line.level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    html! {
        li class={ "says-" (level) } {
            time datetime=(show::iso(line.at)) title=(show::exact(line.at)) data-clock { (line.at.format("%H:%M:%S")) }
            @if with_step { span.step { @if let Some(step) = &line.step { (step) } } }
            span.text { (show::prose(&aa_spec::template::seal::show_text(&line.text))) }
        }
    }
}
