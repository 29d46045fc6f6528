//! An `OpenAPI` document (3.0 or 3.1) as a tool module.
//!
//! The module is a start that people read and change, so it is plain: one tool per
//! operation, arguments by their own names, and what cannot be said in a module is said
//! to whoever imports. What a call does to the world is not in the document; the method is:
//! `GET` and `HEAD` read, `DELETE` destroys, `PUT` writes and may be repeated. Of `POST` and
//! `PATCH` nothing is known (many services search with `POST`), so they are `unknown`,
//! which is treated most carefully, until somebody says more.

mod document;
mod operation;
mod schema;
mod service;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::document::Document;
use self::operation::Operation;
use crate::diagnostic::{Diagnostic, Severity};
use crate::name::fold;
use crate::source::Source;
use crate::tool::recipe;
use crate::yaml;

/// A document may have this many bytes when it is JSON; YAML has the bounds of all YAML.
pub const MAX_JSON_BYTES: usize = 32 << 20;

/// What methods are called in a document, and whether a tool can use them.
const METHODS: [(&str, bool); 8] = [
    ("get", true),
    ("head", true),
    ("post", true),
    ("put", true),
    ("patch", true),
    ("delete", true),
    ("options", true),
    ("trace", false),
];

/// What to make of a document.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Name of the module; without it, made of the document's title.
    pub module: Option<String>,
    /// Only operations with one of these tags; none: all.
    pub tags: Vec<String>,
    /// What the names of all tools begin with; without it, the module's name and `_`.
    pub prefix: Option<String>,
}

/// A module made of a document.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Name of the module.
    pub module: String,
    /// Its text.
    pub text: String,
    /// How many tools it has.
    pub tools: usize,
    /// What was not taken over, or needs a look.
    pub notes: Vec<String>,
}

/// Why a document cannot be a module.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("the document cannot be read")]
    Unreadable(Box<Diagnostic>),
    /// It is none, or of another kind.
    #[error("{0}")]
    Unfit(String),
}

/// Makes a module of a document.
///
/// # Errors
/// It is no `OpenAPI` document of a known version, or nothing in it can be a tool.
pub fn import(source: &Source, wanted: &Wanted) -> Result<Imported, ImportError> {
    let root = read(source)?;
    check_version(&root)?;
    let document = Document::new(root);
    let module = wanted.module.clone().unwrap_or_else(|| module_name(&document));
    let mut import =
        Import { document: &document, module, wanted, notes: Vec::new(), names: BTreeSet::new() };
    let head = import.head();
    let tools = import.tools(&head);
    import.finish(head, tools)
}

fn read(source: &Source) -> Result<Value, ImportError> {
    if source.text.trim_start().starts_with('{') && source.text.len() <= MAX_JSON_BYTES {
        return serde_json::from_str(&source.text)
            .map_err(|error| ImportError::Unfit(format!("`{}` is not JSON: {error}", source.path)));
    }
    yaml::parse(source).map(|node| node.to_json()).map_err(ImportError::Unreadable)
}

fn check_version(root: &Value) -> Result<(), ImportError> {
    let unfit = |message: String| Err(ImportError::Unfit(message));
    match (root.get("openapi"), root.get("swagger")) {
        (Some(version), _) => {
            let version = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
            if ["3.0", "3.1"].iter().any(|known| version.starts_with(known)) {
                return Ok(());
            }
            unfit(format!("this is OpenAPI {version}; only 3.0 and 3.1 are known"))
        }
        (None, Some(_)) => unfit("this is Swagger 2; convert it to OpenAPI 3 first".to_owned()),
        (None, None) => unfit("this is no OpenAPI document: it has no `openapi`".to_owned()),
    }
}

fn module_name(document: &Document) -> String {
    let title = document.root["info"]["title"].as_str().unwrap_or_default();
    let words: Vec<String> = words(title).into_iter().filter(|word| word != "api").collect();
    Some(words.join("_")).filter(|name| crate::name::is_valid(name)).unwrap_or_else(|| "api".to_owned())
}

/// The words of a name, however they are joined, in small letters.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map_or(' ', |before| letters[before]);
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        // `aThing` and `HTTPRoute` are two words each.
        let starts = c.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || before.is_ascii_uppercase() && after.is_ascii_lowercase());
        if starts || !c.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The first sentence of a text, on one line.
fn sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(". ").unwrap_or(line.len());
    let mut short: String = line[..end].chars().take(200).collect();
    while short.ends_with('.') {
        short.pop();
    }
    short
}

/// One import under way.
struct Import<'a> {
    document: &'a Document,
    module: String,
    wanted: &'a Wanted,
    notes: Vec<String>,
    names: BTreeSet<String>,
}

