//! The fields of a server's form, as far as they can be shown: of its schema what is known here,
//! without what is not seen or looks like something else.

use aa_spec::form;
use serde_json::{Map, Value, json};

use super::{CHOICES, LABEL, LONGEST, are_distinct};
use crate::tool::mcp::definition::harmless;

/// Most fields of one form.
const FIELDS: usize = 20;

/// Keywords that are no words for people.
const KEYWORDS: [&str; 9] =
    ["type", "format", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "default"];

/// A form that can be shown.
///
/// # Errors
/// Why it cannot be, in one line.
pub(super) fn shown(schema: &Value) -> Result<Value, String> {
    form::check(schema).map_err(|problem| harmless(&problem, LONGEST))?;
    if form::properties(schema).count() > FIELDS {
        return Err("that are too many questions".to_owned());
    }
    let mut fields = Map::new();
    for (name, field) in form::properties(schema) {
        if !is_harmless(name, LABEL) {
            return Err("a field has a name that cannot be shown".to_owned());
        }
        fields.insert(name.clone(), shown_field(name, field)?);
    }
    let known = |name: &&Value| name.as_str().is_some_and(|name| fields.contains_key(name));
    let required: Vec<Value> =
        schema["required"].as_array().into_iter().flatten().filter(known).cloned().collect();
    Ok(json!({"type": "object", "properties": fields, "required": required}))
}

fn shown_field(name: &str, field: &Value) -> Result<Value, String> {
    let mut shown: Map<String, Value> = KEYWORDS
        .into_iter()
        .filter_map(|key| field.get(key).map(|value| (key.to_owned(), value.clone())))
        .collect();
    for key in ["title", "description"] {
        if let Some(text) = field[key].as_str() {
            shown.insert(key.to_owned(), harmless(text, LONGEST).into());
        }
    }
    // What is sent when the person says nothing must be seen whole.
    if field.get("default").is_some_and(|default| !is_harmless(&default.to_string(), LONGEST)) {
        return Err(format!("the default of `{name}` cannot be shown"));
    }
    let choices = form::choices(field);
    if choices.len() > CHOICES {
        return Err(format!("`{name}` has too many choices"));
    }
    if !are_distinct(&choices) {
        return Err(format!("the choices of `{name}` cannot be told apart"));
    }
    if !choices.is_empty() {
        shown.extend(choice(field["type"] == "array", &choices));
    }
    Ok(shown.into())
}

/// The keyword that holds the choices. Where values and titles are the same, there are no titles.
fn choice(several: bool, choices: &[form::Choice<'_>]) -> Map<String, Value> {
    let plain = choices.iter().all(|choice| choice.value == harmless(choice.title, LABEL));
    let values = || choices.iter().map(|choice| choice.value).collect::<Value>();
    let titled = || {
        let one = |choice: &form::Choice<'_>| json!({"const": choice.value, "title": harmless(choice.title, LABEL)});
        choices.iter().map(one).collect::<Value>()
    };
    let (keyword, value) = match (several, plain) {
        (true, true) => ("items", json!({"type": "string", "enum": values()})),
        (true, false) => ("items", json!({"anyOf": titled()})),
        (false, true) => ("enum", values()),
        (false, false) => ("oneOf", titled()),
    };
    Map::from_iter([(keyword.to_owned(), value)])
}

fn is_harmless(text: &str, most: usize) -> bool {
    harmless(text, most) == text
}
