//! `/api/memory`: what skills of the caller's tenant remember. It is changed by tools, which are calls like others.

use std::sync::Arc;

use aa_run::mistake::Mistake;
use aa_run::policy::Verdict;
use aa_spec::tool::Effect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::{Json, Tagged};
use super::page::List;
use super::problem::Problem;
use super::route::{Asked, Nothing, Route, get};
use super::visitor::Visitor;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/memory", "List the keys under which something is remembered", list),
        get("/memory/search", "Find where words stand in the memory", search),
        get("/memory/mistakes", "List mistakes in calls that repeat", mistakes),
        get("/memory/document", "Show what is remembered under a key", show),
    ]
}

/// Which keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    /// Only keys that begin like this.
    prefix: String,
}

async fn list(asked: Asked<Nothing, Filter>) -> Result<Json<List<String>>, Problem> {
    asked.visitor.may_recall()?;
    let mut items = asked.visitor.engine.memory_keys()?;
    items.retain(|key| key.starts_with(&asked.query.prefix));
    Ok(Json(List { items }))
}

/// Which document.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its key, such as `state/current_work`. It is not called so here, as whatever is called a key in an address is
    /// taken for one that opens.
    name: String,
}

async fn show(asked: Asked<Nothing, Which>) -> Result<Tagged<Map<String, Value>>, Problem> {
    asked.visitor.may_recall()?;
    let key = &asked.query.name;
    let found = asked.visitor.engine.memory_document(key)?;
    found.map(Tagged).ok_or_else(|| Problem::of("not-found", format!("nothing is remembered under `{key}`")))
}

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The words; places with all of them come first.
    words: String,
    /// Only keys that begin like this.
    #[serde(default)]
    prefix: String,
    /// At most this many places (default 10).
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MemoryFound")]
struct Found {
    /// Places, best first.
    items: Vec<Value>,
}

async fn search(asked: Asked<Nothing, Search>) -> Result<Json<Found>, Problem> {
    let Search { words, prefix, limit } = asked.query;
    let items = find(&asked.visitor, (&words, &prefix), limit.unwrap_or(10)).await?;
    Ok(Json(Found { items }))
}

/// Places where words stand, below a prefix, best first.
pub(crate) async fn find(
    visitor: &Visitor,
    (words, prefix): (&str, &str),
    limit: u32,
) -> Result<Vec<Value>, Problem> {
    visitor.may_recall()?;
    // It is a call of a tool, though a harmless one.
    if visitor.engine.verdict(Effect::Read, false) != Verdict::Go {
        return Err(Problem::of("policy", "the policy does not let you call tools that read"));
    }
    let args = json!({"query": words, "prefix": prefix, "limit": limit.clamp(1, 100)});
    let Value::Object(args) = args else { return Ok(Vec::new()) };
    let found = visitor.engine.call_tool("memory_search", args, Arc::new(|_| {})).await;
    let found = found.map_err(|error| Problem::of("bad-query", error.message))?;
    Ok(found.as_array().cloned().unwrap_or_default())
}

async fn mistakes(asked: Asked) -> Result<Json<List<Mistake>>, Problem> {
    asked.visitor.may_look()?;
    Ok(Json(List { items: asked.visitor.engine.mistakes()? }))
}
