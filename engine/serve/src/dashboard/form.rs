//! Forms made of JSON Schema: the inputs of a skill, the answer to a question.

use aa_spec::form::{choices, is_required, properties};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::seen::Fields;
use super::show;
use crate::api::problem::Problem;

/// What the name of a field begins with, so that it cannot be taken for one of ours.
const PREFIX: &str = "input.";

/// What was filled in already, and what was wrong with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Values by name.
    pub(super) values: Map<String, Value>,
    /// What was typed, where that is no value.
    pub(super) typed: Vec<(String, String)>,
    /// What is wrong, by name.
    pub(super) wrong: Vec<(String, String)>,
}

/// What cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Wrong(pub(super) Given);

impl Wrong {
    /// The same as a problem.
    pub(super) fn problem(&self) -> Problem {
        let all: Vec<String> = self.0.wrong.iter().map(|(name, why)| format!("{name} {why}")).collect();
        Problem::of("inputs-invalid", all.join("; "))
    }
}

/// A kind of field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Choice,
    Choices,
    Yes,
    Whole,
    Number,
    Lines,
    Json,
}

impl Kind {
    fn of(schema: &Value) -> Self {
        let kind = schema["type"].as_str().unwrap_or_default();
        let has_choices = !choices(schema).is_empty() || !plain_choices(schema).is_empty();
        match kind {
            "array" if has_choices => Self::Choices,
            "array" if schema["items"]["type"] == "string" => Self::Lines,
            _ if has_choices => Self::Choice,
            "boolean" => Self::Yes,
            "integer" => Self::Whole,
            "number" => Self::Number,
            "string" => Self::Text,
            _ => Self::Json,
        }
    }
}

/// What can be chosen: the value as JSON, and what people see.
fn plain_choices(schema: &Value) -> Vec<(String, String)> {
    let of = if schema["type"] == "array" { &schema["items"] } else { schema };
    let titled = choices(schema);
    if !titled.is_empty() {
        return titled.iter().map(|one| (Value::from(one.value).to_string(), one.title.to_owned())).collect();
    }
    let values = of["enum"].as_array().into_iter().flatten();
    let title = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.map(|value| (value.to_string(), title(value))).collect()
}

/// The fields of a form; ids begin with what tells it from other forms of the page.
pub(super) fn fields(schema: &Value, given: &Given, ids: &str) -> Markup {
    html! {
        @for (name, field) in properties(schema) { (row(schema, (name, field), given, ids)) }
    }
}

fn row(schema: &Value, (name, field): (&String, &Value), given: &Given, ids: &str) -> Markup {
    let is_required = is_required(schema, name);
    let wrong = given.wrong.iter().find(|(of, _)| of == name).map(|(_, why)| why);
    let (id, about) = (format!("{ids}{name}"), format!("{ids}{name}-about"));
    let title = field["title"].as_str().unwrap_or(name);
    let says = field["description"].as_str().unwrap_or_default();
    html! {
        div.field.has-wrong[wrong.is_some()] {
            label for=(id) { (title) @if is_required { span.must { " required" } } @else { span.quiet { " " (kind_words(field)) } } }
            (control(field, name, &id, &about, given, is_required))
            div.about #(about) {
                @if let Some(wrong) = wrong { p.wrong role="alert" { (show::prose(wrong)) } }
                @if !says.is_empty() { p.quiet { (show::prose(says)) } }
                @if Kind::of(field) == Kind::Lines { p.quiet.small { "One entry in each line." } }
            }
        }
    }
}

fn kind_words(field: &Value) -> String {
    match Kind::of(field) {
        Kind::Json => format!("{} as JSON", field["type"].as_str().unwrap_or("a value")),
        Kind::Whole => "a whole number".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Lines | Kind::Choices => "a list".to_owned(),
        Kind::Text | Kind::Choice | Kind::Yes => String::new(),
    }
}

fn control(field: &Value, name: &str, id: &str, about: &str, given: &Given, required: bool) -> Markup {
    let value = given.values.get(name).or_else(|| field.get("default")).filter(|value| !value.is_null());
    let typed = given.typed.iter().find(|(of, _)| of == name).map(|(_, text)| text.clone());
    let field_name = format!("{PREFIX}{name}");
    let plain = || typed.clone().unwrap_or_else(|| value.map(text_of).unwrap_or_default());
    let type_of = |kind| match (kind, field["format"].as_str()) {
        (Kind::Whole | Kind::Number, _) => "number",
        (_, Some("email")) => "email",
        (_, Some("uri")) => "url",
        (_, Some("date")) => "date",
        _ => "text",
    };
    html! {
        @match Kind::of(field) {
            Kind::Choice => { select #(id) name=(field_name) aria-describedby=(about) required[required] {
                @if value.is_none() || !required { option value="" { "–" } }
                @for (json, title) in plain_choices(field) { option value=(json) selected[value.is_some_and(|value| is(value, &json))] { (title) } }
            } },
            Kind::Choices => { select #(id) name=(field_name) aria-describedby=(about) multiple {
                @for (json, title) in plain_choices(field) { option value=(json) selected[contains(value, &json)] { (title) } }
            } },
            Kind::Yes => { select #(id) name=(field_name) aria-describedby=(about) {
                @if value.is_none() && !required { option value="" { "–" } }
                option value="false" selected[value == Some(&Value::Bool(false))] { "no" }
                option value="true" selected[value == Some(&Value::Bool(true))] { "yes" }
            } },
            kind @ (Kind::Whole | Kind::Number) => { input #(id) name=(field_name) type=(type_of(kind)) step=(if kind == Kind::Whole { "1" } else { "any" })
                min=[bound(field, "minimum")] max=[bound(field, "maximum")] value=(plain()) aria-describedby=(about) required[required]; },
            Kind::Lines | Kind::Json => { textarea #(id) name=(field_name) rows="4" aria-describedby=(about) spellcheck="false" required[required] { "\n" (plain()) } },
            kind @ Kind::Text => {
                @if plain().contains('\n') { textarea #(id) name=(field_name) rows="5" aria-describedby=(about) required[required] { "\n" (plain()) } }
                @else { input #(id) name=(field_name) type=(type_of(kind)) value=(plain()) aria-describedby=(about) required[required] autocomplete="off"; }
            },
        }
    }
}

