//! JSON Schema of everything that is written in YAML, generated from the types.
//!
//! The files under `schemas/` are these values; a test compares them. An editor with a
//! YAML language server completes and checks a file whose first line names its schema:
//!
//! ```yaml
//! # yaml-language-server: $schema=../schemas/skill.json
//! ```

mod fit;
pub(crate) mod idle;
mod reference;
mod value;
pub(crate) mod words;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value};

pub use self::fit::{Unfit, is_sound, unfit};
pub(crate) use self::fit::{choices, expected_types, segment};
pub(crate) use self::reference::whole;
pub use self::value::{Format, OneOrMore, Pattern, Subschema, ValueSchema, ValueType};

/// Every schema with the name of its file, in the order of the names.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("config.json", of::<crate::config::Config>()),
        ("persona.json", of::<crate::persona::Persona>()),
        ("skill.json", of::<crate::skill::Skill>()),
        ("stubs.json", of::<crate::stub::Stubs>()),
        ("test.json", of::<crate::test::Tests>()),
        ("tool.json", of::<crate::tool::module::Module>()),
    ]
}

/// The schema of one type.
pub fn of<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12()
        .with(|settings| settings.transforms.clear())
        .with_transform(RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    title_first(schema)
}

/// Who opens the file sees first what it is of.
fn title_first(schema: Value) -> Value {
    let Value::Object(mut rest) = schema else { return schema };
    let mut ordered = Map::new();
    for keyword in ["$schema", "title", "description"] {
        if let Some(value) = rest.shift_remove(keyword) {
            ordered.insert(keyword.to_owned(), value);
        }
    }
    ordered.append(&mut rest);
    ordered.into()
}

/// An optional key may be left out; written, it must have a value. (The generator lets
/// null stand for every `Option`.)
pub fn without_null(schema: &mut schemars::Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default").is_some_and(|value| value.is_null() || *value == Value::Array(Vec::new())) {
        object.remove("default");
    }
    refuse_null(object);
}

/// Takes null out of what a schema takes.
pub(crate) fn refuse_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = object.get_mut("enum") {
        options.retain(|option| !option.is_null());
    }
    unwrap_nullable(object, "anyOf");
}

/// `{anyOf: [X, {type: null}], …}` is `{X, …}`.
pub(crate) fn unwrap_nullable(object: &mut Map<String, Value>, word: &str) {
    let Some(Value::Array(branches)) = object.get(word) else { return };
    let is_null = |branch: &Value| branch.get("type").is_some_and(|name| name == "null");
    let [only, null] = branches.as_slice() else { return };
    if !is_null(null) {
        return;
    }
    let Value::Object(only) = only.clone() else { return };
    object.remove(word);
    for (keyword, value) in only {
        object.entry(keyword).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_schemas_are_those_of_the_types() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        for (name, schema) in all() {
            let path = folder.join(name);
            let wanted = format!("{schema:#}\n");
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, &wanted).expect("the schema can be written");
            }
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                written == wanted,
                "schemas/{name} is not what the types say; run the tests with UPDATE=1"
            );
        }
    }

    #[test]
    fn no_schema_lets_a_written_key_be_null() {
        fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
            let is_null_type = |name: &Value| name == "null";
            if value.get("type").is_some_and(|types| {
                is_null_type(types) || types.as_array().is_some_and(|types| types.iter().any(is_null_type))
            }) {
                found.push(path.to_owned());
            }
            match value {
                Value::Object(entries) => {
                    for (key, value) in entries {
                        nulls(value, &format!("{path}/{key}"), found);
                    }
                }
                Value::Array(items) => {
                    for value in items {
                        nulls(value, path, found);
                    }
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        for (name, schema) in all() {
            nulls(&schema, name, &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
