//! What a persona offers besides tools and skills: texts to read, and prompts to choose.
//!
//! Their texts are templates: over `params`, what stood in the holes of an address, and over
//! `arguments`, what a prompt was given.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::Source;
use crate::template::Template;
use crate::tool::Effect;
use crate::yaml::{Node, Spanned};

/// Something that a client can read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSpec {
    /// Its address, such as `team://on-call`. With holes, `team://service/{name}`, it is a family of addresses.
    pub uri: Spanned<String>,
    /// Its name.
    pub name: Spanned<String>,
    /// What it is, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// Its media type (default: `text/plain`, and of a file that is no text `application/octet-stream`).
    #[serde(default)]
    pub mime_type: Option<String>,
    /// Its text; what stood in the holes is `{{ params.NAME }}`.
    #[serde(default)]
    pub text: Option<Spanned<String>>,
    /// A file beside the persona, or below it, that holds it.
    #[serde(default)]
    pub file: Option<Spanned<String>>,
    /// A tool that only reads, whose result it is.
    #[serde(default)]
    pub tool: Option<ToolCall>,
}

/// A call of a tool.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool.
    pub name: Spanned<String>,
    /// Its arguments; texts in them are templates.
    #[serde(default)]
    pub args: BTreeMap<String, Node>,
}

/// Something that a person can choose to say, often shown as a slash command.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// What it can be given.
    #[serde(default)]
    pub arguments: Vec<ArgumentSpec>,
    /// A skill that is run first, with the arguments as its inputs; the messages read `{{ outputs.NAME }}`.
    #[serde(default)]
    pub skill: Option<Spanned<String>>,
    /// What is said.
    pub messages: Vec<MessageSpec>,
}

/// Something that a prompt can be given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArgumentSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether the prompt makes no sense without it (default: no).
    #[serde(default)]
    pub required: bool,
}

/// One message of a prompt: a text, a picture, or a text with an address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageSpec {
    /// Who says it (default `user`).
    #[serde(default)]
    pub role: Role,
    /// A text; what the prompt was given is `{{ arguments.NAME }}`. Beside `resource`, the text that is there.
    #[serde(default)]
    pub text: Option<Spanned<String>>,
    /// A file beside the persona, or below it, that is a picture.
    #[serde(default)]
    pub image: Option<Spanned<String>>,
    /// The address of what `text` holds.
    #[serde(default)]
    pub resource: Option<Spanned<String>>,
    /// Media type of the picture or of the text.
    #[serde(default)]
    pub mime_type: Option<String>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    #[default]
    User,
    /// The assistant.
    Assistant,
}

/// Schemes that are the server's own.
const OWN: [&str; 5] = ["aa", "memory", "config", "skill", "file"];

/// What a persona may refer to.
pub trait Surroundings {
    /// What a tool does to the world; none when there is no such tool.
    fn effect(&self, tool: &str) -> Option<Effect>;
    /// Whether there is such a file beside the persona.
    fn has_file(&self, path: &str) -> bool;
    /// Whether there is such a skill.
    fn has_skill(&self, name: &str) -> bool;
}

/// What is wrong with what a persona offers.
pub fn check(
    source: &Source,
    (resources, prompts): (&[ResourceSpec], &[PromptSpec]),
    around: &dyn Surroundings,
) -> Vec<Diagnostic> {
    let mut checker = Checker { source, around, outputs: false, found: Vec::new() };
    checker.distinct(resources.iter().map(|resource| &resource.uri), "resources");
    checker.distinct(prompts.iter().map(|prompt| &prompt.name), "prompts");
    for resource in resources {
        checker.resource(resource);
    }
    for prompt in prompts {
        checker.prompt(prompt);
    }
    checker.found
}