impl Import<'_> {
    fn note(&mut self, note: impl Into<String>) {
        // Notes become comments, which end where YAML sees the end of a line.
        let note = note.into().replace(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c), " ");
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn head(&mut self) -> Map<String, Value> {
        let info = &self.document.root["info"];
        let described = info["description"].as_str().or_else(|| info["title"].as_str()).unwrap_or_default();
        let described = sentence(described);
        let service = service::of(self.document, &self.module);
        for note in service.notes {
            self.note(note);
        }
        let mut head = Map::new();
        head.insert("module".to_owned(), self.module.clone().into());
        let usual = || format!("Tools over the API of {}", self.module);
        head.insert(
            "description".to_owned(),
            Some(described).filter(|text| !text.is_empty()).unwrap_or_else(usual).into(),
        );
        head.insert("config".to_owned(), service.config);
        head.insert("http".to_owned(), service.http);
        for section in ["webhooks", "callbacks"] {
            if self.document.root.get(section).is_some() {
                self.note(format!("`{section}` are not tools"));
            }
        }
        head
    }

    fn tools(&mut self, head: &Map<String, Value>) -> Vec<Value> {
        let mut tools = Vec::new();
        let mut unknown = 0;
        let paths = self.document.root["paths"].as_object().cloned().unwrap_or_default();
        for (path, item) in &paths {
            let item = self.document.resolved(item).clone();
            for (method, usable) in METHODS {
                let Some(operation) = item.get(method).filter(|_| !path.starts_with("x-")) else { continue };
                let shown = format!("{} {path}", method.to_uppercase());
                if !operation.is_object() {
                    self.note(format!("{shown}: what stands there is no operation"));
                    continue;
                }
                if !self.is_wanted(operation) {
                    continue;
                }
                if !usable {
                    self.note(format!("{shown}: tools cannot send this method"));
                    continue;
                }
                if let Some(tool) = self.tool(head, (path, method, &shown), &item, operation) {
                    unknown += usize::from(tool["effect"] == "unknown");
                    tools.push(tool);
                }
            }
        }
        if unknown > 0 {
            self.note(format!(
                "the document does not say what POST and PATCH do to the world, so {unknown} of the tools \
                 are `effect: unknown`; say `read` or `write` where you know"
            ));
        }
        tools
    }

    fn is_wanted(&self, operation: &Value) -> bool {
        let tags = operation["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let wanted = |tag: &str| self.wanted.tags.iter().any(|wanted| wanted.eq_ignore_ascii_case(tag));
        self.wanted.tags.is_empty() || tags.into_iter().any(wanted)
    }

    fn tool(
        &mut self,
        head: &Map<String, Value>,
        (path, method, shown): (&str, &str, &str),
        item: &Value,
        operation: &Value,
    ) -> Option<Value> {
        let name = self.name(path, method, operation);
        let read = Operation { document: self.document, path, method, item, own: operation };
        let made = read.tool(&name);
        for note in made.notes {
            self.note(format!("{shown}: {note}"));
        }
        let tool = made.tool?;
        // Whatever the document holds, what comes out can be used.
        match problem_of(head, &tool) {
            None => Some(tool),
            Some(problem) => {
                self.names.remove(&name);
                self.note(format!("{shown}: left out, because the tool would have an error: {problem}"));
                None
            }
        }
    }

    fn name(&mut self, path: &str, method: &str, operation: &Value) -> String {
        let given = operation["operationId"].as_str().map(words).filter(|words| !words.is_empty());
        let base = given.unwrap_or_else(|| words(&format!("{method} {path}"))).join("_");
        let prefix = self.wanted.prefix.clone().unwrap_or_else(|| format!("{}_", fold(&self.module)));
        let name = if base.starts_with(&prefix) { base } else { format!("{prefix}{base}") };
        let mut free = name.clone();
        let mut number = 1;
        while self.names.contains(&free) {
            number += 1;
            free = format!("{name}_{number}");
        }
        if free != name {
            self.note(format!("two operations are called `{name}`; one of them is `{free}` here"));
        }
        self.names.insert(free.clone());
        free
    }

    fn finish(self, head: Map<String, Value>, tools: Vec<Value>) -> Result<Imported, ImportError> {
        let count = tools.len();
        if count == 0 {
            let known: BTreeSet<&str> = self.document.tags().collect();
            let message = match (self.wanted.tags.is_empty(), known.is_empty()) {
                (false, false) => {
                    let known: Vec<_> = known.into_iter().map(|tag| format!("`{tag}`")).collect();
                    format!("no operation has such a tag; there are {}", known.join(", "))
                }
                _ => "nothing in the document can be a tool".to_owned(),
            };
            let more: Vec<String> = self.notes.iter().map(|note| format!("\n  {note}")).collect();
            return Err(ImportError::Unfit(message + &more.concat()));
        }
        let mut text = String::from("# Made of an OpenAPI document; change it as you like.\n");
        for note in &self.notes {
            text.extend(["# note: ", note, "\n"]);
        }
        let mut module = head;
        module.insert("tools".to_owned(), Value::Array(tools));
        text.push_str(&yaml::write(&Value::Object(module)));
        if let Some(problem) = error_in(&text) {
            let message = format!("what came of the document cannot be used: {problem}");
            return Err(ImportError::Unfit(message));
        }
        Ok(Imported { module: self.module, text, tools: count, notes: self.notes })
    }
}

/// The first error of a module of this tool alone.
fn problem_of(head: &Map<String, Value>, tool: &Value) -> Option<String> {
    let mut module = head.clone();
    module.insert("tools".to_owned(), json!([tool]));
    error_in(&yaml::write(&Value::Object(module)))
}

/// The first error of a module.
fn error_in(text: &str) -> Option<String> {
    let (_, diagnostics) = recipe::check(&Source::new("import.yaml", text));
    diagnostics.into_iter().find(|found| found.severity == Severity::Error).map(|found| found.message)
}

#[cfg(test)]
mod tests;
