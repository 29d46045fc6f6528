//! All steps of a run with their times: a row for each, with a bar for each attempt.

use std::collections::BTreeSet;

use aa_run::course::{Attempt, StepCourse, StepState};
use aa_run::event::StepPath;
use chrono::Utc;
use maud::{Markup, html};

use super::super::show;
use super::{Look, View};

/// Rows at most: a browser has to lay them out.
const MOST: usize = 3000;
/// Spans of a whole timeline, in seconds. One of them holds for a while, so that bars stay where they are.
const SPANS: [u64; 16] =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 12 * 3600, 86_400, 7 * 86_400];

/// A step of the skill with its parts, such as the items of a loop and the steps of a sub-skill.
struct Group<'a> {
    top: &'a StepCourse,
    parts: Vec<&'a StepCourse>,
}

/// The rows, or those of some steps. Parts are folded into the row of their step, so that it does not matter when they
/// come and how many they are.
pub(super) fn list(look: &Look<'_>, only: Option<&BTreeSet<StepPath>>) -> Markup {
    let span = span(look);
    let groups = groups(look.course.steps.iter().take(MOST));
    let before = std::iter::once(None).chain(groups.iter().map(|group| Some(group.top)));
    let more = look.course.steps.len().saturating_sub(MOST);
    let is_wanted = |step: &StepCourse| only.is_none_or(|only| only.contains(&step.path));
    html! {
        @if only.is_none() {
            div.scale aria-hidden="true" { span { "0" } span { (show::duration(span / 2)) } span { (show::duration(span)) } }
        }
        ol.steps #steps {
            @for (group, before) in groups.iter().zip(before) {
                @if is_wanted(group.top) { (row(look, group.top, before, (span, &parts(look, group, (span, &is_wanted))))) }
            }
        }
        @if more > 0 && only.is_none() { p.quiet.small { (more) " more steps; the API has them." } }
    }
}

/// What takes a step back has a row of its own at the end.
fn groups<'a>(steps: impl Iterator<Item = &'a StepCourse>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for step in steps {
        let top = step.path.0.split(['/', '[', '#']).next().unwrap_or_default();
        match groups.last_mut() {
            Some(group) if group.top.path.0 == top && !step.path.0.contains("#undo") => {
                group.parts.push(step);
            }
            _ => groups.push(Group { top: step, parts: Vec::new() }),
        }
    }
    groups
}

/// The rows of a step's parts. While the run is looked at as it goes on they are shut until somebody opens them, and
/// then have the same room all the time.
fn parts(
    look: &Look<'_>,
    group: &Group<'_>,
    (span, is_wanted): (u64, &dyn Fn(&StepCourse) -> bool),
) -> Markup {
    let Group { top, parts } = group;
    let before = std::iter::once(None).chain(parts.iter().copied().map(Some));
    let is_chosen = parts.iter().any(|part| look.step.as_ref() == Some(&part.path));
    html! {
        @if !parts.is_empty() {
            details.parts.held[look.is_live] #{ "d-" (top.path) } open[!look.is_live || is_chosen] {
                summary aria-label={ "Parts of " (top.path) } {}
                ol #{ "o-" (top.path) } data-parts {
                    @for (part, before) in parts.iter().zip(before).filter(|(part, _)| is_wanted(part)) {
                        (row(look, part, before, (span, &html! {})))
                    }
                }
            }
        }
    }
}

/// How much time the whole width stands for, in milliseconds.
pub(super) fn span(look: &Look<'_>) -> u64 {
    let run = &look.course.run;
    let ended = look.course.steps.iter().filter_map(|step| step.ended_at).max();
    let end = if look.is_over() { run.ended_at.max(ended).unwrap_or(run.started_at) } else { Utc::now() };
    let took = show::between(run.started_at, end);
    if look.is_over() {
        return took.max(1);
    }
    SPANS.iter().map(|seconds| seconds * 1000).find(|span| *span > took).unwrap_or(took * 2)
}

fn row(
    look: &Look<'_>,
    step: &StepCourse,
    before: Option<&StepCourse>,
    (span, parts): (u64, &Markup),
) -> Markup {
    let word = show::step_word(step.state);
    let is_current = look.step.as_ref() == Some(&step.path);
    let depth = step.path.0.matches(['/', '[']).count().min(6);
    html! {
        li class={ "step deep-" (depth) " is-" (word) } #{ "s-" (step.path) } data-part data-after=[before.map(|step| format!("s-{}", step.path))] {
            a href=(look.step_address(&step.path.0)) aria-current=[is_current.then_some("true")] data-swap data-row {
                span.what {
                    (show::sign(word)) span.name { (name(step)) }
                    span.quiet.small.target {
                        (step.target.as_deref().unwrap_or(&step.kind))
                        @if let Some(items) = step.items { ", " (items) @if items == 1 { " item" } @else { " items" } }
                    }
                }
                (bars(look, step, span))
                span.number.small { (took(step)) span.hidden { (word) } }
            }
            (parts)
        }
    }
}

/// Its own part of the path: what it is within stands above it.
fn name(step: &StepCourse) -> &str {
    let within = step.parent.as_ref().and_then(|parent| step.path.0.strip_prefix(&parent.0));
    within.map_or(step.path.0.as_str(), |rest| rest.strip_prefix('/').unwrap_or(rest))
}

fn took(step: &StepCourse) -> Markup {
    match (step.duration_ms, step.started_at) {
        (Some(_), _) if step.state == StepState::Skipped => html! { "–" },
        (Some(ms), _) => html! { (show::duration(ms)) },
        (None, Some(at)) if !step.state.is_over() => show::ticking(at),
        _ => html! {},
    }
}

fn bars(look: &Look<'_>, step: &StepCourse, span: u64) -> Markup {
    let began = look.course.run.started_at;
    let end = look.course.run.ended_at.unwrap_or_else(Utc::now);
    let place = |attempt: &Attempt| {
        let x = scaled(show::between(began, attempt.started_at), span);
        let until = attempt.ended_at.or(step.ended_at).unwrap_or(end);
        (
            x,
            scaled(show::between(attempt.started_at, until), span)
                .max(4)
                .min(1000_u64.saturating_sub(x).max(4)),
        )
    };
    html! {
        svg.bars viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            @for attempt in &step.attempts {
                @let (x, width) = place(attempt);
                @let word = if attempt.error.is_some() { "failed" } else { show::step_word(step.state) };
                rect class={ "bar is-" (word) } x=(x.min(996)) y="1" width=(width) height="8" {}
            }
        }
    }
}

fn scaled(ms: u64, span: u64) -> u64 {
    (ms.saturating_mul(1000) / span.max(1)).min(1000)
}

/// What the page of some changed steps has of them, in the view that is looked at.
pub(super) fn changed(look: &Look<'_>, steps: &BTreeSet<StepPath>) -> Markup {
    let tops =
        || steps.iter().map(|step| step.0.split(['/', '[', '#']).next().unwrap_or_default().to_owned());
    match look.view {
        View::Graph => look.graph(Some(&tops().collect())),
        View::Timeline => list(look, Some(steps)),
        View::Log | View::Data => html! {},
    }
}
