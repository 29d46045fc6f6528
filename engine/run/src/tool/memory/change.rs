//! The tools that change memory.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::key::Key;
use super::place::{alike, find, reach};
use super::{Memory, Outcome, stamp, text};
use crate::event::Time;
use crate::tool::native::{Face, Native, invalid};
use crate::tool::{CallContext, ToolError};

/// `memory_write`.
pub(super) struct MemoryWrite(pub(super) Memory);

/// `memory_update`.
pub(super) struct MemoryUpdate(pub(super) Memory);

/// `memory_append`.
pub(super) struct MemoryAppend(pub(super) Memory);

/// `memory_remove`.
pub(super) struct MemoryRemove(pub(super) Memory);

/// `memory_session_log`.
pub(super) struct MemorySessionLog(pub(super) Memory);

const fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteArgs {
    /// Which key, such as `state/current_work`.
    key: String,
    /// The mapping to keep there, or its YAML.
    content: Value,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateArgs {
    /// Which key.
    key: String,
    /// Where in it, such as `environments.stage.status`; what is missing on the way is made.
    path: String,
    /// The new value, or the YAML of a mapping or list.
    value: Value,
    /// Whether a text that begins like a YAML mapping or list is one.
    #[serde(default = "yes")]
    yaml: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppendArgs {
    /// Which key.
    key: String,
    /// Where in it the list is, such as `active_issues`; it is made if need be.
    list_path: String,
    /// The item, or the YAML of a mapping or list.
    item: Value,
    /// A field of the item: another item with the same value there is replaced.
    #[serde(default)]
    match_key: Option<String>,
    /// Whether a text that begins like a YAML mapping or list is one.
    #[serde(default = "yes")]
    yaml: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveArgs {
    /// Which key.
    key: String,
    /// Where in it the list is.
    list_path: String,
    /// The field to compare; empty to compare the items themselves.
    match_key: String,
    /// Items with this value there are removed; `7` and `"7"` are the same.
    match_value: Value,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogArgs {
    /// What was done.
    action: String,
    /// More about it.
    #[serde(default)]
    details: String,
}

/// What was written.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Written {
    key: String,
    /// When, RFC 3339 in UTC.
    last_updated: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Appended {
    key: String,
    /// When, RFC 3339 in UTC.
    last_updated: String,
    /// How many items the list has now.
    count: usize,
    /// Whether the item took the place of another.
    replaced: bool,
}

fn written(key: &Key, at: Time) -> Written {
    Written { key: key.as_str().to_owned(), last_updated: stamp(at) }
}

#[async_trait]
impl Native for MemoryWrite {
    type Args = WriteArgs;
    type Output = Written;

    const FACE: Face = Face {
        name: "memory_write",
        module: "memory",
        description: "Replaces what is remembered under a key",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: WriteArgs) -> Result<Written, ToolError> {
        let key = Key::new(&args.key)?;
        let Value::Object(content) = text::meant(args.content.clone(), "content")? else {
            return Err(invalid("the `content` of a key is a mapping"));
        };
        let named = key.clone();
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &key, move |mapping, at| {
                mapping.clone_from(&content);
                Ok(Outcome::Changed(written(&named, at)))
            })
            .await
    }
}

#[async_trait]
impl Native for MemoryUpdate {
    type Args = UpdateArgs;
    type Output = Written;

    const FACE: Face = Face {
        name: "memory_update",
        module: "memory",
        description: "Sets one field of what is remembered under a key",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: UpdateArgs) -> Result<Written, ToolError> {
        let key = Key::new(&args.key)?;
        let value = read(&args.value, args.yaml, "value")?;
        let (named, path) = (key.clone(), args.path.clone());
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &key, move |mapping, at| {
                *reach(mapping, &path)? = value.clone();
                Ok(Outcome::Changed(written(&named, at)))
            })
            .await
    }
}

#[async_trait]
impl Native for MemoryAppend {
    type Args = AppendArgs;
    type Output = Appended;

    const FACE: Face = Face {
        name: "memory_append",
        module: "memory",
        description: "Adds an item to a remembered list, or replaces one",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: AppendArgs) -> Result<Appended, ToolError> {
        let key = Key::new(&args.key)?;
        let item = read(&args.item, args.yaml, "item")?;
        let (named, path, field) = (key.clone(), args.list_path.clone(), args.match_key.clone());
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &key, move |mapping, at| {
                let list = list(mapping, &path)?;
                let replaced = put(list, item.clone(), field.as_deref());
                let Written { key, last_updated } = written(&named, at);
                Ok(Outcome::Changed(Appended { key, last_updated, count: list.len(), replaced }))
            })
            .await
    }
}

#[async_trait]
impl Native for MemoryRemove {
    type Args = RemoveArgs;
    type Output = usize;

    const FACE: Face = Face {
        name: "memory_remove",
        module: "memory",
        description: "Removes items from a remembered list, and gives their number",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: RemoveArgs) -> Result<usize, ToolError> {
        let key = Key::new(&args.key)?;
        let (path, field, value) = (args.list_path.clone(), args.match_key.clone(), args.match_value.clone());
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &key, move |mapping, _| {
                let Some(Value::Array(items)) = find(mapping, &path)? else { return Ok(Outcome::Same(0)) };
                let before = items.len();
                items.retain(|item| !field_of(item, &field).is_some_and(|found| alike(found, &value)));
                let removed = before - items.len();
                Ok(if removed > 0 { Outcome::Changed(removed) } else { Outcome::Same(0) })
            })
            .await
    }
}

