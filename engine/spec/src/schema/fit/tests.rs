use proptest::prelude::*;
use serde_json::{Value, json};

use super::{compare, fits_plainly};

#[test]
fn plain_schemas_are_seen_through() {
    let person = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "required": ["name"],
        "additionalProperties": false,
    });
    let tags = json!({"type": "array", "items": {"enum": ["a", "b"]}, "description": "Tags"});
    let fitting = [
        (&person, json!({"name": "Ann"})),
        (&person, json!({"name": "Ann", "age": null})),
        (&tags, json!([])),
        (&tags, json!(["b", "a"])),
    ];
    for (schema, value) in fitting {
        assert!(fits_plainly(schema, &value), "{value}");
        assert!(compare(schema, &value).is_empty(), "{value}");
    }
    let others = [
        (&person, json!({"age": 3})),
        (&person, json!({"name": 3})),
        (&person, json!({"name": "Ann", "nick": "A"})),
        (&person, json!([])),
        (&tags, json!(["c"])),
    ];
    for (schema, value) in others {
        assert!(!fits_plainly(schema, &value), "{value}");
        assert!(!compare(schema, &value).is_empty(), "{value}");
    }
    let unknown = json!({"type": "string", "pattern": "."});
    assert!(!fits_plainly(&unknown, &json!("long enough")), "words that are not known here decide nothing");
}

#[test]
fn bounds_and_choices_are_seen_through() {
    let port = json!({"type": "integer", "minimum": 1, "maximum": 65535});
    let either = json!({"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]});
    let some = json!({"minItems": 1, "items": {"allOf": [{"exclusiveMinimum": 0}, {"exclusiveMaximum": 2}]}});
    let fitting = [
        (&port, json!(1)),
        (&port, json!(65535)),
        (&either, json!("äö")),
        (&either, json!(null)),
        (&some, json!([0.5, 1])),
        (&some, json!("no list at all")),
    ];
    for (schema, value) in fitting {
        assert!(fits_plainly(schema, &value), "{value}");
        assert!(compare(schema, &value).is_empty(), "{value}");
    }
    let others = [
        (&port, json!(0)),
        (&port, json!(65536)),
        (&either, json!("ä")),
        (&some, json!([])),
        (&some, json!([2])),
    ];
    for (schema, value) in others {
        assert!(!fits_plainly(schema, &value), "{value}");
        assert!(!compare(schema, &value).is_empty(), "{value}");
    }
    let huge = json!({"minimum": 9_007_199_254_740_993_i64});
    assert!(
        !fits_plainly(&huge, &json!(9_007_199_254_740_993_i64)),
        "where rounding might decide, nothing is said"
    );
}

#[test]
fn what_a_schema_shuts_out_is_said_in_its_words() {
    let schema = json!({"not": {"description": "odd; use another", "enum": [1, 3]}});
    assert_eq!(compare(&schema, &json!(3))[0].message, "must not be odd; use another");
    assert_eq!(compare(&json!({"not": {"const": 1}}), &json!(1))[0].message, "does not fit its schema");
}

#[test]
fn what_was_meant_by_an_unknown_key_is_said_where_it_is_known() {
    let host =
        json!({"type": "object", "properties": {"name": {}, "port": {}}, "additionalProperties": false});
    let schema = json!({"type": "object", "properties": {"host": host}, "additionalProperties": false});
    let told = |value: Value| crate::input::fits(&schema, &value).unwrap_err();
    assert_eq!(told(json!({"hots": 1})), "has the unknown key `hots` (did you mean `host`?)");
    assert_eq!(
        told(json!({"host": {"prot": 1}})),
        "`host` has the unknown key `prot` (did you mean `port`?)"
    );
    assert_eq!(told(json!({"host": {"colour": 1}})), "`host` has the unknown key `colour`");
}

#[test]
fn where_one_of_several_keys_is_enough_all_are_named() {
    let schema = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    assert_eq!(compare(&schema, &json!({}))[0].message, "needs the key `a` or `b`");
    assert_eq!(compare(&schema, &json!({"a": 1, "b": 1}))[0].message, "does not fit its schema");
    let other = json!({"anyOf": [{"required": ["a"]}, {"type": "null"}]});
    assert_eq!(compare(&other, &json!({}))[0].message, "does not fit its schema");
    let deeper = json!({"anyOf": [{"properties": {"x": {"required": ["a"]}}}]});
    assert_eq!(compare(&deeper, &json!({"x": {}}))[0].message, "does not fit its schema");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        Just(json!(1.0)),
        Just(json!(0.5)),
        "[ab]{0,1}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const BOUNDS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
];

fn schema() -> impl Strategy<Value = Value> {
    let kind =
        prop::sample::select(vec!["string", "integer", "number", "boolean", "array", "object", "null"]);
    let leaf = prop_oneof![
        kind.clone().prop_map(|kind| json!({"type": kind})),
        prop::collection::btree_set(kind, 1..3).prop_map(|kinds| json!({"type": kinds})),
        prop::collection::btree_set(0..3_i64, 1..3).prop_map(|choices| json!({"enum": choices})),
        any::<bool>().prop_map(Value::from),
        Just(json!({})),
        (prop::sample::select(BOUNDS), 0..3_i64).prop_map(|(word, bound)| json!({word: bound})),
        Just(json!({"patternProperties": {"^a": true}, "additionalProperties": false})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| json!({"items": items})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|some| json!({"anyOf": some})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"allOf": all})),
            (prop::collection::btree_map("[ab]", inner, 0..3), any::<[bool; 2]>()).prop_map(
                |(properties, [closed, typed])| {
                    let required: Vec<&String> = properties.keys().take(1).collect();
                    let mut schema = json!({"required": required, "properties": properties});
                    if closed {
                        schema["additionalProperties"] = json!(false);
                    }
                    if typed {
                        schema["type"] = json!("object");
                    }
                    schema
                }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn what_fits_plainly_fits(schema in schema(), value in value()) {
        if fits_plainly(&schema, &value) {
            let unfit = compare(&schema, &value);
            prop_assert!(unfit.is_empty(), "{schema} {value}: {unfit:?}");
        }
    }
}
