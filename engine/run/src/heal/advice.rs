//! What is known about a failure: issues that memory has a word on, and where to look further.

use aa_spec::tool::ErrorKind;
use chrono::Utc;
use serde_json::{Value, json};

use super::learned;
use crate::event::StepError;
use crate::store::{Change, Changed, Store, StoreError};
use crate::tool::known_issues;

/// Known issues that are told; the others say no more.
const TOLD: usize = 3;

/// Adds to the details of an error what the memory of a tenant knows about it, and counts there that
/// it was seen.
pub(super) async fn advise(
    store: &Store,
    (tenant, tool): (&str, &str),
    error: &mut StepError,
) -> Result<(), StoreError> {
    if error.kind == ErrorKind::Cancelled {
        return Ok(());
    }
    let read = |key| store.memory(tenant, key).map(Option::unwrap_or_default);
    let (patterns, fixes) = (read("learned/patterns")?, read("learned/tool_fixes")?);
    if patterns.is_empty() && fixes.is_empty() {
        return Ok(());
    }
    let text = text_of(error);
    let issues = known_issues(&patterns, &fixes, tool, &text);
    if issues.is_empty() {
        return Ok(());
    }
    let told: Vec<Value> = issues.into_iter().take(TOLD).collect();
    match &mut error.details {
        Value::Object(details) => {
            details.insert("known_issues".to_owned(), told.into());
        }
        details @ Value::Null => *details = json!({ "known_issues": told }),
        _ => {}
    }
    count(store, tenant.to_owned(), (tool.to_owned(), text)).await
}

async fn count(store: &Store, tenant: String, (tool, text): (String, String)) -> Result<(), StoreError> {
    let at = Utc::now();
    let change = Change { tenant, key: "learned/patterns".to_owned(), at, id: None };
    let work = move |before: Option<serde_json::Map<String, Value>>| {
        let mut mapping = before.unwrap_or_default();
        let changed = learned::count_matched(&mut mapping, &tool, &text, at);
        Ok::<_, std::convert::Infallible>(Changed { value: changed.then_some(mapping), answer: Value::Null })
    };
    store.change_memory(change, work).await.map(drop)
}

fn text_of(error: &StepError) -> String {
    let said = error.details.get("stderr").and_then(Value::as_str).unwrap_or_default();
    format!("{}\n{said}", error.message)
}

/// What to say to a person about a failed step, a line each.
pub fn hints(error: &StepError) -> Vec<String> {
    let issues = error.details.get("known_issues").and_then(Value::as_array).into_iter().flatten();
    let line = |issue: &Value| {
        let text = |name: &str| issue.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (meaning, fix) = (text("meaning"), text("fix"));
        match (meaning.is_empty(), fix.is_empty()) {
            (true, true) => None,
            (false, false) => Some(format!("known issue: {meaning}; {fix}")),
            _ => Some(format!("known issue: {meaning}{fix}")),
        }
    };
    issues.filter_map(line).collect()
}
