//! `/api/tools`: what steps can call, and calls of one tool.

use std::sync::Arc;

use aa_run::engine::Direct;
use aa_run::policy::Verdict;
use aa_spec::input;
use aa_spec::tool::{Effect, ErrorKind, ToolSpec, alias};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Json, Tagged};
use super::page::{Page, by_name};
use super::problem::{Problem, meant};
use super::route::{Asked, Nothing, Route, get, post};
use super::visitor::Visitor;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/tools", "List tools, by name", list),
        get("/tools/{tool}", "Describe a tool", show),
        post(
            "/tools/{tool}/call",
            "Call a tool: at once when it only reads, and else as a run of one step",
            call,
        )
        .known_by_key(),
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
    /// Only tools after this one in the list; the page before names it as `next`.
    after: Option<String>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn list(asked: Asked<Nothing, Filter>) -> Result<Tagged<Page<Listed>>, Problem> {
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
    let all = tools.filter(of_module).map(listed).collect();
    let from = (asked.query.after.as_deref(), asked.query.limit);
    Ok(Tagged(by_name(all, |tool: &Listed| &tool.name, from)?))
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
    let near = visitor.scope().near_tool(name)?;
    let hint = meant(near.as_deref(), "`GET /api/tools` lists them");
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

/// Whether a tool takes such arguments.
fn fits(spec: &ToolSpec, mut args: Map<String, Value>) -> bool {
    let renamed = alias::rename(&alias::all(&spec.input), &mut args);
    renamed.is_ok() && input::fits(&spec.input, &Value::Object(args)).is_ok()
}

async fn call(asked: Asked<ToolPath, Nothing, Call>) -> Result<Json<Called>, Problem> {
    let engine = &asked.visitor.engine;
    let spec = find(&asked.visitor, &asked.path.tool).await?;
    let args = asked.body.args;
    if spec.effect == Effect::Read && engine.verdict(Effect::Read, false) == Verdict::Go {
        let fits = fits(&spec, args.clone());
        let called = engine.call_tool(&spec.name, args, Arc::new(|_| {})).await;
        let result = called.map_err(|error| match error.kind {
            // A tool may find fault with what it is called with, too: then it is the tool that has failed.
            ErrorKind::Invalid if !fits => {
                Problem::of("bad-body", format!("the arguments do not fit: {}", error.message))
                    .hint(format!("`GET /api/tools/{}` says what it takes", spec.name))
            }
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
