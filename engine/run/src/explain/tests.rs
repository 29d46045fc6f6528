use serde_json::{Map, Value, json};

use super::*;

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(entries) => entries,
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_long_is_cut_and_says_so() {
    assert_eq!(brief_text("short"), "short");
    let long = brief_text(&"ä".repeat(LONGEST + 1));
    assert_eq!(long, format!("{}… ({} bytes)", "ä".repeat(LONGEST), 2 * (LONGEST + 1)));
    assert_eq!(brief(&json!({"a": [1, 2]})), json!({"a": [1, 2]}));
    assert!(brief(&json!(vec![7; 1000])).as_str().unwrap().ends_with("(2001 bytes)"));
    let end = ending(&json!(format!("{}the end", "x".repeat(5000))));
    assert!(
        end.as_str().unwrap().starts_with("(5007 bytes) …") && end.as_str().unwrap().ends_with("the end")
    );
}

#[test]
fn secrets_are_names() {
    let sealed = aa_spec::template::seal::seal("TOKEN");
    assert_eq!(
        brief(&json!({"header": format!("Bearer {sealed}")})),
        json!({"header": "Bearer ‹secret:TOKEN›"})
    );
    assert_eq!(ending(&json!(sealed)), json!("‹secret:TOKEN›"));
}

#[test]
fn only_what_is_not_the_same_is_a_change() {
    let changes = changed(&map(json!({"a": 1, "b": 2, "c": 3})), &map(json!({"d": 4, "a": 1, "b": 5})));
    let named = |name: &str, before, now| Change { name: name.to_owned(), before, now };
    assert_eq!(
        changes,
        [
            named("b", json!(2), json!(5)),
            named("c", json!(3), Value::Null),
            named("d", Value::Null, json!(4))
        ]
    );
}
