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

/// The first that is enough is taken. The last one is enough for whatever can be read as JSON.
const CUTS: [Cut; 8] = [
    Cut::to(4000, 200, 2000),
    Cut::to(1500, 50, 500),
    Cut::to(500, 20, 200),
    Cut::to(200, 5, 100),
    Cut::to(60, 2, 50),
    Cut::to(60, 1, 10),
    Cut::to(60, 1, 3),
    Cut::to(60, 1, 0),
];

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
/// still of its shape: long texts, lists and objects lose their ends.
pub(crate) fn of(value: Value, wrapped: bool, whole: Whole<'_>) -> CallToolResult {
    let bytes = value.to_string().len();
    if bytes > MOST {
        let link = whole.link(&value);
        let mut result = shown(cut(&value), wrapped);
        result.content.push(ContentBlock::text(notice(bytes, link.as_ref(), whole.hint())));
        result.content.extend(link.map(ContentBlock::resource_link));
        return result;
    }
    shown(value, wrapped)
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
    if value.to_string().len() > MOST { cut(&value) } else { value }
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

/// The value without what is too long in it.
fn cut(value: &Value) -> Value {
    let mut last = Value::Null;
    for to in CUTS {
        last = shorter(value, to);
        if last.to_string().len() <= MOST {
            break;
        }
    }
    last
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
            let cut = of(value.clone(), false, Whole::Ask("")).structured_content.unwrap();
            assert!(cut.to_string().len() <= MOST && cut.is_object(), "{}", cut.to_string().len());
            assert_eq!(fitting(value), cut);
        }
        assert_eq!(short(&"x".repeat(90_000)).chars().count(), MOST / 4 + 1);
    }
}
