//! `/ui/tools/TOOL/call`: a form made of what a tool takes. What only reads is called at once; everything else is shown
//! once more, with what it does to the world, and is then a run of one step.

use std::sync::Arc;
use std::time::Instant;

use aa_run::engine::{Direct, StartError};
use aa_run::event::StepError;
use aa_run::policy::Verdict;
use aa_spec::form::{is_required, properties};
use aa_spec::schema::unfit;
use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::form::{self, Given};
use super::seen::{Posted, Seen, Shown, then};
use super::{Dashboard, runs, show, start, tools};
use crate::api::problem::Problem;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/ui/tools/{tool}/call", get(page).post(call))
        .route("/ui/tools/{tool}/run", post(run))
}

/// What came of a call.
enum Came {
    Nothing,
    Result(Value, u64),
    Failure(StepError),
}

async fn page(seen: Seen, Path(tool): Path<String>) -> Shown {
    let spec = tools::find(&seen, &tool).await.map_err(|error| seen.trouble(error))?;
    Ok(asking(&seen, &spec, &Given::default(), &Came::Nothing))
}

/// Whether it is called as soon as somebody asks.
fn is_direct(seen: &Seen, spec: &ToolSpec) -> bool {
    spec.effect == Effect::Read && seen.visitor.engine.verdict(Effect::Read, false) == Verdict::Go
}

/// The form, as far as it is filled in, and what came of it.
fn asking(seen: &Seen, spec: &ToolSpec, given: &Given, came: &Came) -> Response {
    let has_fields = properties(&spec.input).next().is_some();
    let button = if is_direct(seen, spec) { "Call it" } else { "Go on…" };
    let main = html! {
        (crumbs(spec, "Call"))
        div.head { h1 { "Call " (spec.name) } span { (show::effect(spec.effect)) } }
        p.quiet { (show::prose(show::first_line(&spec.description))) }
        div.beside {
            form.card.start method="post" action={ "/ui/tools/" (spec.name) "/call" } novalidate {
                @for (name, why) in &given.wrong { @if name.is_empty() { p.wrong role="alert" { (show::prose(why)) } } }
                @if has_fields { (form::fields(&spec.input, given, "in-")) } @else { p.quiet { "It takes no arguments." } }
                div.options { button.primary type="submit" { (button) } a.button.plain href={ "/ui/tools/" (spec.name) } { "Back" } }
            }
            (came_of(spec, came))
        }
    };
    seen.page(&format!("Call {}", spec.name), &main)
}

fn came_of(spec: &ToolSpec, came: &Came) -> Markup {
    html! {
        section.card #result aria-labelledby="result-title" {
            @match came {
                Came::Nothing => {
                    h2 #result-title { "What comes of it" }
                    @if spec.effect == Effect::Read { p.quiet { "The result is shown here. A call that only reads leaves no run behind." } }
                    @else { p.quiet { "Before anything happens you see what would be called. The call is a run of one step: it can be watched, cancelled, and is in the audit." } }
                },
                Came::Result(value, ms) => {
                    h2 #result-title { (show::sign("ok")) " Result " span.quiet.small { "after " (show::duration(*ms)) } }
                    (show::value(value))
                },
                Came::Failure(error) => {
                    h2 #result-title { (show::sign("failed")) " It failed" }
                    (show::error(error))
                },
            }
        }
    }
}

fn crumbs(spec: &ToolSpec, last: &str) -> Markup {
    html! {
        p.crumbs { a href="/ui/tools" { "Tools" } " / " (spec.module) " / " a href={ "/ui/tools/" (show::part(&spec.name)) } { (spec.name) } " / " (last) }
    }
}

