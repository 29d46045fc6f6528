//! Other names of arguments: what people call them wrongly and a tool puts up with.
//!
//! They stand in the schema of the argument, so that they travel wherever the schema does.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::name::fold;

/// The keyword of an argument's schema that lists its other names.
pub const KEYWORD: &str = "x-aa-aliases";

/// Every other name of the arguments of a tool, canonical, to the argument.
pub fn all(input: &Value) -> BTreeMap<String, String> {
    let properties = input.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.flat_map(|(name, schema)| of(schema).map(move |alias| (fold(alias), name.clone()))).collect()
}

/// The other names of one argument.
pub fn of(schema: &Value) -> impl Iterator<Item = &str> {
    let names = schema.get(KEYWORD).and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str)
}

/// Gives arguments their right names, and says which had other ones.
///
/// # Errors
/// An argument is given twice, under both names.
pub fn rename(
    aliases: &BTreeMap<String, String>,
    args: &mut Map<String, Value>,
) -> Result<Vec<(String, String)>, String> {
    let wrong = |given: &String| Some((given.clone(), aliases.get(&fold(given))?.clone()));
    let renamed: Vec<(String, String)> = args.keys().filter_map(wrong).collect();
    for (given, name) in &renamed {
        if args.contains_key(name) {
            return Err(format!("`{given}` is `{name}`, which is given, too"));
        }
        if let Some(value) = args.remove(given) {
            args.insert(name.clone(), value);
        }
    }
    Ok(renamed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_names_become_the_right_ones() {
        let input = json!({"properties": {"project": {"x-aa-aliases": ["repo", "project-id"]}, "limit": {}}});
        let aliases = all(&input);
        let given = |value: Value| match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let mut args = given(json!({"repo": "a", "limit": 3}));
        assert_eq!(rename(&aliases, &mut args), Ok(vec![("repo".to_owned(), "project".to_owned())]));
        assert_eq!(Value::Object(args), json!({"project": "a", "limit": 3}));
        let mut args = given(json!({"project_id": "a", "repo": "b"}));
        assert_eq!(rename(&aliases, &mut args).unwrap_err(), "`repo` is `project`, which is given, too");
        let mut args = given(json!({"other": "a"}));
        assert_eq!(rename(&aliases, &mut args), Ok(vec![]), "what is unknown is left to others");
    }
}
