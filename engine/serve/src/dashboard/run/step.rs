//! All that is known of one step: what it was called with and where that came from, what came of it, what it said.

use aa_run::course::{Attempt, Healing, StepCourse, StepState};
use aa_run::event::StepPath;
use aa_run::explain::{Given, Source, SourceKind, StepReport};
use aa_spec::plan::StepPlan;
use maud::{Markup, html};
use serde_json::Value;

use super::super::seen::Shown;
use super::super::show;
use super::{Look, act, log_line, question};

/// Lines of a step's log that a page has.
const LINES: usize = 200;

pub(super) fn show(look: &Look<'_>, path: &StepPath) -> Shown<Markup> {
    let engine = &look.seen.visitor.engine;
    let Some(detail) = engine.step_detail(look.run(), path)? else { return Ok(html! {}) };
    let report = engine.step_report(look.run(), path)?;
    let step = &detail.step;
    let written = look.plan.skill.steps.iter().find(|step| step.name == path.0);
    let more = detail.log.len().saturating_sub(LINES);
    Ok(html! {
        (head(look, step, &report, written))
        @if step.state == StepState::Unknown { (act::resolve_form(look.run(), path, None)) }
        @if let Some(error) = &step.error { (show::error(error)) @if step.continued { p.quiet { "The run went on without it." } } }
        @if !step.reason.is_empty() { p { "Skipped: " (show::prose(&step.reason)) } }
        @for warning in &step.warnings { p.warning { (show::prose(warning)) } }
        (asked(step))
        @if step.attempts.len() > 1 { (attempts(&step.attempts)) }
        @if !step.heals.is_empty() { (heals(&step.heals)) }
        (arguments(&report, detail.args.as_ref()))
        @if let Some(output) = &detail.output { h3 { "Output" } (show::value(output)) }
        @if !detail.log.is_empty() {
            h3 { "Log" }
            @if more > 0 { p.quiet.small { (more) " earlier lines; the API has them." } }
            ol.log #step-lines data-stick tabindex="0" aria-label="Log of the step" { @for line in &detail.log[more..] { (log_line(line, false)) } }
        }
    })
}

fn head(look: &Look<'_>, step: &StepCourse, report: &StepReport, written: Option<&StepPlan>) -> Markup {
    html! {
        div.head {
            h2 { code { (step.path) } " " (show::badge(show::step_word(step.state))) }
            a.close href=(look.address(look.view, None)) data-swap aria-label="Close the step" { "×" }
        }
        @if let Some(text) = written.map(|step| step.description.as_str()).filter(|text| !text.is_empty()) { p.quiet { (show::prose(text)) } }
        (facts(look, step, report, written))
        @let says = Some(show::first_line(&step.line)).filter(|line| !line.is_empty() && !step.state.is_over());
        @if look.is_live || says.is_some() { p.says { @if let Some(line) = says { (show::prose(line)) } } }
    }
}

/// While the run is looked at as it goes on, what is not known yet has its place already.
fn facts(look: &Look<'_>, step: &StepCourse, report: &StepReport, written: Option<&StepPlan>) -> Markup {
    let held = look.is_live;
    let is_loop = written.is_some_and(|written| written.foreach.is_some());
    html! {
        dl.facts {
            @if held || !step.kind.is_empty() { div { dt { "What" } dd { (target(step)) } } }
            @if let Some(written) = written { div { dt { "Effect" } dd { (show::effect(written.effect)) } } }
            @if let Some(at) = step.started_at { div { dt { "Started" } dd { (show::ago(at)) } } } @else if held { div { dt { "Started" } dd { "–" } } }
            @if let Some(ms) = step.duration_ms { div { dt { "Took" } dd.number { (show::duration(ms)) } } }
            @else if let Some(at) = step.started_at { div { dt { "Runs for" } dd.number { (show::ticking(at)) } } }
            @else if held { div { dt { "Took" } dd { "–" } } }
            @if held || step.attempts.len() > 1 { div { dt { "Attempts" } dd { (step.attempts.len()) } } }
            @if let Some(items) = step.items { div { dt { "Items" } dd { (items) } } } @else if held && is_loop { div { dt { "Items" } dd { "–" } } }
            @if !report.written.is_empty() { div { dt { "Written in" } dd { (show::prose(&report.written)) } } }
        }
    }
}

