//! Where a run is that is looked at while it goes on: one line of one height, whatever happens.

use aa_run::course::{StepCourse, StepState};
use aa_run::store::RunStatus;
use aa_spec::template::seal;
use maud::{Markup, html};

use super::super::show;
use super::Look;

pub(super) fn show(look: &Look<'_>) -> Markup {
    let run = &look.course.run;
    html! {
        p.now class={ "is-" (run.standing()) } {
            @match run.status {
                RunStatus::Failed => (failed(look)),
                RunStatus::Completed => { (show::sign("completed")) " It went well." },
                RunStatus::Cancelled => { (show::sign("cancelled")) " It was cancelled." },
                RunStatus::Running | RunStatus::Waiting => (under_way(look)),
            }
        }
    }
}

fn failed(look: &Look<'_>) -> Markup {
    let error = look.course.error.as_ref();
    let message = error.map_or(look.course.run.error.as_str(), |error| error.message.as_str());
    let message = seal::show_text(message);
    html! {
        (show::sign("failed"))
        span.line { "Failed" @if let Some(step) = &look.course.failed_step { " at " code { (step) } } ": " (show::prose(show::first_line(&message))) }
        a href=(look.address(look.view, look.course.failed_step.as_ref().map(|step| step.0.as_str()))) data-swap { "Why" }
    }
}

fn under_way(look: &Look<'_>) -> Markup {
    let (asks, doubt) = (look.course.questions().next(), look.course.doubts().next());
    let busy = look
        .course
        .top()
        .find(|step| matches!(step.state, StepState::Running | StepState::Retrying | StepState::Waiting));
    html! {
        @match (asks, busy) {
            _ if asks.is_none() && doubt.is_some() => { (show::sign("asking")) span.line { "Waits for somebody to say how " @if let Some(step) = doubt { code { (step.path) } } " ended" } },
            (Some((step, _)), _) => { (show::sign("asking")) span.line { "Waits for an answer at " code { (step) } } },
            (None, Some(step)) => { (show::sign("running")) span.line { code { (step.path) } (says(step)) } },
            (None, None) => { (show::sign("ready")) span.line.quiet { "Nothing of it runs just now." } },
        }
    }
}

fn says(step: &StepCourse) -> Markup {
    html! { @if !step.line.is_empty() { ": " (show::prose(show::first_line(&step.line))) } }
}
