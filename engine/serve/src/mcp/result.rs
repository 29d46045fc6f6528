//! Results that fit into what a model can take.

use aa_run::event::RunId;
use rmcp::model::{CallToolResult, ContentBlock, Resource};
use serde_json::{Value, json};

use super::resource::kind_of_pages;

/// Larger results are cut, in bytes of JSON.
pub(crate) const MOST: usize = 20_000;

/// How much is left of a result that is cut.
#[derive(Clone, Copy)]
struct Cut {
    /// Characters of a text, and of the name of an entry.
    letters: usize,
    /// Items of a list.
    items: usize,
    /// Entries of an object.
    entries: usize,
}

impl Cut {
    const fn to(letters: usize, items: usize, entries: usize) -> Self {
        Self { letters, items, entries }
    }
}

/// The first that is enough is taken: what is left has the shape of the whole. Records keep their entries; what has more of
/// them is no record.
const CUTS: [Cut; 5] = [
    Cut::to(4000, 200, 2000),
    Cut::to(1500, 50, 500),
    Cut::to(500, 20, 200),
    Cut::to(200, 5, 100),
    Cut::to(60, 2, 50),
];

/// Where that is not enough. The last one is enough for whatever can be read as JSON.
const REMAINS: [Cut; 3] = [Cut::to(60, 1, 10), Cut::to(60, 1, 3), Cut::to(60, 1, 0)];

/// Where the whole of a cut result is.
#[derive(Clone, Copy)]
pub(crate) enum Whole<'a> {
    /// The run's outputs can be read.
    Run(RunId),
    /// Where this keeps it, if it can; else the tool has to be called for less.
    Kept(&'a dyn Fn(&Value) -> Option<Resource>, &'a str),
    /// Nowhere: the tool has to be called for less.
    Ask(&'a str),
}

impl Whole<'_> {
    fn link(self, value: &Value) -> Option<Resource> {
        match self {
            Self::Run(run) => Some(link(run, value)),
            Self::Kept(keep, _) => keep(value),
            Self::Ask(_) => None,
        }
    }

    fn hint(&self) -> &str {
        match self {
            Self::Run(_) => "",
            Self::Kept(_, hint) | Self::Ask(hint) => hint,
        }
    }
}

/// A result, as structured content and the same as text. What is too large is cut so that it is
/// still of its shape: long texts, lists and objects lose their ends. What nothing of that shape could be made of is an
/// error, which needs none, with the beginning of it.
pub(crate) fn of(value: Value, wrapped: bool, whole: Whole<'_>) -> CallToolResult {
    let bytes = value.to_string().len();
    if bytes <= MOST {
        return shown(value, wrapped);
    }
    let link = whole.link(&value);
    let result = match cut(&value, MOST, &CUTS) {
        Some(cut) => shown(cut, wrapped),
        None => CallToolResult::error(vec![ContentBlock::text(head(&value))]),
    };
    pointed_on(result, bytes, link, whole.hint())
}

/// The same of an object that may be too large because of some of its entries: only these are cut.
pub(crate) fn of_parts(mut value: Value, parts: &[&str], whole: Whole<'_>) -> CallToolResult {
    let bytes = value.to_string().len();
    if bytes <= MOST {
        return shown(value, false);
    }
    let link = whole.link(&value);
    let size = |value: &Value| value.to_string().len();
    let own: usize = parts.iter().filter_map(|part| value.get(part)).map(size).sum();
    let room = MOST.saturating_sub(bytes - own).max(1000) / parts.len().max(1);
    for part in parts {
        if let Some(part) = value.get_mut(part) {
            *part = fitting_in(part.take(), room);
        }
    }
    pointed_on(shown(value, false), bytes, link, whole.hint())
}

/// A result of which a part is shown, and where the rest is.
fn pointed_on(
    mut result: CallToolResult,
    bytes: usize,
    link: Option<Resource>,
    hint: &str,
) -> CallToolResult {
    result.content.push(ContentBlock::text(notice(bytes, link.as_ref(), hint)));
    result.content.extend(link.map(ContentBlock::resource_link));
    result
}

fn shown(value: Value, wrapped: bool) -> CallToolResult {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut result = CallToolResult::structured(if wrapped { json!({ "result": value }) } else { value });
    result.content = vec![ContentBlock::text(text)];
    result
}

/// The beginning of a value, as text.
pub(crate) fn head(value: &Value) -> String {
    shortened(&value.to_string(), MOST / 10)
}

/// The outputs of a run as a resource.
fn link(run: RunId, value: &Value) -> Resource {
    // Those of a tool alone are one deeper than what it gave.
    let shown = format!("{value:#}");
    let bytes = shown.len() + 2 * shown.lines().count() + 32;
    Resource::new(format!("aa://runs/{run}/outputs"), format!("outputs of run {run}"))
        .with_description("All of it, page by page")
        .with_mime_type(kind_of_pages(bytes, "application/json"))
}

