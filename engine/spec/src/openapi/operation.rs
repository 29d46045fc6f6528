//! One operation of a document as one tool.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::document::Document;
use super::schema::Schemas;
use super::sentence;
use crate::schema::{refuse_null, unwrap_nullable};

/// A schema of a result may have this many bytes to be worth its place.
const LARGEST_OUTPUT: usize = 3_000;

/// Headers that are the business of whoever sends the request.
const OWN_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// A key of a tool and its value.
type Entry = (String, Value);

/// One operation where it stands.
pub(super) struct Operation<'a> {
    pub(super) document: &'a Document,
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    /// All operations of the path.
    pub(super) item: &'a Value,
    /// This one.
    pub(super) own: &'a Value,
}

/// What was made of it; no tool when it could not be called.
pub(super) struct Made {
    pub(super) tool: Option<Value>,
    pub(super) notes: Vec<String>,
}

/// A tool that is being made.
struct Making<'a> {
    of: &'a Operation<'a>,
    schemas: Schemas<'a>,
    input: Map<String, Value>,
    query: Map<String, Value>,
    headers: Map<String, Value>,
    path: String,
    notes: Vec<String>,
    /// Something that it cannot do without is not possible here.
    impossible: bool,
}

impl<'a> Operation<'a> {
    pub(super) fn tool(&'a self, name: &str) -> Made {
        let mut making = Making {
            of: self,
            schemas: Schemas::new(self.document),
            input: Map::new(),
            query: Map::new(),
            headers: Map::new(),
            path: self.path.to_owned(),
            notes: Vec::new(),
            impossible: false,
        };
        making.parameters();
        let body = making.body();
        let (output, pages) = making.answer();
        making.other();
        let mut notes = making.notes;
        notes.extend(making.schemas.notes.iter().cloned());
        if making.impossible {
            return Made { tool: None, notes };
        }
        let mut http = Map::new();
        if self.method != "get" {
            http.insert("method".to_owned(), self.method.to_uppercase().into());
        }
        http.insert("path".to_owned(), making.path.into());
        for (key, fields) in [("query", making.query), ("headers", making.headers)] {
            if !fields.is_empty() {
                http.insert(key.to_owned(), Value::Object(fields));
            }
        }
        http.extend(body);
        http.extend(pages);
        let mut tool = Map::new();
        tool.insert("name".to_owned(), name.into());
        tool.insert("description".to_owned(), self.description().into());
        let effect = match self.method {
            "get" | "head" | "options" => "read",
            "delete" => "destructive",
            "put" => "write",
            _ => "unknown",
        };
        tool.insert("effect".to_owned(), effect.into());
        if matches!(self.method, "put" | "delete") {
            tool.insert("idempotent".to_owned(), true.into());
        }
        if !making.input.is_empty() {
            tool.insert("input".to_owned(), Value::Object(making.input));
        }
        tool.extend(output);
        tool.insert("http".to_owned(), Value::Object(http));
        Made { tool: Some(Value::Object(tool)), notes }
    }

    fn description(&self) -> String {
        let text = ["summary", "description"].iter().filter_map(|key| self.own[*key].as_str());
        let text = text.map(sentence).find(|text| !text.is_empty());
        text.unwrap_or_else(|| format!("{} {}", self.method.to_uppercase(), self.path))
    }
}

