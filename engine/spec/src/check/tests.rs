//! Tests of the checker.

mod fixtures;
mod order;
mod world;

use serde_json::json;

use self::world::World;
use super::{Strictness, check};
use crate::plan::{Action, Plan};
use crate::source::Source;

/// The plan of a text that must be fine.
fn plan(text: &str) -> Plan {
    let source = Source::new("skills/x.yaml", text);
    let (plan, diagnostics) = check(&source, &World, Strictness::default());
    plan.unwrap_or_else(|| panic!("{}", world::drawn(&diagnostics)))
}

/// The problems of a text.
fn problems(text: &str, strictness: Strictness) -> String {
    let source = Source::new("skills/x.yaml", text);
    let (plan, diagnostics) = check(&source, &World, strictness);
    assert_eq!(plan.is_none(), crate::diagnostic::has_errors(&diagnostics));
    world::drawn(&diagnostics)
}

#[test]
fn a_skill_of_every_kind_becomes_a_plan() {
    let plan = plan(include_str!("tests/everything.yaml"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan).unwrap());
    assert_eq!(plan.hash().len(), 64);
    let again: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(again.hash(), plan.hash());
}

#[test]
fn problems_stand_where_they_are() {
    let text = "\
name: x
description: x
inputs:
  - {name: city, type: string}
steps:
  - name: look
    tool: read
    args: {path: \"a {{ inputs.town }} b\"}
  - name: say
    tool: write
    args:
      path: |
        {{ inputs.city }}
        and {{ lok.txt }}
      text: \"{{ look }}\"
";
    insta::assert_snapshot!(problems(text, Strictness::default()), @r#"
    8:24 error[unknown-reference]: there is no input `town`
        at: inputs.town
        hint: known: `city`
    14:16 error[unknown-reference]: nothing is called `lok`
        at: lok.txt
        hint: did you mean `look`?
    15:13 error[bad-argument]: `text` must be text, but this is a mapping
        at: "{{ look }}"
    "#);
}

#[test]
fn lenient_reading_warns_of_unknown_names() {
    let text = "\
name: x
description: x
steps:
  - {name: a, tool: read, args: {path: \"{{ gone.b }}{{ inputs.c }}\"}, condition: later}
  - {name: later, tool: read, args: {path: x}}
";
    insta::assert_snapshot!(problems(text, Strictness { lenient: true, strict: false }), @r"
    4:44 warning[unknown-reference]: nothing is called `gone`
        at: gone.b
        hint: name an earlier step's output, or `inputs.…`
    4:56 warning[unknown-reference]: there is no input `c`
        at: inputs.c
    4:82 warning[forward-reference]: step `a` reads from step `later`, which comes later
        at: later
        hint: move `later` before `a`
    ");
}

#[test]
fn strict_reading_asks_for_undo() {
    let text = "{name: x, description: x, steps: [{name: a, tool: write, args: {path: x, text: y}}]}";
    insta::assert_snapshot!(problems(text, Strictness { lenient: false, strict: true }), @r"
    1:51 warning[missing-undo]: step `a` changes something and has no `undo`
        at: write
    ");
    assert_eq!(problems(text, Strictness::default()), "");
}

#[test]
fn names_are_the_same_with_both_hyphens() {
    let text = "\
name: x
description: x
inputs: [{name: the-city, type: string, required: true}]
steps:
  - {name: look-up, tool: read, args: {path: \"{{ inputs.the_city }}\"}}
  - {name: b, tool: read, args: {path: \"{{ look_up.text }}\"}, condition: steps.look_up.status == 'completed'}
";
    let plan = plan(text);
    assert_eq!(plan.skill.inputs[0].name, "the_city");
    assert_eq!(plan.skill.steps[0].output, "look_up");
    assert_eq!(plan.skill.steps[1].needs, [0]);
}

#[test]
fn constants_become_what_they_mean() {
    let text = "\
name: x
description: x
steps:
  - {name: a, wait: 2m}
  - {name: b, wait: 3}
  - {name: c, wait: \"{{ a }}s\"}
";
    let plan = plan(text);
    let durations = plan.skill.steps.iter().map(|step| match &step.action {
        Action::WaitFor { duration } => duration.source().clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(durations.collect::<Vec<_>>(), [json!(120_000), json!(3_000), json!("{{ a }}s")]);
}
