//! What came of a run, as the answer to a call.

use std::fmt::Write as _;
use std::path::Path;

use aa_run::engine::{Engine, Outcome, StartError};
use aa_run::event::{Body, RunId, StepError, StepPath};
use aa_run::standing::{Asked, Standing};
use aa_run::tool::DECLINE;
use aa_spec::form;
use aa_spec::tool::{Effect, ToolSpec};
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, JsonObject, MetaObject};
use serde_json::{Map, Value, json};

use crate::mcp::result::{self, Whole};
use crate::mcp::server::Call;
use crate::mcp::{content, module, schema};

/// Where clients find the number of the run.
pub(crate) const RUN: &str = "aa/run";

/// What of a run's outputs is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of them, as an object.
    Outputs,
    /// The result of the tool that was called.
    Result,
    /// The same of one that only reads, whose clients were told that they get a result.
    Read {
        /// Whether its schema wants the result wrapped.
        wrapped: bool,
        /// Whether nobody has to be asked first. Then nobody comes back to its run, and what nobody answers is a failure.
        free: bool,
    },
}

impl Shape {
    /// Of a tool, which may be `free` to read.
    pub(crate) fn of(spec: &ToolSpec, free: bool) -> Self {
        let (_, wrapped) = schema::output(&spec.output);
        if spec.effect == Effect::Read { Self::Read { wrapped, free } } else { Self::Result }
    }
}

/// The answer to a call once its run has stopped moving.
pub(crate) fn given(call: &Call<'_>, run: RunId, outcome: &Outcome, shape: Shape) -> CallToolResult {
    with_outputs(call, run, |whole| of((run, whole), outcome, shape))
}

/// Tells where all outputs of a run are. Of one elsewhere they are kept for whoever has called: what reads them at the
/// run's own address may have no way to say which folder that is about.
pub(crate) fn with_outputs<T>(call: &Call<'_>, run: RunId, then: impl FnOnce(Whole<'_>) -> T) -> T {
    if !call.visit.is_elsewhere() {
        return then(Whole::Run(run));
    }
    let keep = |value: &Value| module::keep(call, &format!("outputs of run {run}"), value);
    then(Whole::Kept(&keep, &format!("`aa run show {run}` in a terminal shows all of it")))
}

/// The same, with the place where all of the outputs are.
pub(crate) fn of((run, whole): (RunId, Whole<'_>), outcome: &Outcome, shape: Shape) -> CallToolResult {
    match outcome {
        Outcome::Completed(outputs) => marked(run, completed(whole, value(outputs, shape), shape)),
        Outcome::Failed { error, step } => failure(run, &failed(run, error, step.as_ref())),
        Outcome::Cancelled => {
            let again = "a call with the same idempotency key finds it again; another key starts anew";
            failure(run, &format!("run {run} was cancelled ({again})"))
        }
        Outcome::Left => failure(
            run,
            &format!(
                "run {run} was left where it is, because the server ends; the next one goes on with it. Ask again in a few seconds: run_status shows how it stands, and a call with the same idempotency key finds it."
            ),
        ),
        Outcome::Waiting(steps) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("`{step}`")).collect();
            failure(run, &format!("run {run} waits for a person at {}", steps.join(", ")))
        }
    }
}

/// A result as its content, where it has some, and else as a value that is cut to what fits.
fn completed(whole: Whole<'_>, value: Value, shape: Shape) -> CallToolResult {
    let wrapped = |usual: bool| if let Shape::Read { wrapped, .. } = shape { wrapped } else { usual };
    match content::result(&value, whole) {
        None => {
            let wrapped = wrapped(!value.is_object());
            result::of(value, wrapped, whole)
        }
        Some(shown) if shape == Shape::Outputs => shown,
        Some(shown) => {
            let wrapped = wrapped(shown.structured_content.is_none());
            content::announced(shown, wrapped)
        }
    }
}

/// What holds a run up, and what a person can do about it.
fn held_up(run: RunId, standing: &Standing, may_answer: bool) -> Option<String> {
    if let Some(asked) = standing.questions.values().next() {
        let options = form::answers(&asked.options, asked.form.as_ref()).join(" / ");
        let how = in_a_terminal(run, asked);
        let how = if may_answer { format!("run_answer, or {how}") } else { how };
        return Some(format!(
            "run {run} is waiting for a person at `{}`: {}\n({}) It is answered by {how}.",
            asked.step,
            result::short(&asked.message),
            result::short(&options)
        ));
    }
    let step = standing.unknown.iter().next()?;
    Some(format!(
        "run {run} is waiting for a person to say how `{step}` ended: its process ended while that was under way, and \
         it may have taken place. Look whether it has; then {}.",
        resolving(run, step)
    ))
}

/// How a person answers a question; what only a client has, they can only decline.
pub(crate) fn in_a_terminal(run: RunId, asked: &Asked) -> String {
    let word = match (&asked.want, &asked.form) {
        (Some(_), _) => DECLINE,
        (None, Some(_)) => "NAME=VALUE…",
        (None, None) => "ANSWER",
    };
    format!("`aa run answer {run} {} {word}` in a terminal", asked.key)
}

/// How a person says how a step ended.
pub(crate) fn resolving(run: RunId, step: &StepPath) -> String {
    format!("`aa run resolve {run} {step} --done JSON`, `--retry` or `--fail` in a terminal")
}

/// Steps of which only a person can tell how they ended, as data.
pub(crate) fn unresolved(run: RunId, standing: &Standing) -> Vec<Value> {
    let told = |step: &StepPath| {
        json!({
            "step": step,
            "message": format!("How did `{step}` end? It may have taken place."),
            "resolve": resolving(run, step),
        })
    };
    standing.unknown.iter().map(told).collect()
}

