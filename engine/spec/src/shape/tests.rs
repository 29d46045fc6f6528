use std::fmt::Write as _;

use super::*;
use crate::skill::Skill;
use crate::tool::module::Module;

/// What is found in a text, one line each, and what could be read in spite of it.
fn report<T: DeserializeOwned + JsonSchema>(text: &str) -> (Option<T>, String) {
    let source = Source::new("x.yaml", text);
    let (value, diagnostics) = read(&source);
    let mut lines = String::new();
    for found in diagnostics {
        let place = found.place();
        let marked = source.slice(found.span).lines().next().unwrap_or_default();
        let (code, message, hint) = (found.code, &found.message, &found.hint);
        let _ = writeln!(lines, "{}:{} {code} «{marked}» {message} [{hint}]", place.line, place.column);
    }
    (value, lines)
}

#[test]
fn of_several_forms_the_one_with_these_keys_was_meant() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Places {
        #[serde(rename = "secrets")]
        _secrets: std::collections::BTreeMap<String, crate::config::Secret>,
    }
    let found = |secret: &str| report::<Places>(&format!("secrets: {{A: {secret}}}")).1;
    let said =
        ["{env: [1]}", "{command: [true, sh]}", "{env: a, file: b}", "{fil: x}", "3"].map(found).concat();
    insta::assert_snapshot!(said, @r#"
    1:20 wrong-type «[1]» `env` must be text, not a list []
    1:25 wrong-type «true» item 1 of `command` must be text, not a boolean [put it in quotes: `"true"`]
    1:14 bad-value «{env: a, file: b}» `A` must have exactly one of `command`, `env`, `file` []
    1:15 unknown-key «fil» unknown key `fil` in `A` [did you mean `file`?]
    1:14 wrong-type «3» `A` must be a mapping, not a number []
    "#);
}

const WRONG: &str = r#"
name: 3
descripton: Restart a deployment
inputs:
  - name: deployment
    type: strin
    requird: true
  - name: environment
    type: string
    enum: 3
    pattern: "["
    items: {minimm: 3}
  - {name: flag, type: boolean, required: yes}
steps:
  - name: before
    tool: [x]
    on_error: contine
    concurrency: 0
    retry: {atempts: 3, backoff: exponental, on: [transient, timout]}
    when: flag
  - tool: x
    needs: y
    output:
    timeout: [3]
  - foo
outputs: {}
"#;