struct Checker<'a> {
    source: &'a Source,
    around: &'a dyn Surroundings,
    /// Whether there are outputs of a skill to read.
    outputs: bool,
    found: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&mut self, code: &'static str, of: &Spanned<String>, message: impl Into<String>, hint: &str) {
        self.found.push(Diagnostic::error(code, self.source, of.span, message).hint(hint));
    }

    fn distinct<'s>(&mut self, names: impl Iterator<Item = &'s Spanned<String>>, what: &str) {
        let mut known = BTreeSet::new();
        for name in names {
            if !known.insert(&name.value) {
                self.error("duplicate-name", name, format!("two {what} are called `{}`", name.value), "");
            }
        }
    }

    fn resource(&mut self, resource: &ResourceSpec) {
        let holes = match holes(&resource.uri.value) {
            Ok(holes) => holes,
            Err(message) => {
                let hint = "addresses look like `team://on-call` or `team://service/{name}`";
                return self.error("bad-value", &resource.uri, message, hint);
            }
        };
        let tool = resource.tool.as_ref().map(|tool| &tool.name);
        let given = [resource.text.as_ref(), resource.file.as_ref(), tool];
        match given.iter().flatten().count() {
            1 => {}
            0 => self.error(
                "missing-key",
                &resource.uri,
                "nothing says what is there",
                "add `text`, `file` or `tool`",
            ),
            _ => self.error(
                "bad-value",
                &resource.uri,
                "several things are there",
                "keep one of `text`, `file` and `tool`",
            ),
        }
        let known: Vec<&str> = holes.iter().map(String::as_str).collect();
        if let Some(text) = &resource.text {
            self.template(text, &Value::from(text.value.clone()), "params", &known);
        }
        if let Some(file) = &resource.file {
            self.file(file);
        }
        if let Some(tool) = &resource.tool {
            self.tool(tool, &known);
        }
    }

    fn tool(&mut self, call: &ToolCall, holes: &[&str]) {
        match self.around.effect(&call.name.value) {
            None => {
                let message = format!("there is no tool `{}`", call.name.value);
                self.error("unknown-tool", &call.name, message, "");
            }
            Some(Effect::Read) => {}
            Some(_) => {
                let message = format!("`{}` changes something, and reading must not", call.name.value);
                self.error("bad-value", &call.name, message, "name a tool that only reads");
            }
        }
        for value in call.args.values() {
            self.template(&call.name, &value.to_json(), "params", holes);
        }
    }

    fn prompt(&mut self, prompt: &PromptSpec) {
        if !name::is_valid(&prompt.name.value) {
            let message = format!("`{}` is no name", prompt.name.value);
            self.error("bad-name", &prompt.name, message, "use letters, digits, `_` and `-`");
        }
        self.distinct(prompt.arguments.iter().map(|argument| &argument.name), "arguments");
        if prompt.messages.is_empty() {
            self.error("missing-key", &prompt.name, "the prompt says nothing", "add a message");
        }
        if let Some(skill) = prompt.skill.as_ref().filter(|skill| !self.around.has_skill(&skill.value)) {
            self.error("unknown-skill", skill, format!("there is no skill `{}`", skill.value), "");
        }
        let known: Vec<&str> = prompt.arguments.iter().map(|argument| argument.name.value.as_str()).collect();
        self.outputs = prompt.skill.is_some();
        for message in &prompt.messages {
            self.message(&prompt.name, message, &known);
        }
        self.outputs = false;
    }

    fn message(&mut self, prompt: &Spanned<String>, message: &MessageSpec, known: &[&str]) {
        match (&message.text, &message.image, &message.resource) {
            (None, None, None) => {
                self.error(
                    "missing-key",
                    prompt,
                    "a message says nothing",
                    "give it `text`, `image` or `resource`",
                );
            }
            (_, Some(image), Some(_)) | (Some(_), Some(image), _) => {
                self.error(
                    "bad-value",
                    image,
                    "a message is several things at once",
                    "make a message of each",
                );
            }
            (None, None, Some(resource)) => {
                let hint = "add the `text` that is there";
                self.error("missing-key", resource, "nothing says what is at the address", hint);
            }
            _ => {}
        }
        for text in [&message.text, &message.resource].into_iter().flatten() {
            self.template(text, &Value::from(text.value.clone()), "arguments", known);
        }
        if let Some(image) = &message.image {
            self.file(image);
            if message.mime_type.is_none() {
                self.error(
                    "missing-key",
                    image,
                    "nothing says what kind of picture it is",
                    "add `mime_type: image/png`",
                );
            }
        }
    }

    fn file(&mut self, file: &Spanned<String>) {
        if !is_below(&file.value) {
            let message = format!("`{}` is not below the persona's folder", file.value);
            return self.error(
                "bad-value",
                file,
                message,
                "write a path without `..`, relative to the persona",
            );
        }
        if !self.around.has_file(&file.value) {
            self.error("missing-file", file, format!("there is no file `{}`", file.value), "");
        }
    }

    /// Checks that templates compile, and read nothing but entries of one mapping.
    fn template(&mut self, at: &Spanned<String>, value: &Value, group: &str, known: &[&str]) {
        let template = match Template::parse(value) {
            Ok(template) => template,
            Err(error) => return self.error("bad-template", at, error.message, &error.hint),
        };
        for path in template.references() {
            let is_known = path.split_once('.').is_some_and(|(head, rest)| {
                (head == group && known.contains(&rest.split('.').next().unwrap_or(rest)))
                    || (head == "outputs" && self.outputs)
            });
            if !is_known {
                let names: Vec<String> = known.iter().map(|name| format!("{group}.{name}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let problem = Diagnostic::error(
                    "unknown-reference",
                    self.source,
                    at.span,
                    format!("nothing defines `{path}`"),
                );
                self.found.push(problem.suggest(&path, names));
            }
        }
    }
}

