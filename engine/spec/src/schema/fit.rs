//! Whether a value fits a schema, and if not, why, in plain words.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use jsonschema::{JsonType, PatternOptions, ValidationError};
use serde_json::{Map, Value};

use self::plain::fits_plainly;
use crate::name;
use crate::schema::words;

mod plain;

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Where in the value, as keys and indices.
    pub path: Vec<String>,
    /// What is wrong there, after a subject: `must be text, not a number`.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}` ", dotted(&self.path))?;
        }
        f.write_str(&self.message)
    }
}

/// A path as people write it: `hosts[0].name`.
fn dotted(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            text.extend(["[", part, "]"]);
        } else {
            text.extend([if text.is_empty() { "" } else { "." }, part]);
        }
    }
    text
}

/// Everything about a value that does not fit a schema.
///
/// Most schemas are plain and most values fit: that is seen without compiling anything,
/// which for the first schema of a process costs more than starting the process.
pub fn unfit(schema: &Value, value: &Value) -> Vec<Unfit> {
    if fits_plainly(schema, value) {
        return Vec::new();
    }
    match plain_type(schema) {
        Some(expected) => vec![wrong_type(value, &[expected])],
        None => compare(schema, value),
    }
}

/// Words of a schema that ask for nothing.
const REMARKS: [&str; 5] = ["title", "description", "default", "examples", crate::tool::alias::KEYWORD];

/// The type, when the schema asks for nothing else.
fn plain_type(schema: &Value) -> Option<&str> {
    let keywords = schema.as_object()?;
    let expected = keywords.get("type")?.as_str()?;
    keywords.keys().all(|word| word == "type" || REMARKS.contains(&word.as_str())).then_some(expected)
}

/// Whether a schema is one that can be used.
///
/// # Errors
/// What is wrong with it.
pub fn is_sound(schema: &Value) -> Result<(), String> {
    validator(schema).map(|_| ()).map_err(|error| format!("its schema is wrong itself: {error}"))
}

fn validator(schema: &Value) -> Result<jsonschema::Validator, ValidationError<'static>> {
    // The engine without backtracking: no pattern and text take for ever together.
    let options =
        jsonschema::options().should_validate_formats(true).with_pattern_options(PatternOptions::regex());
    options.build(schema)
}

fn compare(schema: &Value, value: &Value) -> Vec<Unfit> {
    match validator(schema) {
        Ok(validator) => validator.iter_errors(value).flat_map(|error| explain(schema, &error)).collect(),
        Err(error) => {
            let message = format!("has a schema that is wrong itself: {error}");
            vec![Unfit { path: Vec::new(), message, hint: String::new() }]
        }
    }
}

fn explain(schema: &Value, error: &ValidationError<'_>) -> Vec<Unfit> {
    let path: Vec<String> = error.instance_path().iter().map(segment).collect();
    let say = |message: String| vec![Unfit { path: path.clone(), message, hint: String::new() }];
    match error.kind() {
        Kind::Type { .. } => {
            let mut unfit = wrong_type(error.instance(), &expected_types(error));
            unfit.path = path;
            vec![unfit]
        }
        Kind::Enum { .. } | Kind::Constant { .. } => vec![Unfit { path, ..bad_choice(error) }],
        Kind::AdditionalProperties { unexpected } => unknown_keys(&path, unexpected, siblings(schema, error)),
        Kind::Required { property } => {
            say(format!("needs the key `{}`", property.as_str().unwrap_or_default()))
        }
        Kind::Minimum { limit } => say(format!("must be at least {limit}")),
        Kind::Maximum { limit } => say(format!("must be at most {limit}")),
        Kind::ExclusiveMinimum { limit } => say(format!("must be more than {limit}")),
        Kind::ExclusiveMaximum { limit } => say(format!("must be less than {limit}")),
        Kind::MultipleOf { multiple_of } => say(format!("must be a multiple of {multiple_of}")),
        Kind::MinLength { limit } => say(format!("must have at least {}", words::count(*limit, "character"))),
        Kind::MaxLength { limit } => say(format!("must have at most {}", words::count(*limit, "character"))),
        Kind::MinItems { limit } => say(format!("must have at least {}", words::count(*limit, "item"))),
        Kind::MaxItems { limit } => say(format!("must have at most {}", words::count(*limit, "item"))),
        Kind::MinProperties { limit } => say(format!("must have at least {}", words::count(*limit, "key"))),
        Kind::MaxProperties { limit } => say(format!("must have at most {}", words::count(*limit, "key"))),
        Kind::UniqueItems => say("must not hold the same item twice".to_owned()),
        Kind::Pattern { pattern } => say(format!("must match `{pattern}`")),
        Kind::Format { format } => say(format!("must have the form `{format}`")),
        // What is shut out is said in words where the schema has them.
        Kind::Not { schema } => match schema["description"].as_str() {
            Some(what) => say(format!("must not be {what}")),
            None => say("does not fit its schema".to_owned()),
        },
        _ => say(lacking(error).unwrap_or_else(|| "does not fit its schema".to_owned())),
    }
}

