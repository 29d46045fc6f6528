//! The tools that look for something in memory.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::key::Key;
use super::{Memory, unusable};
use crate::store::{Hit, Wanted};
use crate::tool::native::{Face, Native, blocking, invalid};
use crate::tool::{CallContext, ToolError};

/// `memory_query`.
pub(super) struct MemoryQuery(pub(super) Memory);

/// `memory_search`.
pub(super) struct MemorySearch(pub(super) Memory);

/// Longest query, in bytes.
const LONGEST: usize = 1000;

/// How often a query may look at everything below a place: each time multiplies the work.
const DESCENTS: usize = 2;

/// Most values that a query may give, and most bytes of them.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;

/// Most places that a search may give.
const MOST_HITS: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryArgs {
    /// Which key, such as `state/current_work`.
    key: String,
    /// A `JSONPath` (RFC 9535), such as `$.active_issues[?@.status == 'In Progress'].key`.
    query: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArgs {
    /// Words to look for; places with all of them, or else with any, best first.
    query: String,
    /// Only keys that begin like this, such as `knowledge/` or `sessions/2026-11`.
    #[serde(default)]
    prefix: String,
    /// At most so many places.
    #[serde(default = "ten")]
    limit: usize,
}

/// A place that was found.
#[derive(Serialize, JsonSchema)]
pub(super) struct Spot {
    /// Under which key.
    key: String,
    /// Where in it, such as `active_issues.0`.
    place: String,
    /// What stands there, around the words.
    snippet: String,
}

const fn ten() -> usize {
    10
}

#[async_trait]
impl Native for MemoryQuery {
    type Args = QueryArgs;
    type Output = Vec<Value>;

    const FACE: Face = Face {
        name: "memory_query",
        module: "memory",
        description: "The values that a JSONPath finds under a key",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: QueryArgs) -> Result<Vec<Value>, ToolError> {
        let path = path(&args.query)?;
        let document = Value::Object(self.0.read(context, Key::new(&args.key)?).await?);
        blocking(context, move |_| values(&path, &document)).await
    }
}

#[async_trait]
impl Native for MemorySearch {
    type Args = SearchArgs;
    type Output = Vec<Spot>;

    const FACE: Face = Face {
        name: "memory_search",
        module: "memory",
        description: "The places in memory and knowledge where words stand",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: SearchArgs) -> Result<Vec<Spot>, ToolError> {
        if !args.query.chars().any(char::is_alphanumeric) {
            return Err(invalid("the `query` has no word in it"));
        }
        let limit = args.limit.clamp(1, MOST_HITS);
        let store = self.0.look(context, |store, _| Ok(store.clone())).await?;
        let tenant = context.tenant.to_string();
        let wanted = Wanted { tenant, words: args.query, prefix: args.prefix, limit };
        let found = store.search_memory(wanted).await.map_err(|error| unusable(&error))?;
        Ok(found.into_iter().map(|Hit { key, place, snippet }| Spot { key, place, snippet }).collect())
    }
}

/// Reads a query that is not too much work.
fn path(query: &str) -> Result<JsonPath, ToolError> {
    if query.len() > LONGEST {
        return Err(invalid(format!("the `query` has {} bytes; at most {LONGEST} are read", query.len())));
    }
    if query.matches("..").count() > DESCENTS {
        return Err(invalid(format!("the `query` has `..` more than {DESCENTS} times")));
    }
    JsonPath::parse(query).map_err(|error| {
        invalid(format!("`{query}` is not a JSONPath: {error}; they look like `$.open_mrs[*].id`"))
    })
}

fn values(path: &JsonPath, document: &Value) -> Result<Vec<Value>, ToolError> {
    let found = path.query(document);
    let bytes = found.iter().map(|value| value.to_string().len()).sum::<usize>();
    if found.len() > MOST || bytes > MOST_BYTES {
        let many = found.len();
        return Err(invalid(format!("the `query` finds {many} values of {bytes} bytes, which is too much")));
    }
    Ok(found.into_iter().cloned().collect())
}