/// Whether a path leads to a file below the folder that it is relative to.
fn is_below(path: &str) -> bool {
    let path = std::path::Path::new(path);
    let mut parts = path.components();
    parts.all(|part| matches!(part, std::path::Component::Normal(_))) && path.file_name().is_some()
}

/// The names of the holes of an address.
///
/// # Errors
/// It is no address, or one of the server's own.
pub fn holes(uri: &str) -> Result<Vec<String>, String> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Err(format!("`{uri}` is no address")) };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(plain) || rest.is_empty()
    {
        return Err(format!("`{uri}` is no address"));
    }
    if OWN.contains(&scheme) {
        return Err(format!("addresses under `{scheme}:` are the server's own"));
    }
    if uri.contains(char::is_whitespace) {
        return Err(format!("`{uri}` is no address: there is white space in it"));
    }
    let mut holes = Vec::new();
    let mut rest = rest;
    while let Some(at) = rest.find(['{', '}']) {
        let inner = rest[at..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let Some((hole, after)) = inner.filter(|(hole, _)| name::is_valid(hole)) else {
            return Err(format!("`{uri}` has a hole that is not closed, or has no name"));
        };
        if after.starts_with('{') {
            return Err(format!("`{uri}` has two holes with nothing between them"));
        }
        holes.push(hole.to_owned());
        rest = after;
    }
    Ok(holes)
}

/// What stands in the holes of an address; none when it is not of the family. A hole holds one part
/// of a path.
pub fn fill(family: &str, uri: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let (mut family, mut uri) = (family, uri);
    while let Some((before, rest)) = family.split_once('{') {
        let (hole, after) = rest.split_once('}')?;
        uri = uri.strip_prefix(before)?;
        let until = after.chars().next();
        let end = uri.find(|c| Some(c) == until || matches!(c, '/' | '?' | '#')).unwrap_or(uri.len());
        let (value, rest) = uri.split_at(end);
        if value.is_empty() {
            return None;
        }
        found.insert(hole.to_owned(), value.to_owned());
        (family, uri) = (after, rest);
    }
    (family == uri).then_some(found)
}

#[cfg(test)]
mod tests;
