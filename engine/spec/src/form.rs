//! Forms: what a person fills in, field by field. Flat, of single values, and never secrets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::input;
use crate::yaml::{Node, Spanned};

/// Words in the name of a field that holds a secret.
const SECRETS: [&str; 9] =
    ["password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "privatekey", "credential"];

/// One field of a form.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What is filled in (default `string`).
    #[serde(default, rename = "type")]
    pub kind: FieldKind,
    /// What people see instead of the name.
    #[serde(default)]
    pub title: Option<Spanned<String>>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<Spanned<String>>,
    /// The only texts that can be chosen.
    #[serde(default, rename = "enum")]
    pub choices: Vec<Spanned<String>>,
    /// What stands in it at first, and is taken when it is left alone.
    #[serde(default)]
    pub default: Option<Node>,
    /// Whether it has to be filled in (default `true`, unless there is a `default`).
    #[serde(default)]
    pub required: Option<Spanned<bool>>,
    /// The least number.
    #[serde(default)]
    pub minimum: Option<Number>,
    /// The greatest number.
    #[serde(default)]
    pub maximum: Option<Number>,
}

/// What can be filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// A text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
}

impl FieldKind {
    fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

impl Field {
    /// Whether it has to be filled in.
    pub fn is_required(&self) -> bool {
        self.required.as_ref().map_or(self.default.is_none(), |required| required.value)
    }

    /// What fits into it, as a JSON Schema.
    pub fn schema(&self) -> Value {
        let mut schema = json!({"type": self.kind.word()});
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema[key] = value;
            }
        };
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| json!(text.value));
        put("title", text(&self.title));
        put("description", text(&self.description));
        let choices: Vec<&str> = self.choices.iter().map(|choice| choice.value.as_str()).collect();
        put("enum", (!choices.is_empty()).then(|| json!(choices)));
        put("minimum", self.minimum.clone().map(Value::Number));
        put("maximum", self.maximum.clone().map(Value::Number));
        put("default", self.default.as_ref().map(Node::to_json));
        schema
    }
}

/// The JSON Schema of a form: an object of exactly these fields.
pub fn schema(fields: &BTreeMap<String, Spanned<Field>>) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, field)| (name.clone(), field.value.schema())).collect();
    let required: Vec<&String> =
        fields.iter().filter(|(_, field)| field.value.is_required()).map(|(name, _)| name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

/// Whether a field of this name would hold a secret, as far as a name tells.
pub fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    SECRETS.iter().any(|word| plain.contains(word))
}

/// Whether a JSON Schema is that of a form, which asks for no secrets: flat, of single values.
///
/// # Errors
/// What in it cannot be asked, in one line.
pub fn check(schema: &Value) -> Result<(), String> {
    for (name, field) in properties(schema) {
        if is_secret(name) {
            return Err(format!("the field `{name}` would hold a secret"));
        }
        let single = ["string", "integer", "number", "boolean"].iter().any(|kind| field["type"] == *kind);
        if !single {
            return Err(format!("the field `{name}` is no single value"));
        }
    }
    Ok(())
}

/// A filled-in form, checked and with the defaults of what was left alone.
///
/// # Errors
/// Everything that does not fit, in one line.
pub fn fill(schema: &Value, given: &Value) -> Result<Map<String, Value>, String> {
    let Value::Object(given) = given else { return Err("a form is answered with its fields".to_owned()) };
    let mut filled = Map::new();
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| schema["properties"].get(name).is_none()) {
        problems.push(format!("there is no field `{name}`"));
    }
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|of| of == name));
    for (name, field) in properties(schema) {
        match given.get(name).filter(|value| !value.is_null()).or_else(|| field.get("default")) {
            Some(value) => match input::fits(field, value) {
                Ok(()) => drop(filled.insert(name.clone(), value.clone())),
                Err(problem) => problems.push(format!("`{name}`: {problem}")),
            },
            None if required(name) => problems.push(format!("`{name}` is missing")),
            None => {}
        }
    }
    if problems.is_empty() { Ok(filled) } else { Err(problems.join("; ")) }
}