fn bound(field: &Value, name: &str) -> Option<String> {
    field[name].as_f64().map(|number| number.to_string())
}

/// Whether a text is the JSON of a value.
fn is(value: &Value, json: &str) -> bool {
    serde_json::from_str::<Value>(json).is_ok_and(|read| read == *value)
}

fn contains(value: Option<&Value>, json: &str) -> bool {
    value.and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| is(one, json)))
}

/// A value as it is typed.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// Reads what was filled in; what was left empty is left out.
pub(super) fn read(schema: &Value, sent: &Fields) -> Result<Map<String, Value>, Box<Wrong>> {
    let mut given = Given::default();
    for (name, field) in properties(schema) {
        match value(field, sent, &format!("{PREFIX}{name}")) {
            Ok(Some(value)) => {
                given.values.insert(name.clone(), value);
            }
            Ok(None) => {}
            Err((typed, why)) => {
                given.typed.push((name.clone(), typed));
                given.wrong.push((name.clone(), why));
            }
        }
    }
    if given.wrong.is_empty() { Ok(given.values) } else { Err(Box::new(Wrong(given))) }
}

/// The value of a field; none when it was left empty.
fn value(field: &Value, sent: &Fields, name: &str) -> Result<Option<Value>, (String, String)> {
    let Some(text) = sent.get(name) else { return Ok(None) };
    let json = |what: &str| {
        let why = |error: serde_json::Error| {
            let why =
                if error.is_data() { format!("cannot be read: {error}") } else { format!("is not {what}") };
            (text.to_owned(), why)
        };
        aa_spec::json::exact::<Value>(text.as_bytes()).map(Some).map_err(why)
    };
    match Kind::of(field) {
        Kind::Text => Ok(Some(text.replace("\r\n", "\n").into())),
        Kind::Choice => json("one of the choices"),
        Kind::Choices => {
            Ok(Some(sent.all(name).filter_map(|text| serde_json::from_str::<Value>(text).ok()).collect()))
        }
        Kind::Yes => Ok(Some((text == "true").into())),
        Kind::Whole => json("a whole number").and_then(|value| match value {
            Some(value) if value.is_i64() || value.is_u64() => Ok(Some(value)),
            _ => Err((text.to_owned(), "is not a whole number".to_owned())),
        }),
        Kind::Number => json("a number"),
        Kind::Lines => Ok(Some(text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect())),
        Kind::Json => json("JSON; a text needs quotes"),
    }
}

/// What is sent again without being seen.
pub(super) fn hidden(values: &Map<String, Value>) -> Markup {
    html! { input type="hidden" name="inputs" value=(Value::Object(values.clone()).to_string()); }
}

/// The inputs as a list that people can check.
pub(super) fn listed(values: &Map<String, Value>) -> Markup {
    html! {
        @if values.is_empty() { p.quiet { "None." } }
        dl.values { @for (name, value) in values { dt { (name) } dd { (show::value(value)) } } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "required": ["who"], "properties": {
            "who": {"type": "string", "description": "</p><script>alert(1)</script>"},
            "count": {"type": "integer", "default": 2},
            "share": {"type": "number"},
            "loud": {"type": "boolean"},
            "tone": {"type": "string", "enum": ["warm", "cool"]},
            "levels": {"type": "integer", "enum": [1, 2]},
            "files": {"type": "array", "items": {"type": "string"}},
            "more": {"type": "object"},
        }})
    }

    fn sent(text: &str) -> Result<Map<String, Value>, Box<Wrong>> {
        read(&schema(), &Fields::read(text.as_bytes()))
    }

    #[test]
    fn what_is_typed_becomes_values_of_the_right_kind() {
        let sent = sent(
            "input.who=a%0D%0Ab&input.count=3&input.share=0.5&input.loud=true&input.tone=%22cool%22&input.levels=2&input.files=x%0D%0A%0D%0Ay&input.more=%7B%22a%22%3A1%7D",
        );
        let wanted = json!({"who": "a\nb", "count": 3, "share": 0.5, "loud": true, "tone": "cool", "levels": 2, "files": ["x", "y"], "more": {"a": 1}});
        assert_eq!(Value::Object(sent.unwrap()), wanted);
    }

    #[test]
    fn what_is_left_empty_is_left_out() {
        assert_eq!(
            sent("input.who=x&input.count=&input.tone=&step=1").unwrap(),
            json!({"who": "x"}).as_object().unwrap().clone()
        );
    }

    #[test]
    fn what_is_no_value_is_shown_again() {
        let wrong = sent("input.who=x&input.count=many&input.more=%7B").unwrap_err();
        assert_eq!(
            wrong.0.typed,
            [("count".to_owned(), "many".to_owned()), ("more".to_owned(), "{".to_owned())]
        );
        let shown = fields(&schema(), &wrong.0, "").into_string();
        assert!(shown.contains("value=\"many\"") && shown.contains("is not a whole number"), "{shown}");
        assert!(!shown.contains("<script"), "{shown}");
    }
}
