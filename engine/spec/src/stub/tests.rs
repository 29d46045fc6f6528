//! Which answers are given, and what is wrong with badly written ones.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::source::Source;
use crate::tool::{Effect, ToolSpec};

fn tool(name: &str) -> Option<Arc<ToolSpec>> {
    (crate::name::fold(name) == "git_log").then(|| {
        Arc::new(ToolSpec {
            name: "git_log".to_owned(),
            module: "git".to_owned(),
            description: String::new(),
            input: json!({"type": "object", "properties": {"repo": {"type": "string"}, "limit": {"type": "integer"}},
                          "additionalProperties": false}),
            written: None,
            output: json!({"type": "array", "items": {"type": "string"}}),
            effect: Effect::Read,
            idempotent: true,
            keyed: None,
            tier: crate::tool::Tier::Basic,
            of_machine: false,
            cache_ms: None,
            reconcile: None,
            source: "built in".to_owned(),
        })
    })
}

fn world() -> World<'static> {
    World {
        tool: &tool,
        tool_names: &|| vec!["git_log".to_owned(), "git_tag".to_owned()],
        file: &|path| {
            if path == "big.json" {
                Ok(json!(["big"]))
            } else {
                Err(format!("cannot read `{path}`: it is not there"))
            }
        },
        plan: None,
    }
}

/// What is wrong with a text, one line each.
fn problems(text: &str) -> String {
    let source = Source::new("x.yaml", text);
    let mut lines = String::new();
    for found in read(&source, world()).1 {
        let place = found.place();
        let marked = source.slice(found.span).lines().next().unwrap_or_default();
        let (code, message, hint) = (found.code, &found.message, &found.hint);
        let _ = writeln!(lines, "{}:{} {code} «{marked}» {message} [{hint}]", place.line, place.column);
    }
    lines
}

fn prompter(text: &str) -> Prompter {
    let source = Source::new("x.yaml", text);
    let (checked, diagnostics) = read(&source, world());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let script = checked.unwrap().script;
    // What is pinned is read back as it was.
    let pinned: Script = serde_json::from_str(&serde_json::to_string(&script).unwrap()).unwrap();
    assert_eq!(pinned, script);
    Prompter::new(pinned)
}

fn ask(prompter: &mut Prompter, step: &str, args: &Value) -> Option<Value> {
    let args: Map<String, Value> = args.as_object().unwrap().clone();
    let reply = prompter.answer(&Question { tool: "git-log", step, args: &args }).unwrap();
    reply.map(|reply| match reply.result {
        Ok(value) => value,
        Err((kind, message, details)) => json!({"kind": kind, "message": message, "details": details}),
    })
}

#[test]
fn plain_answers_are_given_in_turn_and_the_last_again() {
    let mut prompter = prompter("tools: {git_log: [{result: [a]}, {result: [b]}]}");
    let all: Vec<_> = (0..4).map(|_| ask(&mut prompter, "s", &json!({})).unwrap()).collect();
    assert_eq!(all, [json!(["a"]), json!(["b"]), json!(["b"]), json!(["b"])]);
}

#[test]
fn picky_answers_are_given_to_what_they_fit_as_often_as_they_may_be() {
    let mut prompter = prompter(
        "tools:\n  git_log:\n    - {args: {repo: x}, result: [x], times: 1}\n    - {when: args.limit > 3, error: {kind: transient, message: 'no {{ args.limit }}', details: {n: 1}}}\n    - {step: fan, result: ['{{ args.repo }}']}\n    - {file: big.json, times: 1}\n",
    );
    assert_eq!(ask(&mut prompter, "s", &json!({"repo": "x", "limit": 1})).unwrap(), json!(["x"]));
    assert_eq!(ask(&mut prompter, "fan[2]", &json!({"repo": "x"})).unwrap(), json!(["x"]));
    assert_eq!(
        ask(&mut prompter, "s", &json!({"limit": 4})).unwrap(),
        json!({"kind": "transient", "message": "no 4", "details": {"n": 1}})
    );
    assert_eq!(ask(&mut prompter, "s", &json!({})).unwrap(), json!(["big"]));
    assert_eq!(ask(&mut prompter, "s", &json!({})), None);
    assert_eq!(prompter.unused(), []);
}

#[test]
fn questions_are_answered_by_step() {
    let mut prompter = prompter("answers: {sure: approve, fan: [a, b], never: x}");
    assert_eq!(prompter.reply("sure").as_deref(), Some("approve"));
    assert_eq!(prompter.reply("fan[0]").as_deref(), Some("a"));
    assert_eq!(prompter.reply("fan[1]").as_deref(), Some("b"));
    assert_eq!(prompter.reply("other"), None);
    assert_eq!(prompter.unused(), [Spot::Question("never".to_owned())]);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "\
others: maybe
tols: {}
tools:
  git_lgo: [{result: 1}]
  git_log:
    - {args: {rep: x}, result: [a]}
    - {when: 'args.limit >', result: [a]}
    - {when: inputs.x, result: [a]}
    - {result: {a: 1}}
    - {result: ['{{ args.x']}
    - {times: 0, result: [a]}
    - {delay: soon, result: [a]}
    - {}
    - {result: [a], error: {kind: transient, message: x}}
    - {file: none.json}
    - {error: {kind: odd, message: x}}
";
    insta::assert_snapshot!(problems(text), @"
    1:9 bad-value «maybe» `others` cannot be `maybe` [it is one of `fail`, `reads`, `real`]
    2:1 unknown-key «tols» unknown key `tols` in a stub file [known keys: `others`, `tools`, `answers`]
    4:3 unknown-tool «git_lgo» there is no tool `git_lgo` [did you mean `git_log`?]
    6:15 unknown-argument «rep» the tool has no argument `rep` [did you mean `repo`?]
    7:14 bad-expression «'args.limit >'» unexpected end of input, expected expression []
    8:14 unknown-reference «inputs.x» `inputs.x` is not known here [a canned answer knows `args`, the arguments of the call]
    9:16 unfit-result «{a: 1}» `git_log` would not give this: must be a list, not a mapping []
    10:17 bad-template «'{{ args.x'» a `{{` is not closed [close it with `}}`]
    11:15 bad-value «0» `times` must be at least 1 []
    12:15 bad-duration «soon» `soon` is not a duration; write it like `30s`, `5m` or `1h 30m` []
    13:7 bad-answer «{}» an answer that gives nothing [add `result: …` (null is one too) or `error: {kind: …, message: …}`]
    14:7 bad-answer «{result: [a], error: {kind: transient, message: x}}» an answer gives one of `result`, `file` and `error`, not several []
    15:14 missing-file «none.json» cannot read `none.json`: it is not there []
    16:22 bad-value «odd» `kind` cannot be `odd` [it is one of `transient`, `permanent`, `auth`, `network`, `timeout`, `cancelled`, `not_found`, `invalid`]
    ");
}