/// `name=text` pairs as the values of a form; what is wrong with them, [`fill`] says.
///
/// # Errors
/// A text that is no pair, or cannot be read as what the field holds.
pub fn read(schema: &Value, pairs: &[String]) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(format!("`{pair}` is not a field; write it like `name=value`"));
        };
        values.insert(name.to_owned(), value(&schema["properties"][name], text)?);
    }
    Ok(values)
}

/// A text as what a field holds.
///
/// # Errors
/// It cannot be read so.
pub fn value(field: &Value, text: &str) -> Result<Value, String> {
    let kind = field["type"].as_str().unwrap_or("string");
    let lower = text.trim().to_lowercase();
    match kind {
        "boolean" => match lower.as_str() {
            "true" | "yes" | "y" => Ok(true.into()),
            "false" | "no" | "n" => Ok(false.into()),
            _ => Err(format!("`{text}` is neither yes nor no")),
        },
        "integer" | "number" => {
            let number = serde_json::from_str::<Number>(&lower);
            number.map(Value::Number).map_err(|_| format!("`{text}` is not a number"))
        }
        _ => Ok(text.into()),
    }
}

/// What a form comes to that nobody fills in, in a dry run.
pub fn example(schema: &Value) -> Map<String, Value> {
    let example = |field: &Value| {
        let first = field["enum"].get(0).cloned();
        field.get("default").cloned().or(first).unwrap_or_else(|| match field["type"].as_str() {
            Some("boolean") => false.into(),
            Some("integer" | "number") => field.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            _ => "".into(),
        })
    };
    properties(schema).map(|(name, field)| (name.clone(), example(field))).collect()
}

/// The fields of a form, in their order.
pub fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Value {
        json!({
            "type": "object",
            "properties": {
                "region": {"type": "string", "enum": ["eu", "us"]},
                "replicas": {"type": "integer", "minimum": 1, "default": 2},
                "note": {"type": "string"},
            },
            "required": ["region"],
        })
    }

    #[test]
    fn what_was_left_alone_gets_its_default_and_all_problems_are_said() {
        let filled = fill(&form(), &json!({"region": "eu"})).unwrap();
        assert_eq!(json!(filled), json!({"region": "eu", "replicas": 2}));
        let error = fill(&form(), &json!({"regions": "eu", "replicas": 0})).unwrap_err();
        let said = ["there is no field `regions`", "`region` is missing", "`replicas`: "];
        assert!(said.iter().all(|part| error.contains(part)), "{error}");
        assert!(fill(&form(), &json!({"region": "asia"})).is_err());
        assert!(fill(&form(), &json!("eu")).is_err());
    }

    #[test]
    fn pairs_are_read_as_what_the_fields_hold() {
        let pairs = ["region=eu".to_owned(), "replicas=3".to_owned(), "note=a=b".to_owned()];
        let read = read(&form(), &pairs).unwrap();
        assert_eq!(json!(read), json!({"region": "eu", "replicas": 3, "note": "a=b"}));
        assert!(super::read(&form(), &["replicas=many".to_owned()]).is_err());
        assert!(super::read(&form(), &["eu".to_owned()]).is_err());
        assert_eq!(value(&json!({"type": "boolean"}), "Yes"), Ok(true.into()));
    }

    #[test]
    fn a_form_is_flat_and_asks_for_no_secret() {
        assert_eq!(check(&form()), Ok(()));
        for name in ["password", "API-Key", "github_token", "clientSecret"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["key", "region", "author"] {
            assert!(!is_secret(name), "{name}");
        }
        assert!(check(&json!({"properties": {"a": {"type": "object"}}})).is_err());
        assert_eq!(fill(&form(), &Value::Object(example(&form()))).unwrap(), example(&form()));
    }
}
