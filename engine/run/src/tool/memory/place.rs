//! Dotted paths into what is remembered, such as `environments.stage.alerts.0`.

use serde_json::{Map, Value};

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// The place of a path. Mappings that are missing on the way are made.
pub(in crate::tool) fn reach<'a>(
    root: &'a mut Map<String, Value>,
    path: &str,
) -> Result<&'a mut Value, ToolError> {
    let (first, rest) = parts(path)?;
    let mut place = root.entry(first).or_insert(Value::Null);
    for part in rest {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let next = match place {
            Value::Object(entries) => Some(entries.entry(part).or_insert(Value::Null)),
            Value::Array(items) => item(items, part),
            _ => None,
        };
        place = next.ok_or_else(|| invalid(format!("`{path}` leads nowhere: there is no `{part}` in it")))?;
    }
    Ok(place)
}

/// The place of a path, if it is there.
pub(in crate::tool) fn find<'a>(
    root: &'a mut Map<String, Value>,
    path: &str,
) -> Result<Option<&'a mut Value>, ToolError> {
    let (first, rest) = parts(path)?;
    let Some(mut place) = root.get_mut(first) else { return Ok(None) };
    for part in rest {
        let next = match place {
            Value::Object(entries) => entries.get_mut(part),
            Value::Array(items) => item(items, part),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    Ok(Some(place))
}

/// The parts of a path. Positions in lists may stand in brackets, and `$.` before all of it, as `memory_query` has them.
fn parts(path: &str) -> Result<(&str, impl Iterator<Item = &str>), ToolError> {
    let wrong =
        || invalid(format!("`{path}` is not a path: they look like `environments.stage.hosts[0].status`"));
    let mut parts = Vec::new();
    for part in path.strip_prefix("$.").unwrap_or(path).split('.') {
        let (name, positions) = part.split_at(part.find('[').unwrap_or(part.len()));
        parts.push(Some(name).filter(|name| !name.is_empty() && *name != "$").ok_or_else(wrong)?);
        parts.extend(positions_of(positions).ok_or_else(wrong)?);
    }
    let first = parts.remove(0);
    Ok((first, parts.into_iter()))
}

/// `[0][1]`: what stands in the brackets.
fn positions_of(text: &str) -> Option<Vec<&str>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let positions: Vec<&str> = inner.split("][").collect();
    positions.iter().all(|position| position.parse::<usize>().is_ok()).then_some(positions)
}

fn item<'a>(items: &'a mut [Value], index: &str) -> Option<&'a mut Value> {
    items.get_mut(index.parse::<usize>().ok()?)
}

/// Whether two values mean the same thing to people: `7` and `"7"` do.
pub(in crate::tool) fn alike(one: &Value, other: &Value) -> bool {
    one == other || plain(one).is_some_and(|one| plain(other) == Some(one))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_found_or_made() {
        let root = json!({"a": {"b": [{"c": 1}]}, "n": null, "t": "text"});
        let cases = [
            ("$.a.b[0].c", Some(json!(1)), Some(json!({"a": {"b": [{"c": "X"}]}, "n": null, "t": "text"}))),
            ("a.b[1]", None, None),
            ("a.b.0.c", Some(json!(1)), Some(json!({"a": {"b": [{"c": "X"}]}, "n": null, "t": "text"}))),
            ("n.x", None, Some(json!({"a": {"b": [{"c": 1}]}, "n": {"x": "X"}, "t": "text"}))),
            ("new.x", None, Some(json!({"a": {"b": [{"c": 1}]}, "n": null, "t": "text", "new": {"x": "X"}}))),
            ("a.b.1", None, None),
            ("a.b.c", None, None),
            ("t.x", None, None),
        ];
        for (path, found, made) in cases {
            let mut map = root.as_object().unwrap().clone();
            assert_eq!(find(&mut map, path).unwrap().cloned(), found, "{path}");
            let reached = reach(&mut map, path).map(|place| *place = json!("X"));
            assert_eq!(reached.ok().map(|()| Value::Object(map)), made, "{path}");
        }
    }

    #[test]
    fn a_path_has_no_gaps() {
        for path in ["", ".", "a.", ".a", "a..b"] {
            assert!(reach(&mut Map::new(), path).is_err(), "{path}");
            assert!(find(&mut Map::new(), path).is_err(), "{path}");
        }
    }

    #[test]
    fn numbers_and_their_text_are_alike() {
        for (one, other, expected) in [
            (json!(7), json!("7"), true),
            (json!("a"), json!("a"), true),
            (json!(true), json!("true"), true),
            (json!([1]), json!([1]), true),
            (json!(null), json!("null"), false),
            (json!({}), json!("{}"), false),
            (json!(7), json!("8"), false),
        ] {
            assert_eq!(alike(&one, &other), expected, "{one} {other}");
        }
    }
}