/// What is missing where one of several keys is enough.
fn lacking(error: &ValidationError<'_>) -> Option<String> {
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else { return None };
    let key = |ways: &Vec<ValidationError<'_>>| match &ways[..] {
        [only] if only.instance_path() == error.instance_path() => match only.kind() {
            Kind::Required { property } => Some(format!("`{}`", property.as_str()?)),
            _ => None,
        },
        _ => None,
    };
    let keys: Vec<String> = context.iter().map(key).collect::<Option<_>>()?;
    Some(format!("needs the key {}", keys.join(" or ")))
}

fn wrong_type(value: &Value, expected: &[&str]) -> Unfit {
    let wanted = words::types(expected);
    let message = if value.is_null() {
        format!("must be {wanted}, but it is null")
    } else {
        format!("must be {wanted}, not {}", words::found_value(value))
    };
    Unfit { path: Vec::new(), message, hint: String::new() }
}

fn bad_choice(error: &ValidationError<'_>) -> Unfit {
    let choices = choices(error);
    let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
    let found = words::short(&text(error.instance()));
    let hint = name::suggest(&found, choices.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
    let one_of = if choices.len() == 1 { "" } else { "one of " };
    let message = format!("must be {one_of}{}, not `{found}`", name::list(&choices));
    Unfit { path: Vec::new(), message, hint: hint.unwrap_or_default() }
}

fn unknown_keys(path: &[String], unexpected: &[String], known: Option<&Map<String, Value>>) -> Vec<Unfit> {
    let unknown = |key: &String| {
        let near = known.and_then(|known| name::suggest(key, known.keys().map(String::as_str)));
        Unfit {
            path: path.to_vec(),
            message: format!("has the unknown key `{key}`"),
            hint: near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
        }
    };
    unexpected.iter().map(unknown).collect()
}

/// The keys that are known where an unknown one was found; nothing when that part of the schema is elsewhere.
fn siblings<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a Map<String, Value>> {
    let (part, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(part)?.get("properties")?.as_object()
}

/// One step of a path into a value.
pub(crate) fn segment(segment: LocationSegment<'_>) -> String {
    match segment {
        LocationSegment::Property(key) => key.into_owned(),
        LocationSegment::Index(index) => index.to_string(),
    }
}

/// The values that would have been possible, where they can be listed.
pub(crate) fn choices(error: &ValidationError<'_>) -> Vec<String> {
    match error.kind() {
        Kind::Enum { options } => options.as_array().into_iter().flatten().map(text).collect(),
        Kind::Constant { expected_value } => vec![text(expected_value)],
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let here =
                context.iter().flatten().filter(|inner| inner.instance_path() == error.instance_path());
            here.flat_map(choices).collect()
        }
        _ => Vec::new(),
    }
}

/// The types that would have been possible.
pub(crate) fn expected_types(error: &ValidationError<'_>) -> Vec<&'static str> {
    match error.kind() {
        Kind::Type { kind: TypeKind::Single(only) } => vec![type_name(*only)],
        Kind::Type { kind: TypeKind::Multiple(several) } => several.iter().map(type_name).collect(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let mut types: Vec<_> = context.iter().flatten().flat_map(expected_types).collect();
            types.dedup();
            types
        }
        _ => Vec::new(),
    }
}

/// A value as people write it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The name of a type in JSON Schema.
fn type_name(name: JsonType) -> &'static str {
    match name {
        JsonType::Array => "array",
        JsonType::Boolean => "boolean",
        JsonType::Integer => "integer",
        JsonType::Null => "null",
        JsonType::Number => "number",
        JsonType::Object => "object",
        JsonType::String => "string",
    }
}

#[cfg(test)]
mod tests;
