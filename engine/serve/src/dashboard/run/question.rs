//! What a run asks, and how it is answered.

use aa_run::course::Question;
use aa_run::event::{RunId, StepPath};
use maud::{Markup, html};

use super::super::form;
use super::super::{runs, show};
use super::Look;

/// What is open, where it can be seen whatever else is looked at.
pub(super) fn dock(look: &Look<'_>) -> Markup {
    let back = look.address(look.view, look.step.as_ref().map(|step| step.0.as_str()));
    html! {
        div.dock #dock data-part role="region" aria-label="Questions" aria-live="polite" {
            @for (step, question) in look.course.questions().take(3) {
                section.asks #{ "asks-" (question.id) } data-keep=(question.id) {
                    p.of { (show::sign("asking")) strong { "Waiting for you" } " at " a href=(look.step_address(&step.0)) data-swap { code { (step) } } span.when { (show::ago(question.asked_at)) } }
                    (ask(look.run(), step, question, &back))
                }
            }
        }
    }
}

/// A question with all that can be answered.
pub(in super::super) fn ask(run: RunId, step: &StepPath, question: &Question, back: &str) -> Markup {
    let label = format!("message-{}", question.id);
    html! {
        form.answer method="post" action={ (runs::address(run)) "/answer" } aria-describedby=(label) {
            p.message #(label) { (show::prose(&question.message)) }
            input type="hidden" name="step" value=(step);
            input type="hidden" name="seq" value=(question.seq);
            input type="hidden" name="next" value=(back);
            @if let Some(schema) = &question.form { (form::fields(schema, &form::Given::default(), &format!("{}-", question.id))) }
            div.options {
                @if question.form.is_some() { button.primary name="answer" value="" { "Send" } }
                @for (at, option) in question.options.iter().enumerate() {
                    button class=[(at == 0 && question.form.is_none()).then_some("primary")] name="answer" value=(option) { (option) }
                }
                (unless_answered(question))
            }
        }
    }
}

/// What happens when nobody answers.
fn unless_answered(question: &Question) -> Markup {
    html! {
        @if let Some(until) = question.until {
            span.quiet.small { @match &question.default {
                Some(default) => { "“" (default) "” " (show::ago(until)) " when nobody answers" },
                None => { "open until " (show::exact(until)) },
            } }
        }
    }
}
