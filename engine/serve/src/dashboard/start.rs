//! `/ui/skills/SKILL/run`: a form made of the skill's inputs, then what would happen, then the run.

use std::sync::Arc;

use aa_run::engine::{RunRequest, StartError};
use aa_run::policy::Verdict;
use aa_spec::plan::resolve::{ResolvedPlan, ResolvedStep};
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::form::{self, Given};
use super::seen::{Posted, Seen, Shown, then};
use super::{Dashboard, runs, show, skills};
use crate::api::problem::Problem;
use crate::api::skills::request;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/ui/skills/{skill}/run", get(page).post(run))
        .route("/ui/skills/{skill}/plan", post(plan))
}

async fn page(seen: Seen, Path(skill): Path<String>) -> Shown {
    let like = seen.query.run("like").map_err(|problem| seen.trouble(problem))?;
    let values = match like {
        Some(like) => seen.visitor.engine.course(like).map_err(|error| seen.trouble(error))?.inputs,
        None => Map::new(),
    };
    asking(&seen, &skill, &Given { values, ..Given::default() })
}

/// The form, as far as it is filled in.
fn asking(seen: &Seen, skill: &str, given: &Given) -> Shown {
    let card = skills::card(seen, skill)?;
    let has_fields = aa_spec::form::properties(&card.input).next().is_some();
    let main = html! {
        (crumbs(&card.name, "Run"))
        div.head { h1 { "Run " (card.name) } span { (show::effect(card.effect)) } }
        p.quiet { (show::prose(card.summary())) }
        form.card.start method="post" action={ "/ui/skills/" (card.name) "/plan" } novalidate {
            @if has_fields { (form::fields(&card.input, given, "in-")) } @else { p.quiet { "It takes no inputs." } }
            div.options { button.primary type="submit" { "Show the plan" } a.button.plain href={ "/ui/skills/" (card.name) } { "Back" } }
        }
    };
    Ok(seen.page(&format!("Run {}", card.name), &main))
}

fn crumbs(skill: &str, last: &str) -> Markup {
    html! {
        p.crumbs { a href="/ui/skills" { "Skills" } " / " a href={ "/ui/skills/" (show::part(skill)) } { (skill) } " / " (last) }
    }
}

async fn plan(seen: Seen, Path(skill): Path<String>, posted: Posted) -> Shown {
    let card = skills::card(&seen, &skill)?;
    let values = match form::read(&card.input, &posted) {
        Ok(values) => values,
        Err(wrong) => return asking(&seen, &skill, &wrong.0),
    };
    let plan = match seen.visitor.engine.plan(&request(card.name.clone(), values.clone())) {
        Ok(plan) => plan,
        Err(StartError::Inputs(errors)) => {
            let wrong = errors.iter().map(|error| {
                let hint = if error.hint.is_empty() { String::new() } else { format!(" ({})", error.hint) };
                (error.name.clone(), format!("{}{hint}", error.message))
            });
            return asking(&seen, &skill, &Given { wrong: wrong.collect(), values, ..Given::default() });
        }
        Err(error) => return Err(seen.trouble(error)),
    };
    let verdict = seen.visitor.engine.verdict(plan.effect, true);
    // Whoever clicks twice starts one run.
    let key = seen.visitor.engine.mark().unwrap_or_default();
    Ok(seen.page(&format!("Plan of {skill}"), &planned(&plan, &values, verdict, &key)))
}

fn planned(plan: &ResolvedPlan, values: &Map<String, Value>, verdict: Verdict, key: &str) -> Markup {
    let usual: u64 = plan.steps.iter().filter_map(|step| step.expected_ms).sum();
    html! {
        (crumbs(&plan.skill, "Plan"))
        div.head { h1 { "What " (plan.skill) " would do" } span { (show::effect(plan.effect)) } }
        dl.facts {
            div { dt { "Steps" } dd { (plan.steps.len()) } }
            @if usual > 0 { div { dt { "Usually takes" } dd { (show::duration(usual)) } } }
            div { dt { "Plan" } dd { code title=(plan.hash) { (plan.hash.chars().take(12).collect::<String>()) } } }
        }
        (say(verdict))
        form.options method="post" action={ "/ui/skills/" (plan.skill) "/run" } {
            (form::hidden(values))
            input type="hidden" name="plan" value=(plan.hash);
            input type="hidden" name="key" value=(key);
            @if verdict != Verdict::Refuse {
                button.primary name="dry" value="" { @if verdict == Verdict::Ask { "Ask for approval" } @else { "Start the run" } }
            }
            button name="dry" value="true" title="Reads run; writes, and what reads their results, are answered from the plan" { "Dry run" }
        }
        section.card aria-labelledby="inputs" { h2 #inputs { "Inputs" } (form::listed(&plan.inputs)) }
        section.card aria-labelledby="steps" {
            h2 #steps { "Steps" }
            ol.plan { @for step in &plan.steps { (planned_step(step)) } }
        }
    }
}

/// What becomes of a run with this plan.
pub(super) fn say(verdict: Verdict) -> Markup {
    html! {
        @match verdict {
            Verdict::Go => {},
            Verdict::Ask => p.notice { "A person has to approve before anything of it runs." },
            Verdict::Refuse => p.notice.wrong { "The policy forbids it: `serve.policy` in the configuration says what may be run." },
        }
    }
}

fn planned_step(step: &ResolvedStep) -> Markup {
    let is_plain = step.args.is_null() || step.args.as_object().is_some_and(Map::is_empty);
    html! {
        li {
            div.head {
                span.what { strong { (step.name) } " " span.quiet { (step.action) } }
                span { (show::effect(step.effect)) @if step.approval { " " span.chip { "asks" } } @if step.undo { " " span.chip { "can be undone" } } }
            }
            p.quiet.small {
                @if !step.needs.is_empty() { "after " (step.needs.join(", ")) ". " }
                @if let Some(condition) = &step.condition { "If " code { (text(condition)) } ". " }
                @if let Some(items) = &step.foreach { "For each of " code { (text(items)) } ". " }
                @if !step.touches.is_empty() { "Touches " (step.touches.join(", ")) ". " }
                @if !step.secrets.is_empty() { "Uses the secrets " (step.secrets.join(", ")) ". " }
                @for heal in &step.heals { "May be mended by " (heal.rule) ". " }
            }
            @if !is_plain { details { summary { "Arguments" } (show::value(&step.args)) } }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn run(seen: Seen, Path(skill): Path<String>, posted: Posted) -> Shown {
    seen.visitor.may_use(&skill).map_err(|error| seen.trouble(error))?;
    let inputs = aa_spec::json::exact::<Map<String, Value>>(posted.text("inputs").as_bytes());
    let inputs = inputs.map_err(|_| seen.trouble(Problem::of("bad-body", "the inputs cannot be read")))?;
    let engine = &seen.visitor.engine;
    let request = RunRequest {
        dry_run: posted.get("dry").is_some(),
        plan_hash: posted.get("plan").map(str::to_owned),
        request_key: posted.get("key").map(|key| format!("{key}{}", posted.text("dry"))),
        ..request(skill.clone(), inputs)
    };
    let session = engine.mark().unwrap_or_default();
    let handle = engine.start_called(request, &session, true).await.map_err(|error| seen.trouble(error))?;
    Ok(then(&runs::address(handle.id)))
}
