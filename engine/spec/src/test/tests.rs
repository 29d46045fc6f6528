//! What fits what, and what is wrong with badly written tests.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::source::Source;

/// Where a value is not as a text expects, one line each.
fn mismatches(expected: &str, found: &Value) -> String {
    let node = crate::yaml::parse(&Source::new("x.yaml", expected)).unwrap();
    let all = fit(&node, Some(found));
    let line = |one: &Mismatch| {
        let found = one.found.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        format!("{}: {} but {found}\n", one.path, one.expected)
    };
    all.iter().map(line).collect()
}

#[test]
fn mappings_may_have_more_and_lists_may_not() {
    assert_eq!(mismatches("{a: 1, b: {c: x}}", &json!({"a": 1.0, "b": {"c": "x", "d": 1}, "e": 2})), "");
    assert_eq!(
        mismatches("{a: 1, b: [{c: x}, 2], f: 1}", &json!({"a": 2, "b": [{"c": "y"}, 2]})),
        ".a: 1 but 2\n.b[0].c: \"x\" but \"y\"\n.f: 1 but nothing\n"
    );
    assert_eq!(mismatches("[1]", &json!([1, 2])), ": [1] but [1,2]\n");
    assert_eq!(mismatches("'1'", &json!(1)), ": \"1\" but 1\n");
}

#[test]
fn matchers_say_what_a_value_is_like() {
    assert_eq!(mismatches("{matches: '^a.c$'}", &json!("abc")), "");
    assert_eq!(mismatches("{contains: b}", &json!("abc")), "");
    assert_eq!(mismatches("{contains: {a: 1}}", &json!([{"a": 1, "b": 2}])), "");
    assert_eq!(mismatches("{any: true}", &json!(null)), "");
    assert_eq!(mismatches("{equals: {any: true}}", &json!({"any": true})), "");
    assert_eq!(
        mismatches("[{matches: x}, {contains: x}, {equals: {a: 1}}]", &json!(["a", ["y"], {"a": 1, "b": 1}])),
        "[0]: something that matches \"x\" but \"a\"\n[1]: something that contains \"x\" but [\"y\"]\n[2]: {\"a\":1} but {\"a\":1,\"b\":1}\n"
    );
    let node = crate::yaml::parse(&Source::new("x.yaml", "{any: true}")).unwrap();
    assert_eq!(fit(&node, None).len(), 1, "what is not there is not anything");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "\
tests:
  - name: a
    inpts: {}
    now: yesterday
    inputs: [1]
    expect:
      status: done
      outputs: {a: {matches: '['}, b: {any: 1}, c: {matches: 3}}
      calls: [{tool: x, arg: {}}]
      steps: {a: complete}
  - name: a
    expect: {calls: {ordered: []}}
";
    let source = Source::new("x.test.yaml", text);
    let mut lines = String::new();
    for found in read(&source).1 {
        let place = found.place();
        let marked = source.slice(found.span).lines().next().unwrap_or_default();
        let (code, message, hint) = (found.code, &found.message, &found.hint);
        let _ = writeln!(lines, "{}:{} {code} «{marked}» {message} [{hint}]", place.line, place.column);
    }
    insta::assert_snapshot!(lines, @"
    3:5 unknown-key «inpts» unknown key `inpts` in a test [known keys: `name`, `inputs`, `now`, `run`, `folder`, `config`, `env`, `secrets`, `stubs`, `cassette`, `expect`]
    4:10 bad-value «yesterday» `yesterday` is not a time [write it like `2026-01-31T08:00:00Z`]
    5:13 wrong-type «[1]» `inputs` must be a mapping of names to values []
    7:15 bad-value «done» `status` cannot be `done` [it is one of `completed`, `failed`, `cancelled`, `waiting`]
    8:30 bad-pattern «'['» `[` is not a regular expression: unclosed character class []
    8:45 bad-value «1» `any` takes nothing but `true` [for a mapping with such a key, write `{equals: {any: …}}`]
    8:62 wrong-type «3» `matches` takes a regular expression [for a mapping with such a key, write `{equals: {matches: …}}`]
    9:25 unknown-key «arg» unknown key `arg` in a call [did you mean `args`?]
    10:18 bad-value «complete» `a` cannot be `complete` [did you mean `completed`? it is one of `completed`, `skipped`, `failed`]
    11:11 duplicate-name «a» there are two tests `a` []
    12:22 missing-key «ordered» `calls` needs the key `unordered` []
    ");
}