#[test]
fn every_misfit_is_reported_at_once() {
    let (skill, found) = report::<Skill>(WRONG);
    insta::assert_snapshot!(found, @r#"
    2:7 wrong-type «3» `name` must be text, not a number [put it in quotes: `"3"`]
    3:1 unknown-key «descripton» unknown key `descripton` in a skill [did you mean `description`?]
    6:11 bad-value «strin» `type` cannot be `strin` [did you mean `string`? it is one of `string`, `integer`, `number`, `boolean`, `array`, `object`]
    7:5 unknown-key «requird» unknown key `requird` in an input [did you mean `required`?]
    10:11 wrong-type «3» `enum` must be a list, not a number []
    11:14 bad-pattern «"["» `[` is not a regular expression: unclosed character class []
    12:13 unknown-key «minimm» unknown key `minimm` in `items` [did you mean `minimum`?]
    13:43 wrong-type «yes» `required` must be `true` or `false` or a list, not text [write `true`, without quotes]
    16:11 wrong-type «[x]» `tool` must be text, not a list []
    17:15 bad-value «contine» `on_error` cannot be `contine` [did you mean `continue`? it is one of `fail`, `continue`, `auto_heal`, `auto_heal_or_continue`]
    18:18 bad-value «0» `concurrency` must be at least 1 []
    19:13 unknown-key «atempts» unknown key `atempts` in `retry` [did you mean `attempts`?]
    19:34 bad-value «exponental» `backoff` cannot be `exponental` [did you mean `exponential`? it is one of `constant`, `linear`, `exponential`]
    19:62 bad-value «timout» item 2 of `on` cannot be `timout` [did you mean `timeout`? it is one of `transient`, `permanent`, `auth`, `network`, `timeout`, `cancelled`, `not_found`, `invalid`]
    20:5 unknown-key «when» unknown key `when` in a step [did you mean `condition`?]
    21:5 missing-key «tool» a step needs the key `name` []
    22:12 wrong-type «y» `needs` must be a list, not text [write it as a list: `[y]`]
    23:5 wrong-type «output» `output` must be text, but it is empty [give it a value, or remove the key]
    24:14 wrong-type «[3]» `timeout` must be a whole number or text, not a list []
    25:5 wrong-type «foo» item 3 of `steps` must be a mapping, not text []
    26:10 wrong-type «{}» `outputs` must be a list, not a mapping [write it as a list: each entry starts with `- `]
    "#);
    let skill = skill.expect("the rest can be read");
    assert_eq!(skill.description.value, "Restart a deployment", "a misspelt key keeps its value");
    assert_eq!(skill.inputs.len(), 3);
    let names: Vec<&str> = skill.steps.iter().map(|step| step.name.value.as_str()).collect();
    assert!(matches!(names[..], ["before", unnamed] if unnamed.starts_with("unnamed_")), "{names:?}");
    let retry = skill.steps[0].retry.as_ref().expect("the retry is kept");
    assert_eq!(retry.attempts.value, 3);
    assert_eq!(retry.on.as_ref().map(Vec::len), Some(1), "only the wrong item is cut out");
}

#[test]
fn forms_of_a_value_are_told_apart() {
    let (_, found) = report::<Module>(
        r#"
module: x
description: x
tools:
  - {name: a, description: a, effect: reed, run: [a], result: lins}
  - {name: b, description: b, effect: read, run: [b], result: {line: {split: ","}}}
  - {name: c, description: c, effect: read, run: [c], result: {lines: {splt: ","}}}
  - {name: d, description: d, effect: read, run: [d], result: {regex: {pattern: "("}}}
  - {name: e, description: e, effect: read, run: [e], result: 3}
  - {name: f, description: f, effect: read, run: [{iff: x, then: [y]}]}
  - {name: g, description: g, effect: read, run: [g], idempotency_key: {arg: x, env: y}}
  - {name: h, description: h, effect: read, run: [h], input: {x: {type: strng}, y: 3, z: {optional: 1}}}
  - {name: i, description: i, effect: read, run: [i], exit: {kinds: {x: auth, 3: auht}}}
  - {name: j, description: j, effect: read, run: j}
"#,
    );
    insta::assert_snapshot!(found, @r#"
    5:39 bad-value «reed» `effect` cannot be `reed` [did you mean `read`? it is one of `read`, `write`, `destructive`, `unknown`]
    5:63 bad-value «lins» `result` cannot be `lins` [did you mean `lines`? it is one of `text`, `json`, `json_lines`, `yaml`, `lines`]
    6:64 unknown-key «line» unknown key `line` in `result` [did you mean `lines`?]
    7:72 unknown-key «splt» unknown key `splt` in `lines` [did you mean `split`?]
    8:81 bad-pattern «"("» `(` is not a regular expression: unclosed group []
    9:63 wrong-type «3» `result` must be text or a mapping, not a number [put it in quotes: `"3"`]
    10:52 unknown-key «iff» unknown key `iff` in item 1 of `run` [did you mean `if`?]
    11:72 bad-value «{arg: x, env: y}» `idempotency_key` must have exactly one of `arg`, `env`, `header` []
    12:73 bad-value «strng» `type` cannot be `strng` [did you mean `string`? it is one of `string`, `integer`, `number`, `boolean`, `array`, `object`, `null`]
    12:84 wrong-type «3» `y` must be a mapping, not a number []
    12:101 wrong-type «1» `optional` must be `true` or `false`, not a number []
    13:70 unknown-key «x» unknown key `x` in `kinds` []
    13:82 bad-value «auht» `3` cannot be `auht` [did you mean `auth`? it is one of `transient`, `permanent`, `auth`, `network`, `timeout`, `cancelled`, `not_found`, `invalid`]
    14:50 wrong-type «j» `run` must be a list, not text [write it as a list: `[j]`]
    "#);
}

#[test]
fn a_file_of_another_kind_is_one_problem() {
    for (text, message) in [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- a\n", "the file must be a mapping, not a list"),
        ("just text\n", "the file must be a mapping, not text"),
    ] {
        let (skill, diagnostics) = read::<Skill>(&Source::new("x.yaml", text));
        assert!(skill.is_none());
        let messages: Vec<&str> = diagnostics.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages, [message], "{text:?}");
    }
}

#[test]
fn what_fits_is_read_whole() {
    let (skill, found) = report::<Skill>(
        r#"
name: rollout_restart
description: Restart a deployment
version: "1.0"
inputs:
  - {name: deployment, type: string, required: true, pattern: "^[a-z-]+$"}
  - {name: ports, type: array, items: {type: [integer, string]}, default: [80]}
  - {name: note, type: string, default: null}
timeout: 90
concurrency: 4
steps:
  - name: restart
    tool: kubectl_rollout_restart
    args: {deployment_name: "{{ inputs.deployment }}"}
    condition: true
    retry: {attempts: 3, backoff: exponential, delay: 1s, max_delay: 30s, on: [transient, timeout]}
    timeout: 2m
    on_error: auto_heal
    undo: {tool: kubectl_rollout_undo}
    validate: [{condition: restart.ok, message: "not restarted"}]
  - {name: ask, confirm: {message: "Go on?", options: [yes please, no]}}
outputs:
  - {name: report, value: {a: [1, "{{ restart }}"]}}
"#,
    );
    insta::assert_snapshot!(found, @"21:68 ambiguous-boolean «no» `no` is text here, not a boolean [write `false` for the boolean, or put `no` in quotes]");
    let skill = skill.expect("it fits");
    assert_eq!(skill.timeout.expect("set").value, "90");
    assert_eq!(skill.inputs[0].schema, serde_json::json!({"type": "string", "pattern": "^[a-z-]+$"}));
    assert!(skill.inputs[0].required);
    assert!(skill.inputs[2].default.as_ref().is_some_and(Node::is_null));
    assert_eq!(skill.steps[0].undo.as_ref().expect("set").tool.value, "kubectl_rollout_undo");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Skills with wrong keys and values in likely places.
    fn any_skill() -> impl Strategy<Value = String> {
        let key = "(name|nam|description|inputs|steps|tool|args|type|default|enum|retry|attempts|on|then|[a-z]{1,3})";
        let value = prop_oneof![
            Just("3".to_owned()),
            Just("text".to_owned()),
            Just("[]".to_owned()),
            Just("{}".to_owned()),
            Just("~".to_owned()),
            Just("true".to_owned()),
            Just("[a, {b: 1}]".to_owned()),
        ];
        let mapping = prop::collection::btree_map(key, value, 0..6).prop_map(|entries| {
            entries.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
        });
        let list = || {
            prop::collection::vec(mapping.clone(), 0..4).prop_map(|items| {
                items.iter().map(|item| format!("{{{item}}}")).collect::<Vec<_>>().join(", ")
            })
        };
        (mapping.clone(), list(), list(), list()).prop_map(|(top, inputs, steps, outputs)| {
            let rest = top
                .split(", ")
                .filter(|entry| !["inputs:", "steps:", "outputs:"].iter().any(|key| entry.starts_with(key)));
            let rest = rest.collect::<Vec<_>>().join(", ");
            let comma = if rest.is_empty() { "" } else { ", " };
            format!("{{{rest}{comma}inputs: [{inputs}], steps: [{steps}], outputs: [{outputs}]}}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_skill_is_read_or_its_problem_is_told(text in any_skill()) {
            let source = Source::new("x.yaml", text);
            let (skill, diagnostics) = read::<Skill>(&source);
            prop_assert!(skill.is_some() || has_errors(&diagnostics));
            for found in &diagnostics {
                prop_assert!(source.text.get(found.span.start as usize..found.span.end as usize).is_some());
            }
        }
    }
}