/// The answer while the run goes on: no failure, as nothing has failed. For a tool that only reads it is one, as the
/// client was told that it gets a result, and checks that it has.
pub(crate) fn unfinished(
    run: RunId,
    standing: &Standing,
    (may_answer, shape): (bool, Shape),
) -> CallToolResult {
    let mut text = held_up(run, standing, may_answer)
        .unwrap_or_else(|| format!("run {run} is still running ({})", standing.line()));
    let _ = write!(text, "\nCall run_status with run_id {run} for how it goes and what comes of it.");
    if matches!(shape, Shape::Read { .. }) {
        return failure(run, &text);
    }
    let questions: Vec<Value> = standing.questions.values().map(question).collect();
    let status =
        if standing.questions.is_empty() && standing.unknown.is_empty() { "running" } else { "waiting" };
    let mut content = json!({"run_id": run, "status": status, "message": standing.line()});
    if !questions.is_empty() {
        content["questions"] = questions.into();
    }
    let unresolved = unresolved(run, standing);
    if !unresolved.is_empty() {
        content["unresolved"] = unresolved.into();
    }
    let mut answer = CallToolResult::success(vec![ContentBlock::text(text)]);
    answer.structured_content = Some(result::fitting(content));
    marked(run, answer)
}

/// The same of a call about another folder, saying how that is looked into, unless all is well.
pub(crate) fn placed(answer: CallToolResponse, folder: &Path) -> CallToolResponse {
    let CallToolResponse::Complete(mut result) = answer else { return answer };
    let has =
        |key: &str| result.structured_content.as_ref().is_some_and(|content| content.get(key).is_some());
    if result.is_error == Some(true) || has("next") || (has("run_id") && has("status")) {
        let said = format!(
            "This is about `{0}`: run_status, run_explain, run_answer, run_cancel and debug_tool look there with `workspace: {0}`.",
            folder.display()
        );
        result.content.push(ContentBlock::text(said));
    }
    CallToolResponse::Complete(result)
}

/// The outputs of the run that an answer is about; none when it has not come to its end.
pub(crate) fn outputs(engine: &Engine, answer: &CallToolResult) -> Option<Map<String, Value>> {
    let run = answer.meta.as_ref()?.0.get(RUN)?.as_i64().map(RunId)?;
    let events = engine.events(run, 0).ok()?;
    events.into_iter().rev().find_map(|event| match event.body {
        Body::SkillCompleted { outputs, .. } => Some(outputs),
        _ => None,
    })
}

/// What an answer says.
pub(crate) fn words(answer: &CallToolResult) -> String {
    let texts = answer.content.iter().filter_map(|block| match block {
        ContentBlock::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// A question as data.
pub(crate) fn question(asked: &Asked) -> Value {
    let mut question = json!({"question": asked.key, "step": asked.step, "message": asked.message, "options": asked.options, "default": asked.default});
    if let Some(form) = &asked.form {
        question["form"] = form.clone();
    }
    question
}

fn value(outputs: &Map<String, Value>, shape: Shape) -> Value {
    match shape {
        Shape::Outputs => json!(outputs),
        Shape::Result | Shape::Read { .. } => outputs.get("result").cloned().unwrap_or_default(),
    }
}

fn failed(run: RunId, error: &StepError, step: Option<&StepPath>) -> String {
    let at = step.map(|step| format!(" at step `{step}`")).unwrap_or_default();
    let mut text = format!("run {run} failed{at}: {}", error.message);
    if let Some(stderr) = error.details.get("stderr").and_then(Value::as_str).filter(|text| !text.is_empty())
    {
        let start = stderr.char_indices().rev().nth(999).map_or(0, |(at, _)| at);
        let _ = write!(text, "\nstderr: {}", stderr[start..].trim());
    }
    let _ = write!(
        text,
        "\nrun_explain with run_id {run} says what differs from the last good run; run_status shows its steps."
    );
    text
}

fn failure(run: RunId, text: &str) -> CallToolResult {
    marked(run, CallToolResult::error(vec![ContentBlock::text(result::short(text))]))
}

fn marked(run: RunId, mut answer: CallToolResult) -> CallToolResult {
    answer.meta = Some(MetaObject(JsonObject::from_iter([(RUN.to_owned(), json!(run))])));
    answer
}

/// What to do about a server that is about to end.
pub(crate) const LATER: &str = "As a rule the next one is there soon: try again in a few seconds.";

/// Why a run has not started, for the model to mend its call.
pub(crate) fn refusal(error: &StartError) -> String {
    let lines: Vec<String> = match error {
        StartError::Invalid(problems) => problems.iter().map(|problem| problem.message.clone()).collect(),
        StartError::Inputs(problems) => problems.iter().map(ToString::to_string).collect(),
        StartError::UnknownSkill { suggestion: Some(near), .. }
        | StartError::UnknownSchedule { suggestion: Some(near), .. } => {
            vec![format!("did you mean `{near}`?")]
        }
        StartError::PlanChanged { .. } => {
            vec!["Call skill_plan again, look at what it shows, and give its hash.".to_owned()]
        }
        StartError::KeyPlanned(_) => {
            vec![
                "A run of this plan needs another key; without a plan, the key finds the run as it is."
                    .to_owned(),
            ]
        }
        StartError::Draining => vec![LATER.to_owned()],
        _ => Vec::new(),
    };
    let mut text = error.to_string();
    for line in lines {
        let _ = write!(text, "\n- {line}");
    }
    text
}
