//! Why a run failed: the step, what was different when it last went well, what can be done.

use aa_run::explain::{Change, Changes, Explanation};
use aa_run::store::RunStatus;
use aa_spec::template::seal;
use maud::{Markup, html};
use serde_json::Value;

use super::super::seen::Shown;
use super::super::show;
use super::Look;

/// Nothing when it has not failed.
pub(super) fn show(look: &Look<'_>) -> Shown<Markup> {
    if look.course.run.status != RunStatus::Failed {
        return Ok(html! {});
    }
    let explanation = look.seen.visitor.engine.explain(look.run())?;
    Ok(html! {
        section.why aria-label="Why it failed" {
            (said(look))
            details #why-more {
                summary { "Why" @if let Some(changes) = &explanation.changes { ", and what was different in run #" (changes.good) } }
                @if let Some(changes) = &explanation.changes { (differences(changes)) } @else { p.quiet { "It has never gone well before, so there is nothing to hold it against." } }
                (more(&explanation))
            }
        }
    })
}

fn said(look: &Look<'_>) -> Markup {
    let message =
        look.course.error.as_ref().map_or(look.course.run.error.as_str(), |error| error.message.as_str());
    html! {
        p {
            (show::sign("failed"))
            strong { @if let Some(step) = &look.course.failed_step { "Failed at " a href=(look.step_address(&step.0)) data-swap { code { (step) } } } @else { "Failed" } ":" }
            " " span.message { (show::prose(&seal::show_text(message))) }
        }
    }
}

fn differences(changes: &Changes) -> Markup {
    let lists = [
        ("Inputs", &changes.inputs),
        ("Settings", &changes.settings),
        ("Arguments", &changes.args),
        ("Outputs of earlier steps", &changes.outputs),
    ];
    let is_same =
        lists.iter().all(|(_, list)| list.is_empty()) && changes.skill.is_empty() && changes.tools.is_empty();
    html! {
        @if changes.without_step { p.quiet { "That run went well without the step that failed now." } }
        @if is_same { p.quiet { "Nothing that is written down was different." } }
        @for (title, list) in lists { @if !list.is_empty() { (table(title, list)) } }
        @if !changes.skill.is_empty() {
            h2.minor { "Steps that are written differently" }
            ul { @for step in &changes.skill { li { code { (step.step) } " " (step.what.join(", ")) } } }
        }
        @if !changes.tools.is_empty() { p { "Tools that were defined differently: " (changes.tools.join(", ")) } }
    }
}

fn table(title: &str, list: &[Change]) -> Markup {
    html! {
        h2.minor { (title) }
        div.scroll tabindex="0" role="region" aria-label=(title) { table.list.diff {
            thead { tr { th scope="col" { "Name" } th scope="col" { "When it went well" } th scope="col" { "This time" } } }
            tbody { @for change in list { tr { th scope="row" { (change.name) } td { (show::value(&change.before)) } td { (show::value(&change.now)) } } } }
        } }
    }
}

fn more(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.known_issues.is_empty() {
            h2.minor { "What memory knows" }
            @for issue in &explanation.known_issues { (show::value(issue)) }
        }
        @if !explanation.next.is_empty() {
            h2.minor { "What can be done" }
            ul.next { @for next in &explanation.next { li { (show::prose(&next.why)) @if !next.command.is_empty() { " " code { (next.command) } } } } }
        }
        @if let Some(Value::Object(details)) = explanation.step.as_ref().and_then(|step| step.error.as_ref()).map(|error| &error.details) {
            h2.minor { "What the call said" }
            (super::values(details, "Nothing."))
        }
    }
}
