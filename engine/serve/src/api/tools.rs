//! `/api/tools`: what steps can call, and calls of one tool.

use std::sync::Arc;

use aa_run::engine::Direct;
use aa_run::policy::Verdict;
use aa_spec::name::suggest;
use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Json, Tagged};
use super::page::List;
use super::problem::Problem;
use super::route::{Asked, Nothing, Route, get, post};
use super::visitor::Visitor;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/tools", "List tools", list),
        get("/tools/{tool}", "Describe a tool", show),
        post(
            "/tools/{tool}/call",
            "Call a tool: at once when it only reads, and else as a run of one step",
            call,
        ),
    ]
}

/// A tool in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ToolListed")]
struct Listed {
    /// Its name.
    name: String,
    /// The module that it belongs to.
    module: String,
    /// What it does, in a sentence.
    description: String,
    /// What a call does to the world.
    effect: Effect,
}

/// Which tools.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    /// Only tools of this module.
    module: Option<String>,
}

async fn list(asked: Asked<Nothing, Filter>) -> Result<Tagged<List<Listed>>, Problem> {
    let scope = asked.visitor.scope();
    let wanted = asked.query.module.as_deref().map(aa_spec::name::fold);
    let of_module = |spec: &Arc<ToolSpec>| wanted.as_ref().is_none_or(|module| *module == spec.module);
    let tools = asked.visitor.engine.tools()?.into_iter().filter(|spec| scope.shows(&spec.name));
    let listed = |spec: Arc<ToolSpec>| Listed {
        name: spec.name.clone(),
        module: spec.module.clone(),
        description: spec.description.clone(),
        effect: spec.effect,
    };
    Ok(Tagged(List { items: tools.filter(of_module).map(listed).collect() }))
}

/// Which tool.
#[derive(Debug, Deserialize, JsonSchema)]
struct ToolPath {
    /// Its name.
    tool: String,
}

async fn show(asked: Asked<ToolPath>) -> Result<Tagged<ToolSpec>, Problem> {
    Ok(Tagged((*find(&asked.visitor, &asked.path.tool).await?).clone()))
}

async fn find(visitor: &Visitor, name: &str) -> Result<Arc<ToolSpec>, Problem> {
    visitor.may_use(name)?;
    visitor.engine.meet(name).await?;
    if let Some(spec) = visitor.engine.tool(name)? {
        return Ok(spec);
    }
    let known = visitor.engine.tool_names()?;
    let near = suggest(name, known.iter().map(String::as_str));
    let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
    Err(Problem::of("not-found", format!("there is no tool `{name}`")).hint(hint))
}

/// What a tool is given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CallTool")]
struct Call {
    /// The arguments by name.
    args: Map<String, Value>,
}

/// What came of a call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ToolCalled")]
struct Called {
    /// The result; null when the call is a run.
    result: Option<Value>,
    /// The run that makes the call, when it changes something.
    run: Option<aa_run::event::RunId>,
}

async fn call(asked: Asked<ToolPath, Nothing, Call>) -> Result<Json<Called>, Problem> {
    let engine = &asked.visitor.engine;
    let spec = find(&asked.visitor, &asked.path.tool).await?;
    let args = asked.body.args;
    if spec.effect == Effect::Read && engine.verdict(Effect::Read, false) == Verdict::Go {
        let called = engine.call_tool(&spec.name, args, Arc::new(|_| {})).await;
        let result = called.map_err(|error| match error.kind {
            ErrorKind::Invalid => Problem::of("bad-body", error.message),
            ErrorKind::Auth if error.message.starts_with("your key") => {
                Problem::of("forbidden", error.message)
            }
            _ if error.details["full"] == true => Problem::of("full", error.message),
            _ => Problem::of("tool-failed", error.message),
        })?;
        return Ok(Json(Called { result: Some(result), run: None }));
    }
    let direct = Direct { tool: spec.name.clone(), args, request_key: asked.key };
    let session = engine.mark().unwrap_or_default();
    let handle = engine.start_call(direct, &session).await?;
    Ok(Json(Called { result: None, run: Some(handle.id) }))
}