impl Making<'_> {
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Something is not possible here; without it the tool is worth nothing when it is required.
    fn cannot(&mut self, what: String, required: bool) {
        if required {
            self.impossible = true;
            self.note(format!("left out, because {what}"));
        } else {
            self.note(what);
        }
    }

    /// Parameters of the path, and those of the operation, which win.
    fn parameters(&mut self) {
        let mut all: Vec<Value> = Vec::new();
        for holder in [self.of.item, self.of.own] {
            for parameter in holder["parameters"].as_array().into_iter().flatten() {
                let parameter = self.of.document.resolved(parameter).clone();
                all.retain(|known| known["name"] != parameter["name"] || known["in"] != parameter["in"]);
                all.push(parameter);
            }
        }
        for parameter in &all {
            self.parameter(parameter);
        }
        for missing in placeholders(self.of.path) {
            if !all.iter().any(|parameter| parameter["in"] == "path" && parameter["name"] == *missing) {
                self.argument(&missing, &json!({"type": "string"}), true, "path");
                self.note(format!("`{missing}` of the path is not declared; it is taken for text"));
            }
        }
    }

    fn parameter(&mut self, parameter: &Value) {
        let (Some(name), Some(place)) = (parameter["name"].as_str(), parameter["in"].as_str()) else {
            return self.note("a parameter leads nowhere in the document");
        };
        let required = parameter["required"] == true || place == "path";
        let Some(schema) = parameter.get("schema") else {
            return self
                .cannot(format!("the parameter `{name}` has a form that is not known here"), required);
        };
        if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) && place == "header" {
            return;
        }
        let kind = self.of.document.resolved(schema)["type"].clone();
        let style = parameter["style"].as_str().unwrap_or(if place == "query" { "form" } else { "simple" });
        if kind == "object" || style == "deepObject" || !["query", "path", "header"].contains(&place) {
            let why = format!("the parameter `{name}` ({place}, {style}) cannot be sent by a tool");
            return self.cannot(why, required);
        }
        let mut described = schema.clone();
        if let (Some(description), Some(entries)) =
            (parameter.get("description"), Some(self.of.document.resolved(schema).clone()))
        {
            described = entries;
            if described.is_object() {
                described["description"] = description.clone();
            }
        }
        let argument = self.argument(name, &described, required, place);
        self.place(parameter, (name, place, style), &argument, kind == "array");
    }

    /// Puts an argument to where it is sent.
    fn place(
        &mut self,
        parameter: &Value,
        (name, place, style): (&str, &str, &str),
        argument: &str,
        list: bool,
    ) {
        let joiner = match style {
            "spaceDelimited" => " ",
            "pipeDelimited" => "|",
            _ => ",",
        };
        let joined = format!("{argument} | join('{joiner}') if {argument} else none");
        let explodes = parameter.get("explode").map_or(style == "form", |explode| *explode == true);
        match place {
            "path" if list => {
                self.path = self.path.replace(&format!("{{{name}}}"), &format!("{{{argument} | join(',')}}"));
            }
            "path" => self.path = self.path.replace(&format!("{{{name}}}"), &format!("{{{argument}}}")),
            "header" => {
                let value = if list { joined } else { argument.to_owned() };
                self.headers.insert(name.to_owned(), format!("{{{{ {value} }}}}").into());
            }
            _ => {
                let value = if list && !explodes { joined } else { argument.to_owned() };
                self.query.insert(name.to_owned(), format!("{{{{ {value} }}}}").into());
            }
        }
    }

    /// Adds an argument; gives the name that it has here.
    fn argument(&mut self, name: &str, schema: &Value, required: bool, place: &str) -> String {
        let mut argument = identifier(name);
        if self.input.contains_key(&argument) || argument == "config" {
            argument = format!("{argument}_{place}");
        }
        let default = self.of.document.resolved(schema).get("default").filter(|default| !default.is_null());
        let mut schema = self.schemas.convert(schema);
        if let Some(entries) = schema.as_object_mut() {
            // What is null is not sent, so it must not be taken for a value.
            refuse_null(entries);
            unwrap_nullable(entries, "oneOf");
            // The service knows its default; to say it would be to fix it.
            if let Some(default) = default {
                let text = entries.get("description").and_then(Value::as_str).unwrap_or_default();
                let text = format!("{text} (default {default})").trim().to_owned();
                entries.insert("description".to_owned(), text.into());
            }
            if !required {
                entries.insert("optional".to_owned(), true.into());
            }
        }
        self.input.insert(argument.clone(), schema);
        argument
    }

    fn body(&mut self) -> Option<(String, Value)> {
        let body = self.of.document.resolved(self.of.own.get("requestBody")?);
        let required = body["required"] == true;
        let content = body["content"].as_object()?;
        let is_json = |kind: &str| kind.contains("json") || kind == "*/*";
        let of_kind = |wanted: &dyn Fn(&str) -> bool| {
            content
                .iter()
                .find(|(kind, _)| wanted(&kind.to_ascii_lowercase()))
                .map(|(kind, one)| (kind.clone(), one))
        };
        if let Some((kind, media)) = of_kind(&is_json) {
            if !kind.starts_with("application/json") && kind != "*/*" {
                self.headers.insert("Content-Type".to_owned(), kind.into());
            }
            return Some(("json".to_owned(), self.json(&media["schema"], required)));
        }
        if let Some((_, media)) = of_kind(&|kind| kind == "application/x-www-form-urlencoded") {
            return Some(("form".to_owned(), self.fields(&media["schema"], required, false)));
        }
        if let Some((_, media)) = of_kind(&|kind| kind == "multipart/form-data") {
            return Some(("multipart".to_owned(), self.fields(&media["schema"], required, true)));
        }
        if let Some((kind, _)) = of_kind(&|kind| kind.starts_with("text/") || kind.contains("xml")) {
            let argument = self.argument(
                "body",
                &json!({"type": "string", "description": "What to send"}),
                required,
                "body",
            );
            self.headers.insert("Content-Type".to_owned(), kind.into());
            return Some(("body".to_owned(), format!("{{{{ {argument} }}}}").into()));
        }
        let kinds: Vec<&String> = content.keys().collect();
        // Without it, it would be another request than the one that is meant.
        self.cannot(format!("a body of the type {kinds:?} cannot be sent by a tool"), true);
        None
    }

    /// A body of named members takes one argument for each, any other is one argument.
    fn json(&mut self, schema: &Value, required: bool) -> Value {
        let flat = self.schemas.flat(schema);
        let members = flat["properties"].as_object().filter(|members| {
            !members.is_empty() && flat.get("oneOf").is_none() && flat.get("anyOf").is_none()
        });
        if members.is_none() {
            let argument = self.argument("body", schema, required, "body");
            return format!("{{{{ {argument} }}}}").into();
        }
        self.fields(&flat, required, false)
    }

    fn fields(&mut self, schema: &Value, required: bool, files: bool) -> Value {
        let flat = self.schemas.flat(schema);
        let needed: BTreeSet<&str> =
            flat["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut fields = Map::new();
        for (name, member) in flat["properties"].as_object().into_iter().flatten() {
            let target = self.of.document.resolved(member).clone();
            if target["readOnly"] == true {
                continue;
            }
            let required = required && needed.contains(name.as_str());
            let is_file = files && (target["format"] == "binary" || target.get("contentMediaType").is_some());
            let value = if is_file {
                let about = target["description"].as_str().unwrap_or("What to send");
                let schema = json!({"type": "string", "description": format!("Path of a file: {about}")});
                let argument = self.argument(name, &schema, required, "body");
                json!({"file": format!("{{{{ {argument} }}}}")})
            } else {
                let argument = self.argument(name, member, required, "body");
                format!("{{{{ {argument} }}}}").into()
            };
            fields.insert(name.clone(), value);
        }
        Value::Object(fields)
    }

    /// The schema of the result, and how it comes in pages, as far as the document says so.
    fn answer(&mut self) -> (Option<Entry>, Option<Entry>) {
        let responses = self.of.own["responses"].as_object();
        let success = responses.into_iter().flatten().find(|(status, _)| status.starts_with('2'));
        let Some(response) = success.map(|(_, response)| self.of.document.resolved(response)) else {
            return (None, None);
        };
        let content = response["content"].as_object();
        let json = content.and_then(|content| content.iter().find(|(kind, _)| kind.contains("json")));
        let Some(schema) = json.and_then(|(_, media)| media.get("schema")) else { return (None, None) };
        let notes = self.schemas.notes.len();
        let schema = self.schemas.convert(schema);
        // A result that is only partly described is not worth a note.
        self.schemas.notes.truncate(notes);
        let linked = response["headers"]
            .as_object()
            .is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case("link")));
        let pages =
            (linked && schema["type"] == "array").then(|| ("paginate".to_owned(), json!({"link": true})));
        let small = schema.to_string().len() <= LARGEST_OUTPUT && schema != json!({});
        (small.then(|| ("output".to_owned(), schema)), pages)
    }

    /// What a tool has no place for.
    fn other(&mut self) {
        if self.of.own.get("servers").or_else(|| self.of.item.get("servers")).is_some() {
            self.note("it has servers of its own; the tool asks that of the module");
        }
        if self.of.own.get("callbacks").is_some() {
            self.note("`callbacks` are not waited for");
        }
        if self.of.own["deprecated"] == true {
            self.note("it is deprecated");
        }
    }
}

/// The names in the braces of a path.
fn placeholders(path: &str) -> Vec<String> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(str::to_owned).collect()
}

/// Words that mean something else in an expression.
const WORDS: [&str; 13] =
    ["and", "else", "false", "if", "in", "is", "none", "not", "now", "null", "or", "true", "idempotency_key"];

/// A name as an argument can have it.
fn identifier(name: &str) -> String {
    if WORDS.iter().any(|word| name.eq_ignore_ascii_case(word)) {
        return format!("{name}_");
    }
    if crate::name::is_valid(name) && !name.contains('-') {
        return name.to_owned();
    }
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined = words.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) || joined.is_empty() {
        format!("arg_{joined}")
    } else {
        joined
    }
}