fn notice(bytes: usize, link: Option<&Resource>, hint: &str) -> String {
    let said = format!(
        "[cut: this is part of {bytes} bytes; long texts end with …, long lists and objects lack what comes last"
    );
    match link {
        Some(link) => format!("{said}; read {} for all of it]", link.uri),
        None => format!("{said}; {hint}]"),
    }
}

/// The value, or where it is too large what is left of it.
pub(crate) fn fitting(value: Value) -> Value {
    fitting_in(value, MOST)
}

fn fitting_in(value: Value, most: usize) -> Value {
    if value.to_string().len() <= most {
        return value;
    }
    let cut = cut(&value, most, &CUTS).or_else(|| cut(&value, most, &REMAINS));
    cut.unwrap_or_default()
}

/// A text, or its beginning where it is too long for an answer that says more than it.
pub(crate) fn short(text: &str) -> String {
    shortened(text, MOST / 4)
}

fn shortened(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The value without what is too long in it; none where too much is left.
fn cut(value: &Value, most: usize, cuts: &[Cut]) -> Option<Value> {
    cuts.iter().map(|to| shorter(value, *to)).find(|cut| cut.to_string().len() <= most)
}

fn shorter(value: &Value, to: Cut) -> Value {
    match value {
        Value::String(text) => shortened(text, to.letters).into(),
        Value::Array(all) => all.iter().take(to.items).map(|item| shorter(item, to)).collect(),
        Value::Object(entries) => {
            // A name that is cut would be another one.
            let named = entries.iter().filter(|(name, _)| name.len() <= to.letters);
            named.take(to.entries).map(|(name, item)| (name.clone(), shorter(item, to))).collect()
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
    fn what_cannot_be_kept_has_to_be_asked_for_anew() {
        let large = json!("y".repeat(50_000));
        for (place, said, blocks) in
            [(Some("aa://results/x"), "aa://results/x", 3), (None, "ask for less", 2)]
        {
            let keep = |_: &Value| place.map(|uri| Resource::new(uri, "result"));
            let result = of(large.clone(), true, Whole::Kept(&keep, "ask for less"));
            assert!(result.content[1].as_text().unwrap().text.contains(said));
            assert_eq!(result.content.len(), blocks);
        }
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

    /// An object of so many entries.
    fn of_many(count: usize, entry: impl Fn(usize) -> (String, Value)) -> Value {
        Value::Object((0..count).map(entry).collect())
    }

    #[test]
    fn whatever_is_large_in_a_result_it_fits() {
        let deep = (0..100).fold(json!("z".repeat(900)), |inner, n| json!({"in": [inner], "n": n}));
        let row = |n: usize| (n.to_string(), json!("y".repeat(90)));
        for value in [
            of_many(5000, |n| (format!("key {n}"), json!(n))),
            of_many(40, |n| (format!("{n}{}", "k".repeat(5000)), json!(n))),
            of_many(90, |n| (n.to_string(), of_many(90, row))),
            json!({"rows": vec![deep; 300]}),
        ] {
            assert!(value.to_string().len() > MOST);
            let result = of(value.clone(), false, Whole::Ask("ask for less"));
            assert!(serde_json::to_string(&result.content).unwrap().len() <= 2 * MOST);
            let cut = result.structured_content.filter(|_| result.is_error == Some(false));
            assert!(cut.is_none_or(|cut| cut.to_string().len() <= MOST));
            let left = fitting(value);
            assert!(left.to_string().len() <= MOST && left.is_object(), "{}", left.to_string().len());
        }
        assert_eq!(short(&"x".repeat(90_000)).chars().count(), MOST / 4 + 1);
    }

    #[test]
    fn records_keep_their_entries_or_it_is_an_error() {
        let pod = |n: usize| (n.to_string(), of_many(12, |n| (format!("field {n}"), json!("y".repeat(20)))));
        let pods = of_many(15, |n| (n.to_string(), of_many(15, pod)));
        let result = of(pods.clone(), false, Whole::Ask("ask for less"));
        assert_eq!((result.is_error, &result.structured_content), (Some(true), &None));
        let text = serde_json::to_string(&result.content).unwrap();
        assert!(text.contains("field 0") && text.contains("ask for less"), "{text}");
        // What is around it is not touched.
        let told = json!({"run_id": 7, "status": "completed", "outputs": pods});
        let cut = of_parts(told, &["outputs"], Whole::Run(RunId(7)));
        let left = cut.structured_content.unwrap();
        assert!(
            left["run_id"] == 7 && left["status"] == "completed" && left.to_string().len() <= MOST,
            "{left}"
        );
        assert!(cut.content[2].as_resource_link().is_some());
        let told = json!({"text": "x".repeat(MOST), "log": ["y".repeat(MOST)]});
        let cut = of_parts(told, &["log"], Whole::Ask("ask for less")).structured_content.unwrap();
        assert_eq!(cut["text"].as_str().unwrap().len(), MOST, "what is no part is whole");
    }
}
