//! Completion of the arguments of prompts and of the holes of addresses.

use std::collections::BTreeSet;

use aa_run::engine::Engine;
use aa_run::event::{Body, RunId};
use aa_run::store::RunFilter;
use aa_spec::name::fold;
use aa_spec::template::seal;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionContext, CompletionInfo, ErrorData, Reference,
};
use serde_json::{Map, Value};

use super::{entry, general, skill, unreadable};
use crate::mcp::resource::{remembers, run_steps};
use crate::mcp::server::Server;
use crate::mcp::visit::Visit;

/// Runs that are looked at for what an input was before.
const RUNS: u32 = 50;
/// Longest text that is offered.
const LONGEST: usize = 200;

/// What may be meant by what was typed so far.
pub(crate) fn complete(
    server: &Server,
    visit: &Visit,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let argument = &request.argument;
    let all = match &request.r#ref {
        Reference::Prompt(prompt) => of_prompt(server, visit, &prompt.name, &argument.name)?,
        Reference::Resource(template) => {
            of_address(server, visit, (&template.uri, &argument.name), request.context.as_ref())?
        }
        _ => Vec::new(),
    };
    let typed = argument.value.to_lowercase();
    let (mut starting, mut holding) = (Vec::new(), Vec::new());
    for value in all {
        let lower = value.to_lowercase();
        if lower.starts_with(&typed) {
            starting.push(value);
        } else if lower.contains(&typed) {
            holding.push(value);
        }
    }
    starting.append(&mut holding);
    Ok(CompleteResult::new(cut(starting)))
}

/// As many as may be given, with how many there are.
fn cut(mut values: Vec<String>) -> CompletionInfo {
    let total = values.len();
    values.truncate(CompletionInfo::MAX_VALUES);
    let has_more = total > values.len();
    CompletionInfo::with_pagination(values, u32::try_from(total).ok(), has_more).unwrap_or_default()
}

fn of_prompt(server: &Server, visit: &Visit, prompt: &str, argument: &str) -> Result<Vec<String>, ErrorData> {
    let is_offered = super::offer(server, visit)?.prompts.iter().any(|offered| offered.name.value == prompt);
    if is_offered {
        return Ok(Vec::new());
    }
    if general::has_argument(prompt, argument) {
        return match argument {
            "run" => runs(&visit.engine),
            "tool" => Ok(server.view(visit)?.tools.iter().map(|tool| tool.name.clone()).collect()),
            _ => Ok(Vec::new()),
        };
    }
    let Some(entry) = entry(server, visit, prompt)? else {
        return Err(ErrorData::invalid_params(format!("there is no prompt `{prompt}`"), None));
    };
    let plan = skill::plan(&visit.engine, &entry)?;
    let Some(input) = plan.skill.inputs.iter().find(|input| input.name == fold(argument)) else {
        return Ok(Vec::new());
    };
    if let Some(values) = input.schema.get("enum").and_then(Value::as_array) {
        return Ok(values.iter().filter_map(offered).collect());
    }
    if input.schema.get("type").is_some_and(|kind| kind == "boolean") {
        return Ok(vec!["true".to_owned(), "false".to_owned()]);
    }
    let mut values = earlier(&visit.engine, &plan.skill.name, &input.name)?;
    let default = input.default.as_ref().filter(|default| default.is_constant());
    let default = default.and_then(|default| offered(default.source()));
    values.extend(default.filter(|default| !values.contains(default)));
    Ok(values)
}

/// Values of an input in the caller's runs, the last first, each once.
fn earlier(engine: &Engine, skill: &str, input: &str) -> Result<Vec<String>, ErrorData> {
    let filter = RunFilter { skill: Some(skill.to_owned()), limit: Some(RUNS), ..RunFilter::default() };
    let mut values = Vec::new();
    for run in engine.runs(&filter).map_err(unreadable)? {
        let value = first_inputs(engine, run.id).and_then(|inputs| offered(inputs.get(input)?));
        values.extend(value.filter(|value| !values.contains(value)));
    }
    Ok(values)
}

/// What a run was started with. One that cannot be read any more has nothing to offer.
fn first_inputs(engine: &Engine, run: RunId) -> Option<Map<String, Value>> {
    match engine.first_event(run).ok()??.body {
        Body::SkillStarted { inputs, .. } => Some(inputs),
        _ => None,
    }
}

/// A value as something that can be typed: short, plain, and no secret.
fn offered(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    let fits = !text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control);
    (fits && !seal::contains(&text)).then_some(text)
}

fn of_address(
    server: &Server,
    visit: &Visit,
    (template, hole): (&str, &str),
    context: Option<&CompletionContext>,
) -> Result<Vec<String>, ErrorData> {
    let engine = &visit.engine;
    // What stands in the holes of a persona's addresses, only the persona knows.
    let Some(family) = template.strip_prefix("aa://").and_then(|rest| rest.split('/').next()) else {
        return Ok(Vec::new());
    };
    Ok(match (family, hole) {
        ("personas", "name") => {
            let names = engine.personas().map_err(unreadable)?.into_iter().map(|persona| persona.name);
            names.filter(|name| visit.guest.may_play(name)).collect()
        }
        ("skills", "name") => server.view(visit)?.skills.iter().map(|skill| skill.name.clone()).collect(),
        ("runs", "id") => runs(engine)?,
        ("memory", "key") if remembers(visit) => engine.memory_keys().map_err(unreadable)?,
        ("runs", "path") => {
            let known = context.and_then(|context| context.arguments.as_ref()?.get("id"));
            let run = known.and_then(|id| id.parse().ok()).map(RunId);
            let steps = run.and_then(|run| run_steps(engine, run).ok()).unwrap_or_default();
            steps.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
        }
        _ => Vec::new(),
    })
}

/// Numbers of the caller's runs, the newest first.
fn runs(engine: &Engine) -> Result<Vec<String>, ErrorData> {
    let limit = u32::try_from(CompletionInfo::MAX_VALUES).ok();
    let runs = engine.runs(&RunFilter { limit, ..RunFilter::default() }).map_err(unreadable)?;
    Ok(runs.iter().map(|run| run.id.to_string()).collect())
}