async fn call(seen: Seen, Path(tool): Path<String>, posted: Posted) -> Shown {
    let spec = tools::find(&seen, &tool).await.map_err(|error| seen.trouble(error))?;
    let args = match form::read(&spec.input, &posted) {
        Ok(args) => args,
        Err(wrong) => return Ok(asking(&seen, &spec, &wrong.0, &Came::Nothing)),
    };
    let given = Given { values: args.clone(), ..Given::default() };
    let wrong = misfits(&spec.input, &args);
    if !wrong.is_empty() {
        return Ok(asking(&seen, &spec, &Given { wrong, ..given }, &Came::Nothing));
    }
    if !is_direct(&seen, &spec) {
        return Ok(again(&seen, &spec, &args));
    }
    let began = Instant::now();
    let called = seen.visitor.engine.call_tool(&spec.name, args, Arc::new(|_| {})).await;
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match called {
        Ok(value) => Ok(asking(&seen, &spec, &given, &Came::Result(value, ms))),
        Err(error) if error.kind == ErrorKind::Auth && error.message.starts_with("your key") => {
            Err(seen.trouble(Problem::of("forbidden", error.message)))
        }
        Err(error) => Ok(asking(&seen, &spec, &given, &Came::Failure(error))),
    }
}

/// What is wrong, by the field that it is in; what is in none comes above them.
fn misfits(schema: &Value, args: &Map<String, Value>) -> Vec<(String, String)> {
    let left_out = |(name, _): &(&String, &Value)| is_required(schema, name) && !args.contains_key(*name);
    let missing = properties(schema).filter(left_out);
    let missing: Vec<_> = missing.map(|(name, _)| (name.clone(), "has to be given".to_owned())).collect();
    if !missing.is_empty() {
        return missing;
    }
    let all = unfit(schema, &Value::Object(args.clone())).into_iter();
    all.map(|mut one| {
        let field = if one.path.is_empty() { String::new() } else { one.path.remove(0) };
        (field, one.to_string())
    })
    .collect()
}

/// What would be called, once more: it does not only read.
fn again(seen: &Seen, spec: &ToolSpec, args: &Map<String, Value>) -> Response {
    let verdict = seen.visitor.engine.verdict(spec.effect, false);
    let key = seen.visitor.engine.mark().unwrap_or_default();
    let is_danger = matches!(spec.effect, Effect::Destructive | Effect::Unknown);
    let main = html! {
        (crumbs(spec, "Sure?"))
        div.head { h1 { "Call " (spec.name) "?" } span { (show::effect(spec.effect)) } }
        p.notice.wrong[is_danger] { (consequence(spec.effect)) @if spec.idempotent { " Calling it twice equals calling it once." } }
        (start::say(verdict))
        section.card aria-labelledby="arguments" { h2 #arguments { "Arguments" } (form::listed(args)) }
        form.options method="post" action={ "/ui/tools/" (spec.name) "/run" } {
            (form::hidden(args))
            input type="hidden" name="key" value=(key);
            @if verdict != Verdict::Refuse {
                button.primary.danger[is_danger] type="submit" { @if verdict == Verdict::Ask { "Ask for approval" } @else { "Yes, call it" } }
            }
            a.button href={ "/ui/tools/" (spec.name) "/call" } { "No" }
        }
    };
    seen.page(&format!("Call {}?", spec.name), &main)
}

fn consequence(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "It only reads, but the policy does not let it be called at once.",
        Effect::Write => "It changes something.",
        Effect::Destructive => "It may destroy something.",
        Effect::Unknown => "Nobody knows what it does: it may destroy something.",
    }
}

async fn run(seen: Seen, Path(tool): Path<String>, posted: Posted) -> Shown {
    let spec = tools::find(&seen, &tool).await.map_err(|error| seen.trouble(error))?;
    let args = aa_spec::json::exact::<Map<String, Value>>(posted.text("inputs").as_bytes());
    let args = args.map_err(|_| seen.trouble(Problem::of("bad-body", "the arguments cannot be read")))?;
    let engine = &seen.visitor.engine;
    // Whoever clicks twice calls once.
    let request_key = posted.get("key").map(str::to_owned);
    let session = engine.mark().unwrap_or_default();
    let direct = Direct { tool: spec.name.clone(), args, request_key };
    let handle =
        engine.start_call(direct, &session).await.map_err(|error: StartError| seen.trouble(error))?;
    Ok(then(&runs::address(handle.id)))
}
