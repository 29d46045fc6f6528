//! Results that fit into what a model can take.

use aa_run::event::RunId;
use rmcp::model::{CallToolResult, ContentBlock, Resource};
use serde_json::{Value, json};

/// Larger results are cut, in bytes of JSON.
pub(crate) const MOST: usize = 20_000;

/// How a result is cut: texts to so many characters, lists to so many items; the first that is enough.
const CUTS: [(usize, usize); 5] = [(4000, 200), (1500, 50), (500, 20), (200, 5), (60, 2)];

/// Where the whole of a cut result is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whole<'a> {
    /// The run's outputs can be read.
    Run(RunId),
    /// Nowhere: the tool has to be called for less.
    Ask(&'a str),
}

/// A result, as structured content and the same as text. What is too large is cut so that it is
/// still of its shape: long texts and lists lose their ends.
pub(crate) fn of(value: Value, wrapped: bool, whole: Whole<'_>) -> CallToolResult {
    let bytes = value.to_string().len();
    let (value, is_cut) = if bytes > MOST { (cut(&value), true) } else { (value, false) };
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut result = CallToolResult::structured(if wrapped { json!({ "result": value }) } else { value });
    result.content = vec![ContentBlock::text(text)];
    if is_cut {
        result.content.push(ContentBlock::text(notice(bytes, whole)));
        if let Whole::Run(run) = whole {
            result.content.push(ContentBlock::resource_link(link(run)));
        }
    }
    result
}

/// The beginning of a value, as text.
pub(crate) fn head(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MOST / 10) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The outputs of a run as a resource.
fn link(run: RunId) -> Resource {
    Resource::new(format!("aa://runs/{run}/outputs"), format!("outputs of run {run}"))
        .with_description("All of it, page by page")
        .with_mime_type("application/json")
}

fn notice(bytes: usize, whole: Whole<'_>) -> String {
    let said = format!("[cut: this is part of {bytes} bytes; long texts and lists end with …");
    match whole {
        Whole::Run(run) => format!("{said}; read aa://runs/{run}/outputs for all of it]"),
        Whole::Ask(hint) => format!("{said}; {hint}]"),
    }
}

/// The value without what is too long in it.
fn cut(value: &Value) -> Value {
    let mut last = Value::Null;
    for (letters, items) in CUTS {
        last = shorter(value, letters, items);
        if last.to_string().len() <= MOST {
            break;
        }
    }
    last
}

fn shorter(value: &Value, letters: usize, items: usize) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(letters) {
            Some((end, _)) => format!("{}…", &text[..end]).into(),
            None => value.clone(),
        },
        Value::Array(all) => all.iter().take(items).map(|item| shorter(item, letters, items)).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(name, item)| (name.clone(), shorter(item, letters, items))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_results_are_left_alone() {
        let value = json!({"a": [1, 2]});
        let result = of(value.clone(), false, Whole::Ask(""));
        assert_eq!(result.structured_content, Some(value.clone()));
        assert_eq!(result.content, [ContentBlock::text(value.to_string())]);
        let result = of(json!("two\nlines"), true, Whole::Ask(""));
        assert_eq!(result.structured_content, Some(json!({"result": "two\nlines"})));
        assert_eq!(result.content, [ContentBlock::text("two\nlines")]);
    }

    #[test]
    fn large_results_keep_their_shape() {
        let commits: Value = (0..3000).map(|n| json!({"sha": n, "subject": "x".repeat(90)})).collect();
        let result = of(json!({"commits": commits, "n": 3000}), false, Whole::Run(RunId(7)));
        let text = result.content[0].as_text().unwrap().text.clone();
        assert!(text.len() <= MOST, "{}", text.len());
        let structured = result.structured_content.unwrap();
        assert_eq!(structured["n"], 3000);
        assert_eq!(structured["commits"][0], json!({"sha": 0, "subject": "x".repeat(90)}));
        assert_eq!(text, structured.to_string());
        assert!(result.content[1].as_text().unwrap().text.contains("aa://runs/7/outputs"));
        assert!(result.content[2].as_resource_link().is_some());
        let result = of(json!("y".repeat(50_000)), true, Whole::Ask("give a `limit`"));
        assert!(result.content[1].as_text().unwrap().text.contains("give a `limit`"));
        assert_eq!(result.content.len(), 2);
    }
}
