//! What was sent, read by the types that are wanted; what does not fit is told in the words of whoever sent it.

use aa_spec::name::{list, suggest};
use aa_spec::schema::{Unfit, unfit};
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use serde_json::{Map, Value};

use super::document;
use super::problem::Problem;
use super::route::Part;

/// Where to look what can be sent.
const LOOK: &str = "`/api/openapi.json` says what can be sent";

/// Why a path names nothing.
pub(super) fn path(rejection: &PathRejection) -> Problem {
    let kind = match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => Some(failed.kind()),
        _ => None,
    };
    match kind {
        Some(ErrorKind::ParseErrorAtKey { key, value, .. }) => {
            let detail = format!("there is no {key} `{value}`");
            Problem::of("not-found", detail).hint(format!("`{key}` in the address is a whole number"))
        }
        _ => Problem::of("not-found", "the address is no text")
            .hint("it has to be UTF-8, with `%` before each byte's number"),
    }
}

/// What stands behind the question mark, read by the types that are wanted.
pub(crate) fn query<Q: Part>(text: &str) -> Result<Q, Problem> {
    let mut values = Map::new();
    let schema = document::plain::<Q>();
    for (name, text) in form_urlencoded::parse(text.as_bytes()) {
        let Some(kind) = schema["properties"].get(&*name) else {
            let detail = format!("there is no parameter `{name}` here");
            return Err(Problem::of("bad-query", detail).hint(known(&schema, &name, "parameter")));
        };
        let value = typed(kind, &text);
        if values.insert(name.to_string(), value).is_some() {
            return Err(Problem::of("bad-query", format!("the parameter `{name}` is given twice")));
        }
    }
    let values = Value::Object(values);
    Q::deserialize(&values).map_err(|error| {
        let (detail, hint) = misfit::<Q>(&schema, &values, "parameter", &error);
        Problem::of("bad-query", detail).hint(hint)
    })
}

/// A body, read by the type that is wanted.
pub(super) fn body<B: Part>(value: &Value) -> Result<B, Problem> {
    B::deserialize(value).map_err(|error| {
        let (detail, hint) = misfit::<B>(&document::plain::<B>(), value, "key", &error);
        Problem::of("bad-body", detail).hint(if hint.is_empty() { LOOK.to_owned() } else { hint })
    })
}

/// The name that was meant, or all that there are.
fn known(schema: &Value, name: &str, noun: &str) -> String {
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let near = suggest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    match known.len() {
        0 => format!("it takes no {noun}s"),
        1 => format!("{}the only {noun} is `{}`", near.unwrap_or_default(), known[0]),
        _ => format!("{}{noun}s are {}", near.unwrap_or_default(), list(&known)),
    }
}

/// What does not fit, and what to do: the first thing that its schema says, and else what can be found out by
/// leaving one after the other out.
fn misfit<T: Part>(schema: &Value, value: &Value, noun: &str, error: &serde_json::Error) -> (String, String) {
    if let Some(unknown) = unknown(schema, value) {
        return (format!("there is no {noun} `{unknown}` here"), known(schema, unknown, noun));
    }
    if let Some(first) = unfit(schema, value).into_iter().next() {
        return odd_word(schema, value, noun).unwrap_or_else(|| told(value, first, noun));
    }
    let at_fault = value.as_object().and_then(|all| all.keys().find(|name| is_at_fault::<T>(value, name)));
    match at_fault {
        Some(name) => (format!("the {noun} `{name}` cannot be {}", shown(&value[name])), String::new()),
        None => (format!("what was sent cannot be read: {error}"), String::new()),
    }
}

/// A word that is none of those that there are: each of them is described on its own, so that a schema only says
/// that it fits none.
fn odd_word(schema: &Value, value: &Value, noun: &str) -> Option<(String, String)> {
    value.as_object()?.iter().find_map(|(name, given)| {
        let kind = &schema["properties"][name];
        let kind = if kind["type"] == "array" { &kind["items"] } else { kind };
        let words: Vec<&str> =
            kind["oneOf"].as_array()?.iter().filter_map(|one| one["const"].as_str()).collect();
        let given = given.as_array().map_or_else(|| vec![given], |items| items.iter().collect());
        let odd = given.into_iter().find(|one| one.as_str().is_none_or(|one| !words.contains(&one)))?;
        let near = odd.as_str().and_then(|odd| suggest(odd, words.iter().copied()));
        let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
        let detail = format!("the {noun} `{name}` must be one of {}, not {}", list(&words), shown(odd));
        (!words.is_empty()).then_some((detail, hint))
    })
}

fn unknown<'a>(schema: &Value, value: &'a Value) -> Option<&'a str> {
    let known = schema["properties"].as_object()?;
    let is_closed = schema["additionalProperties"] == false;
    let mut names = value.as_object()?.keys().filter(|_| is_closed);
    names.find(|name| !known.contains_key(*name)).map(String::as_str)
}

fn is_at_fault<T: Part>(value: &Value, name: &str) -> bool {
    let mut rest = value.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove(name);
    }
    T::deserialize(&rest).is_ok()
}

