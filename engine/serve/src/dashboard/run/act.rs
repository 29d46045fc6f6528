//! What can be said to a run: each as the API has it.

use aa_run::course::StepState;
use aa_run::engine::{Engine, StartError};
use aa_run::event::{Resolution, RunId, StepPath};
use aa_run::store::RunStatus;
use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::super::seen::{Posted, Seen, Shown, then};
use super::super::{form, runs};
use super::{Look, SINGLE, number};
use crate::api::problem::Problem;

/// The buttons that make sense as the run stands.
pub(super) fn buttons(look: &Look<'_>) -> Markup {
    let run = &look.course.run;
    let at = |what: &str| format!("{}/{what}", runs::address(run.id));
    html! {
        div.actions {
            @if look.is_over() {
                @if run.skill.starts_with(SINGLE) { (button(&at("retry"), "Run again")) }
                @else { a.button href={ "/ui/skills/" (run.skill) "/run?like=" (run.id) } { "Run again" } }
                a.button.plain href=(at("compare")) { "Compare" }
                @if can_undo(look) { (sure(&at("undo"), "undo", "Undo", "Take back what it did?", None)) }
            } @else {
                @if run.interrupted { (button(&at("resume"), "Resume")) }
                (sure(&at("cancel"), "cancel", "Cancel", "End the run?", Some("reason")))
            }
        }
    }
}

fn can_undo(look: &Look<'_>) -> bool {
    let did = |name: &str| {
        look.course.steps.iter().any(|step| step.path.0 == name && step.state == StepState::Completed)
    };
    let is_undone = look.course.steps.iter().any(|step| step.path.0.contains("#undo"));
    let undoes = look.plan.skill.steps.iter().any(|step| step.undo.is_some() && did(&step.name));
    undoes && !is_undone && !look.course.dry_run
}

fn button(action: &str, word: &str) -> Markup {
    html! { form method="post" action=(action) { button type="submit" { (word) } } }
}

/// A button that asks once more.
fn sure(action: &str, id: &str, word: &str, question: &str, reason: Option<&str>) -> Markup {
    html! {
        details.menu #(id) {
            summary.button { (word) "…" }
            form.card method="post" action=(action) {
                p { strong { (question) } }
                @if let Some(name) = reason { label { span { "Why (for those who look later)" } input name=(name) autocomplete="off"; } }
                button.danger type="submit" { (word) " it" }
            }
        }
    }
}

/// How a step of unknown outcome ended.
pub(super) fn resolve_form(run: RunId, step: &StepPath, back: Option<&str>) -> Markup {
    html! {
        form.card.resolve method="post" action={ (runs::address(run)) "/resolve" } {
            p { strong { "Its process died in the middle of it." } " Look whether it took place, and say how it ended." }
            input type="hidden" name="step" value=(step);
            @if let Some(back) = back { input type="hidden" name="next" value=(back); }
            label { span { "Its result, as JSON, if it took place" } textarea name="output" rows="2" spellcheck="false" { "null" } }
            div.options {
                button name="resolution" value="done" { "It took place" }
                button name="resolution" value="retry" { "Run it again" }
                button.danger name="resolution" value="fail" { "It failed" }
            }
        }
    }
}

pub(super) async fn cancel(seen: Seen, Path(run): Path<String>, posted: Posted) -> Shown {
    let run = number(&run);
    match seen.visitor.engine.cancel(run, &seen.visitor.by(), posted.text("reason")).await {
        Ok(()) | Err(StartError::Over { status: RunStatus::Cancelled, .. }) => Ok(then(&runs::address(run))),
        Err(error) => Err(seen.trouble(error)),
    }
}

pub(super) async fn answer(seen: Seen, Path(run): Path<String>, posted: Posted) -> Shown {
    let (run, step) = (number(&run), StepPath(posted.text("step").to_owned()));
    let engine = &seen.visitor.engine;
    let course = engine.course(run).map_err(|error| seen.trouble(error))?;
    let schema = course
        .step(&step)
        .and_then(|step| step.question.as_ref())
        .and_then(|question| question.form.as_ref());
    let answer = match (posted.get("answer"), schema) {
        (Some(option), _) => option.to_owned(),
        (None, Some(schema)) => {
            Value::Object(form::read(schema, &posted).map_err(|wrong| seen.trouble(wrong.problem()))?)
                .to_string()
        }
        (None, None) => return Err(seen.trouble(Problem::of("refused", "the question is not open any more"))),
    };
    let said = engine.answer_open(run, (&step, posted.number("seq")), &answer, &seen.visitor.by()).await;
    said.map_err(|error| seen.trouble(error))?;
    done(&seen, run, &posted).await
}

pub(super) async fn resolve(seen: Seen, Path(run): Path<String>, posted: Posted) -> Shown {
    let (run, step) = (number(&run), StepPath(posted.text("step").to_owned()));
    let resolution = match posted.text("resolution") {
        "done" => {
            let output = aa_spec::json::exact(posted.text("output").as_bytes());
            let wrong = |error: serde_json::Error| {
                seen.trouble(Problem::of("bad-body", format!("the result cannot be read as JSON: {error}")))
            };
            Resolution::Done { output: output.map_err(wrong)? }
        }
        "retry" => Resolution::Retry,
        _ => Resolution::Fail,
    };
    let engine = &seen.visitor.engine;
    engine.resolve(run, &step, resolution, &seen.visitor.by()).await.map_err(|error| seen.trouble(error))?;
    done(&seen, run, &posted).await
}

pub(super) async fn resume(seen: Seen, Path(run): Path<String>, posted: Posted) -> Shown {
    done(&seen, number(&run), &posted).await
}

pub(super) async fn retry(seen: Seen, Path(run): Path<String>) -> Shown {
    let (run, engine) = (number(&run), &seen.visitor.engine);
    let skill = engine.run(run).map_err(|error| seen.trouble(error))?.skill;
    seen.visitor
        .may_use(skill.strip_prefix(SINGLE).unwrap_or(&skill))
        .map_err(|error| seen.trouble(error))?;
    let handle = engine.retry(run, (None, None), "").await.map_err(|error| seen.trouble(error))?;
    Ok(then(&runs::address(handle.id)))
}

pub(super) async fn undo(seen: Seen, Path(run): Path<String>) -> Shown {
    let run = number(&run);
    seen.visitor.engine.undo_called(run, &seen.visitor.by()).await.map_err(|error| seen.trouble(error))?;
    Ok(then(&runs::address(run)))
}

/// Has the run go on, and leads back to where it was said.
async fn done(seen: &Seen, run: RunId, posted: &Posted) -> Shown<Response> {
    go_on(&seen.visitor.engine, run).await.map_err(|error| seen.trouble(error))?;
    let back = posted.get("next").filter(|next| next.starts_with("/ui"));
    Ok(then(back.unwrap_or(&runs::address(run))))
}

/// When nobody drives a run, this process does from now on.
async fn go_on(engine: &Engine, run: RunId) -> Result<(), StartError> {
    let summary = engine.run(run)?;
    if !summary.driven && summary.ended_at.is_none() {
        engine.in_folder(&summary.folder)?.attend(run, "").await?;
    }
    Ok(())
}