fn target(step: &StepCourse) -> Markup {
    if step.kind.is_empty() {
        return html! { "–" };
    }
    let Some(target) = &step.target else { return html! { (step.kind) } };
    let noun = if step.kind == "skill" { "skills" } else { "tools" };
    html! { (step.kind) " " a href={ "/ui/" (noun) "/" (show::part(target)) } { (target) } }
}

fn asked(step: &StepCourse) -> Markup {
    html! {
        @if let Some(question) = &step.question { h3 { "Asks" } (question::message(&step.path, &question.message)) p.quiet { "It waits for an answer." } }
        @if let Some(answer) = &step.answer {
            h3 { "Answered" }
            p { (show::value(&Value::String(answer.answer.clone()))) " by " (answer.by) " " (show::ago(answer.at)) }
        }
    }
}

fn attempts(attempts: &[Attempt]) -> Markup {
    html! {
        h3 { "Attempts" }
        ol.attempts { @for attempt in attempts {
            li {
                span.number { "#" (attempt.number) } " "
                time datetime=(show::iso(attempt.started_at)) title=(show::exact(attempt.started_at)) data-clock { (attempt.started_at.format("%H:%M:%S")) }
                @if let Some(ended) = attempt.ended_at { " " span.quiet { (show::duration(show::between(attempt.started_at, ended))) } }
                @if let Some(error) = &attempt.error { " " span.wrong { (show::prose(&aa_spec::template::seal::show_text(&error.message))) } }
            }
        } }
    }
}

fn heals(heals: &[Healing]) -> Markup {
    let how = |heal: &Healing| match heal.healed {
        None => "running",
        Some(true) => "completed",
        Some(false) => "failed",
    };
    let word = |heal: &Healing| match heal.healed {
        None => "is tried",
        Some(true) => "worked, and the step was tried again",
        Some(false) => "did not help",
    };
    html! {
        h3 { "Healing" }
        ul.heals { @for heal in heals {
            li {
                (show::sign(how(heal))) " " strong { (heal.rule) } " " (word(heal))
                @if let Some(target) = &heal.target { span.quiet { " (" (target) ")" } }
                @if !heal.note.is_empty() { span.quiet { ": " (show::prose(&heal.note)) } }
            }
        } }
    }
}

/// What it was called with. Where a value came from is told beside it.
fn arguments(report: &StepReport, called: Option<&Value>) -> Markup {
    let whole = |given: &Given| called.and_then(|args| args.get(&given.name)).unwrap_or(&given.value).clone();
    html! {
        @if !report.args.is_empty() {
            h3 { "Arguments" }
            dl.values.given { @for given in &report.args {
                dt { (given.name) }
                dd {
                    (show::value(&whole(given)))
                    @if !given.from.is_empty() { p.from { "from " @for (at, source) in given.from.iter().enumerate() { @if at > 0 { ", " } (origin(source)) } } }
                    @if let Some(Value::String(written)) = &given.written { p.from { "written " code { (written) } } }
                }
            } }
        } @else if let Some(args) = called.filter(|args| !args.is_null()) {
            h3 { "Arguments" } (show::value(args))
        }
    }
}

fn origin(source: &Source) -> Markup {
    let what = match source.kind {
        SourceKind::Input => "the input",
        SourceKind::Default => "the default of",
        SourceKind::Config => "the configuration,",
        SourceKind::Environment => "the environment variable",
        SourceKind::Secret => "the secret",
        SourceKind::Output => "the output of",
        SourceKind::Step => "how it went with",
        SourceKind::Item => "the loop's",
        SourceKind::Run => "the run,",
        SourceKind::Block => "the block",
        SourceKind::Unknown => "nowhere that is known,",
    };
    html! { (what) " " code { (source.name) } }
}
