//! What Jinja2 makes of the expressions in `tests/oracle`, and what we make of them.

use std::path::Path;

use serde_json::{Value, json};

use crate::template::{Expression, Missing, Scope, Template};

fn corpus() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle");
    let text = std::fs::read_to_string(folder.join("expressions.json")).unwrap();
    let corpus: Value = serde_json::from_str(&text).unwrap();
    let source = std::fs::read(folder.join("expressions.yaml")).unwrap();
    assert_eq!(corpus["made_of"], json!(crate::plan::digest(source)), "run tests/oracle/generate.py");
    corpus
}

fn scope(corpus: &Value, case: &Value) -> Scope {
    let mut scope = Scope::default();
    let now = chrono::DateTime::parse_from_rfc3339(corpus["now"].as_str().unwrap()).unwrap();
    scope.set_now(now.timestamp_millis());
    for (name, value) in corpus["contexts"][case["context"].as_str().unwrap()].as_object().unwrap() {
        scope.set(name, value);
    }
    scope
}

/// Nothing where it cannot be evaluated.
fn evaluated(case: &Value, scope: &Scope) -> Option<Value> {
    let text = case["text"].as_str().unwrap();
    if case["kind"] == "text" {
        let template = Template::parse(&case["text"]).unwrap_or_else(|error| panic!("{text}: {error}"));
        return template.render(scope, Missing::Null).ok()?;
    }
    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match case["kind"].as_str() {
        Some("truth") => expression.is_true(scope).ok().map(Value::from),
        _ => expression.eval(scope).ok(),
    }
}

/// What is right for us: what the oracle says, unless the case explains why not.
fn wanted(case: &Value) -> Option<&Value> {
    if case.get("fails").is_some() {
        return None;
    }
    case.get("ours").or_else(|| case.get("value"))
}

#[test]
fn expressions_and_texts_are_as_in_jinja() {
    let corpus = corpus();
    let cases = corpus["cases"].as_array().unwrap().iter().filter(|case| case["kind"] != "python");
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases {
        count += 1;
        let found = evaluated(case, &scope(&corpus, case));
        let agrees = found.as_ref() == case.get("value");
        if found.as_ref() != wanted(case) || agrees != case.get("differs").is_none() {
            let shown = |value: Option<&Value>| value.map_or("an error".to_owned(), Value::to_string);
            let (text, oracle) = (&case["text"], shown(case.get("value")));
            wrong.push(format!("{text}: {}, and not {oracle}", shown(found.as_ref())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 300, "{count}");
}

#[test]
fn differences_are_explained() {
    for case in corpus()["cases"].as_array().unwrap() {
        let explained = case.get("differs").is_none_or(|why| why.as_str().is_some_and(|why| why.len() > 10));
        assert!(explained, "{}", case["text"]);
        assert_eq!(case.get("differs").is_some(), case.get("ours").is_some(), "{}", case["text"]);
    }
}

#[cfg(feature = "compute")]
#[test]
fn what_only_python_accepts_is_told_when_it_is_parsed() {
    for case in corpus()["cases"].as_array().unwrap() {
        let expression = Expression::parse(case["text"].as_str().unwrap_or_default());
        let python = expression.is_ok_and(|expression| expression.is_python());
        assert_eq!(python, case["kind"] == "python", "{}", case["text"]);
    }
}