fn told(value: &Value, first: Unfit, noun: &str) -> (String, String) {
    let Unfit { path, message, hint } = first;
    let Some(name) = path.first() else {
        // `needs the key …`.
        let message = message.replace("the key", &format!("the {noun}"));
        return (format!("what was sent {message}"), hint);
    };
    let given = value.get(name).filter(|_| path.len() == 1);
    let message = match given {
        _ if message.contains("`date-time`") => "must be a time such as `2026-11-25T08:00:00Z`".to_owned(),
        // A parameter is always text: what it says is what helps.
        Some(given @ Value::String(_)) if noun == "parameter" => {
            message.replace(", not text", &format!(", not {}", shown(given)))
        }
        _ => message,
    };
    let within = path[1..].iter().fold(String::new(), |text, part| text + "." + part);
    let within = if noun == "parameter" { String::new() } else { within };
    (format!("the {noun} `{name}{within}` {message}"), hint)
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("`{}`", text.chars().take(60).collect::<String>())
}

/// A text as a value of the type that is wanted; lists have commas.
fn typed(kind: &Value, text: &str) -> Value {
    let is = |name: &str| match &kind["type"] {
        Value::String(only) => only == name,
        Value::Array(some) => some.iter().any(|one| one == name),
        _ => false,
    };
    if is("array") {
        return text.split(',').map(|item| typed(&kind["items"], item)).collect();
    }
    if is("integer") || is("number") || is("boolean") {
        // What is none is told so when the whole is read.
        return aa_spec::json::exact(text.as_bytes())
            .ok()
            .filter(|value: &Value| !value.is_null())
            .unwrap_or_else(|| text.into());
    }
    text.into()
}

/// A text that is JSON, in which no key is given twice and no integer is too great: a value would be dropped, or lose
/// digits, without a word.
pub(super) fn json(bytes: &[u8]) -> Result<Value, Problem> {
    aa_spec::json::exact(bytes).map_err(|error| {
        let detail = match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => format!("what was sent is not JSON: {error}"),
        };
        Problem::of("bad-body", detail)
    })
}

#[cfg(test)]
mod tests {
    use aa_run::event::{StepPath, Time};
    use schemars::JsonSchema;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Wanted {
        count: Option<u32>,
        names: Vec<String>,
        loud: bool,
        text: Option<String>,
        since: Option<Time>,
        status: Vec<aa_run::store::RunStatus>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Sent {
        #[serde(rename = "step")]
        _step: StepPath,
        #[serde(default, rename = "inputs")]
        _inputs: Map<String, Value>,
    }

    #[test]
    fn parameters_are_read_by_their_types() {
        let read: Wanted = query("count=3&names=a,b&loud=true&text=3").unwrap();
        assert_eq!(
            (read.count, read.names.len(), read.loud, read.text.as_deref()),
            (Some(3), 2, true, Some("3"))
        );
        assert!(read.since.is_none() && read.status.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_name_and_by_what_is_expected() {
        for (bad, detail, hint) in [
            (
                "coutn=3",
                "there is no parameter `coutn` here",
                "did you mean `count`? parameters are `count`, `names`, `loud`, `text`, `since`, `status`",
            ),
            ("count=3&count=3", "the parameter `count` is given twice", ""),
            ("count=x", "the parameter `count` must be a whole number, not `x`", ""),
            ("count=-1", "the parameter `count` must be at least 0", ""),
            ("count=99999999999", "the parameter `count` cannot be `99999999999`", ""),
            ("count=null", "the parameter `count` must be a whole number, not `null`", ""),
            (
                "status=failed,complete",
                "the parameter `status` must be one of `running`, `waiting`, `completed`, `failed`, `cancelled`, not `complete`",
                "did you mean `completed`?",
            ),
            ("loud=maybe", "the parameter `loud` must be `true` or `false`, not `maybe`", ""),
            ("since=today", "the parameter `since` must be a time such as `2026-11-25T08:00:00Z`", ""),
        ] {
            let problem = json!(query::<Wanted>(bad).unwrap_err().told());
            assert_eq!(problem["detail"], detail, "{bad}");
            assert_eq!(problem["hint"].as_str().unwrap_or_default(), hint, "{bad}");
        }
        for (bad, detail) in [
            (json!({"step": 5}), "the key `step` must be text, not a number"),
            (json!({"step": "a", "inputs": []}), "the key `inputs` must be a mapping, not a list"),
            (json!({"step": "a", "input": {}}), "there is no key `input` here"),
            (json!({}), "what was sent needs the key `step`"),
        ] {
            let problem = json!(body::<Sent>(&bad).unwrap_err().told());
            assert_eq!(problem["detail"], detail, "{bad}");
        }
    }

    #[test]
    fn no_key_is_dropped_because_it_comes_twice() {
        let good = br#"{"a": [1, -2, 0.5, "x", null, true, {"b": {}}]}"#;
        assert_eq!(json(good).unwrap(), serde_json::from_slice::<Value>(good).unwrap());
        for (bad, detail) in [
            ("{\"a\": {\"b\": 1, \"b\": 2}}", "the key `b` is given twice at line 1 column 22"),
            (
                "{\"a\": 18446744073709551616}",
                "the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 7",
            ),
            ("{\"a\": ", "what was sent is not JSON: EOF while parsing a value at line 1 column 6"),
        ] {
            let problem = json!(json(bad.as_bytes()).unwrap_err().told());
            assert_eq!(problem["detail"], detail, "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(json(deep.as_bytes()).is_err());
    }
}