#[async_trait]
impl Native for MemorySessionLog {
    type Args = LogArgs;
    type Output = Written;

    const FACE: Face = Face {
        name: "memory_session_log",
        module: "memory",
        description: "Adds a line to the log of the day",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: LogArgs) -> Result<Written, ToolError> {
        let day = chrono::Utc::now().format("%Y-%m-%d").to_string();
        let key = Key::new(&format!("sessions/{day}"))?;
        let (named, entry) = (key.clone(), args.clone());
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &key, move |mapping, at| {
                mapping.insert("date".to_owned(), day.as_str().into());
                list(mapping, "entries")?.push(logged(&entry, at));
                Ok(Outcome::Changed(written(&named, at)))
            })
            .await
    }
}

fn logged(entry: &LogArgs, at: Time) -> Value {
    let mut line = json!({"time": at.format("%H:%M:%S").to_string(), "action": entry.action});
    if !entry.details.is_empty() {
        line["details"] = entry.details.as_str().into();
    }
    line
}

fn read(value: &Value, yaml: bool, argument: &str) -> Result<Value, ToolError> {
    if yaml { text::meant(value.clone(), argument) } else { Ok(value.clone()) }
}

/// The list at a path, made if there is nothing.
pub(in crate::tool) fn list<'a>(
    mapping: &'a mut Map<String, Value>,
    path: &str,
) -> Result<&'a mut Vec<Value>, ToolError> {
    let place = reach(mapping, path)?;
    if place.is_null() {
        *place = Value::Array(Vec::new());
    }
    place.as_array_mut().ok_or_else(|| invalid(format!("`{path}` is there, and it is no list")))
}

/// Puts an item in the place of one that has the same value in that field, else at the end.
fn put(items: &mut Vec<Value>, item: Value, field: Option<&str>) -> bool {
    let found = field.filter(|field| !field.is_empty()).and_then(|field| {
        let wanted = field_of(&item, field).filter(|value| !value.is_null())?;
        items.iter().position(|other| field_of(other, field).is_some_and(|found| alike(found, wanted)))
    });
    match found {
        Some(index) => items[index] = item,
        None => items.push(item),
    }
    found.is_some()
}

fn field_of<'a>(item: &'a Value, field: &str) -> Option<&'a Value> {
    if field.is_empty() { Some(item) } else { item.get(field) }
}
