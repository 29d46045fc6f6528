use serde_json::json;

use super::*;
use crate::skill::OnFailure;
use crate::template::Template;

fn input(name: &str, schema: Value) -> InputPlan {
    InputPlan {
        name: name.to_owned(),
        description: format!("the {name}"),
        required: false,
        default: None,
        schema,
    }
}

fn skill() -> SkillPlan {
    let default = |value: Value| Some(Template::parse(&value).expect("a template"));
    SkillPlan {
        name: "deploy".to_owned(),
        description: String::new(),
        inputs: vec![
            InputPlan { required: true, ..input("merge_request", json!({"type": "integer", "minimum": 1})) },
            InputPlan {
                default: default(json!("stage")),
                ..input("target", json!({"type": "string", "enum": ["stage", "production"]}))
            },
            InputPlan {
                default: default(json!("{{ inputs.target }}-{{ inputs.merge_request }}")),
                ..input("label", json!({"type": "string", "maxLength": 12}))
            },
            input("ratio", json!({"type": "number"})),
            input("force", json!({"type": "boolean"})),
            input("paths", json!({"type": "array", "items": {"type": "string"}})),
            input("extra", json!({"type": "object"})),
        ],
        defaults: Value::Null,
        env: Vec::new(),
        lenient: false,
        timeout_ms: None,
        as_task: crate::skill::AsTask::Auto,
        on_failure: OnFailure::Stop,
        concurrency: 1,
        steps: Vec::new(),
        outputs: Vec::new(),
    }
}

fn bound(given: &Value) -> Result<Value, Vec<String>> {
    let given = given.as_object().expect("an object");
    bind(&skill(), given, &Scope::default())
        .map(Value::Object)
        .map_err(|errors| errors.iter().map(|error| format!("{error} [{}]", error.hint)).collect())
}

#[test]
fn text_is_read_by_the_declared_type() {
    let skill = skill();
    for (name, text, value) in [
        ("merge_request", "123", json!(123)),
        ("merge-request", "-3", json!(-3)),
        ("merge_request", "18446744073709551615", json!(u64::MAX)),
        ("ratio", "3", json!(3)),
        ("ratio", "0.5", json!(0.5)),
        ("force", "true", json!(true)),
        ("target", "123", json!("123")),
        ("paths", "[\"a\"]", json!(["a"])),
        ("extra", "{\"a\": 1}", json!({"a": 1})),
    ] {
        assert_eq!(coerce(&skill, name, text), Ok(value), "{name}={text}");
    }
    let problems: Vec<String> = [
        ("merge_request", "12x"),
        ("merge_request", "1.0"),
        ("merge_request", "18446744073709551616"),
        ("ratio", "NaN"),
        ("ratio", "-9223372036854775809"),
        ("extra", "{\"a\": [18446744073709551616]}"),
        ("force", "yes"),
        ("paths", "a,b"),
        ("extra", "[1]"),
        ("merge_requst", "3"),
        ("colour", "red"),
    ]
    .iter()
    .map(|(name, text)| coerce(&skill, name, text).expect_err(text))
    .map(|error| format!("{error} [{}]", error.hint))
    .collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    input `merge_request`: `12x` is not a whole number []
    input `merge_request`: `1.0` is not a whole number []
    input `merge_request`: `18446744073709551616` is not taken: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 1 []
    input `ratio`: `NaN` is not a number []
    input `ratio`: `-9223372036854775809` is not taken: the integer `-9223372036854775809` has more than 64 bits and would lose digits; put it in quotes at line 1 column 1 []
    input `extra`: `{"a": [18446744073709551616]}` is not taken: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 8 []
    input `force`: `yes` is not a boolean [write `true` or `false`]
    input `paths`: `a,b` is not a list [write JSON, e.g. `["a", "b"]`]
    input `extra`: `[1]` is not a mapping [write JSON, e.g. `{"a": 1}`]
    input `merge_requst`: `deploy` has no such input [did you mean `merge_request`?]
    input `colour`: `deploy` has no such input [the inputs are `merge_request`, `target`, `label`, `ratio`, `force`, `paths`, `extra`]
    "#);
}

#[test]
fn defaults_fill_what_is_not_given() {
    assert_eq!(
        bound(&json!({"merge-request": 7, "force": null})),
        Ok(json!({
            "merge_request": 7, "target": "stage", "label": "stage-7", "ratio": null, "force": null, "paths": null,
            "extra": null,
        }))
    );
}

#[test]
fn everything_wrong_is_told_at_once() {
    let problems = bound(&json!({
        "merge_request": 0, "target": "prodution", "ratio": "3", "paths": ["a", 3], "extra": "\u{fdd0}secret:X\u{fdd1}",
        "forse": true, "colour": 1,
    }))
    .expect_err("nearly all is wrong");
    insta::assert_snapshot!(problems.join("\n"), @"
    input `forse`: `deploy` has no such input [did you mean `force`?]
    input `colour`: `deploy` has no such input [the inputs are `merge_request`, `target`, `label`, `ratio`, `force`, `paths`, `extra`]
    input `merge_request` must be at least 1 []
    input `target` must be one of `stage`, `production`, not `prodution` [did you mean `production`?]
    input `ratio` must be a number, not text []
    input `paths`: `[1]` must be text, not a number []
    input `extra` holds the reserved character U+FDD0 or U+FDD1 [remove it; it marks secrets]
    ");
    let problems =
        bound(&json!({"target": "production", "extra": {"\u{fdd0}": [1]}})).expect_err("one is missing");
    insta::assert_snapshot!(problems.join("\n"), @"
    input `merge_request` is required [the merge_request]
    input `extra` holds the reserved character U+FDD0 or U+FDD1 [remove it; it marks secrets]
    ");
    let problems = bound(&json!({"merge_request": 1_000_000, "merge-request": 1})).expect_err("given twice");
    insta::assert_snapshot!(problems.join("\n"), @"
    input `merge_request` is given twice []
    input `label` its default must have at most 12 characters []
    ");
}
