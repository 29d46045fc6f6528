//! Runs as resources: a list, a summary, events, outputs, words, and one step.

use aa_run::engine::Engine;
use aa_run::event::{Body, Event, RunId, StepPath};
use aa_run::store::{RunFilter, StoreError};
use aa_spec::template::seal;
use rmcp::model::ResourceContents;
use serde_json::{Map, Value, json};

use super::address::Address;
use super::page::{self, PAGE};

/// Runs on one page of the list.
const RUNS: u32 = 50;

/// The caller's runs, newest first.
pub(super) fn list(engine: &Engine, from: Option<u64>) -> Result<ResourceContents, StoreError> {
    let before = from.and_then(|from| i64::try_from(from).ok()).map(RunId);
    let filter = RunFilter { before, limit: Some(RUNS), ..RunFilter::default() };
    let runs = engine.runs(&filter)?;
    let last = runs.last().filter(|run| runs.len() == RUNS as usize && run.id.0 > 1);
    let next = last.map(|run| format!("{}?from={}", Address::Runs, run.id));
    let document = json!({"runs": runs, "next": next});
    Ok(page::contents(&Address::Runs.to_string(), "application/json", format!("{document:#}"), next))
}

/// One run in short, with the addresses of the rest.
pub(super) fn summary(engine: &Engine, run: RunId) -> Result<Value, StoreError> {
    let mut document = json!(engine.run(run)?);
    let inputs = engine.first_event(run)?.map(|event| match event.body {
        Body::SkillStarted { inputs, .. } => Value::Object(inputs),
        _ => Value::Null,
    });
    document["inputs"] = inputs.unwrap_or_default();
    document["more"] = json!({
        "events": Address::Events(run).to_string(),
        "outputs": Address::Outputs(run).to_string(),
        "logs": Address::Logs(run).to_string(),
        "steps": format!("{}/steps/STEP", Address::Run(run)),
    });
    seal::show(&mut document);
    Ok(document)
}

/// As many events from a `seq` on as fit on a page, and the address of the next.
pub(super) fn events(engine: &Engine, run: RunId, from: u64) -> Result<ResourceContents, StoreError> {
    let all = engine.events(run, from)?;
    let (mut shown, mut bytes) = (Vec::new(), 0);
    for event in &all {
        let shape = shape(event);
        bytes += shape.to_string().len();
        if bytes > PAGE && !shown.is_empty() {
            break;
        }
        shown.push(shape);
    }
    let uri = Address::Events(run).to_string();
    let next = all.get(shown.len()).map(|event| format!("{uri}?from={}", event.seq));
    let document = json!({"events": shown, "next": next});
    Ok(page::contents(&uri, "application/json", document.to_string(), next))
}

/// An event as JSON, secrets by name. One that is longer than a page is only named: its values are
/// among the outputs or at its step.
fn shape(event: &Event) -> Value {
    let mut value = event.shown();
    seal::show(&mut value);
    let bytes = value.to_string().len();
    if bytes <= PAGE {
        return value;
    }
    json!({
        "run_id": event.run_id, "seq": event.seq, "at": event.at, "event": event.body.kind(),
        "step": event.body.step(), "left_out_bytes": bytes,
    })
}

/// What came of it; nothing as long as it is not over.
pub(super) fn outputs(engine: &Engine, run: RunId) -> Result<Value, StoreError> {
    let events = engine.events(run, 0)?;
    let outputs = events.into_iter().rev().find_map(|event| match event.body {
        Body::SkillCompleted { outputs, .. } => Some(outputs),
        _ => None,
    });
    let mut outputs = Value::Object(outputs.unwrap_or_default());
    seal::show(&mut outputs);
    Ok(outputs)
}

/// What happened, a line each.
pub(super) fn logs(engine: &Engine, run: RunId) -> Result<String, StoreError> {
    let events = engine.events(run, 0)?;
    let lines = events.iter().filter_map(|event| {
        let words = words(&event.body)?;
        let step = event.body.step().map(|step| format!("{step}: ")).unwrap_or_default();
        let time = event.at.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        Some(format!("{time} {step}{}\n", seal::show_text(&words).replace('\n', " ")))
    });
    Ok(lines.collect())
}

fn words(body: &Body) -> Option<String> {
    let took = |ms: &u64| format!("after {ms} ms");
    Some(match body {
        Body::SkillStarted { skill, .. } => format!("run of {skill} started"),
        Body::StepStarted { attempt, kind, target, .. } => {
            let target = target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
            format!("attempt {attempt}: {kind}{target}")
        }
        Body::StepProgress { message, .. } => message.clone(),
        Body::StepRetrying { attempt, error, .. } => format!("attempt {attempt} failed: {}", error.message),
        Body::HealStarted { rule, .. } => format!("healing by {rule}"),
        Body::HealFinished { rule, healed: true, .. } => format!("healed by {rule}"),
        Body::HealFinished { rule, note, .. } => format!("not healed by {rule} {note}"),
        Body::ConfirmRequested { message, options, form, .. } => {
            format!("asks: {message} ({})", aa_spec::form::answers(options, form.as_ref()).join(", "))
        }
        Body::ConfirmAnswered { answer, by, .. } => format!("answered {answer} by {by}"),
        Body::StepCompleted { duration_ms, .. } => format!("completed {}", took(duration_ms)),
        Body::StepFailed { error, duration_ms, .. } => {
            format!("failed {}: {}", took(duration_ms), error.message)
        }
        Body::StepSkipped { reason, .. } => format!("skipped: {reason}"),
        Body::StepResolved { by, .. } => format!("resolved by {by}"),
        Body::CancelRequested { by, reason } => format!("cancelled by {by} {reason}"),
        Body::RunResumed { .. } => "resumed by another process".to_owned(),
        Body::UndoStarted { by, .. } => format!("being taken back: {by}"),
        Body::UndoFinished { .. } => "taken back".to_owned(),
        Body::SkillCompleted { duration_ms, .. } => format!("run completed {}", took(duration_ms)),
        Body::SkillFailed { error, duration_ms, .. } => {
            format!("run failed {}: {}", took(duration_ms), error.message)
        }
        Body::SkillCancelled { duration_ms } => format!("run cancelled {}", took(duration_ms)),
        Body::WorkspaceUpdated { .. } => return None,
    })
}

/// Everything about one step; none when the run has no such step so far.
pub(super) fn step(engine: &Engine, run: RunId, path: &StepPath) -> Result<Option<Value>, StoreError> {
    let events = engine.events(run, 0)?;
    let of_step: Vec<Value> =
        events.iter().filter(|event| event.body.step() == Some(path)).map(|event| json!(event)).collect();
    if of_step.is_empty() {
        return Ok(None);
    }
    let mut document = json!({"run": run, "step": path, "events": of_step});
    seal::show(&mut document);
    Ok(Some(document))
}

/// The steps of a run so far, each once.
pub(crate) fn steps(engine: &Engine, run: RunId) -> Result<Vec<String>, StoreError> {
    let mut known = Map::new();
    for event in engine.events(run, 0)? {
        if let Some(step) = event.body.step() {
            known.insert(step.0.clone(), Value::Null);
        }
    }
    Ok(known.into_iter().map(|(step, _)| step).collect())
}
