//! What a `compute` step becomes in a plan.

use serde_json::json;

use super::{Strictness, plan, problems};
use crate::compute::{Block, CalleeKind};
use crate::plan::{Action, StepPlan};
use crate::tool::Effect;

fn block(step: &StepPlan) -> &Block {
    match &step.action {
        Action::Compute { block } => block,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_block_is_pinned_with_all_it_needs() {
    let plan = plan(
        "\
name: x
description: x
inputs: [{name: city, type: string}]
steps:
  - {name: look, tool: read, args: {path: x}}
  - {name: other, tool: read, args: {path: y}}
  - name: count
    output: total
    retry: {attempts: 2}
    timeout: 5s
    compute: |

      sizes = [line.n for line in look.lines]
      total = len(sizes) + len(inputs.city)
  - {name: after, tool: read, args: {path: \"{{ total }}\"}}
",
    );
    let step = &plan.skill.steps[2];
    assert_eq!((step.needs.as_slice(), step.effect, step.idempotent), (&[0][..], Effect::Read, true));
    assert_eq!(plan.skill.steps[3].needs, [2]);
    let block = block(step);
    assert_eq!(
        block.code,
        "\nsizes = [_attr(line, \"n\") for line in _attr(look, \"lines\")]\ntotal = len(sizes) + len(_attr(inputs, \"city\"))\ntotal\n"
    );
    assert_eq!((block.line, block.lists_names), (12, false));
    assert_eq!(block.reads, ["inputs", "look"]);
    assert_eq!(block.imports, ["_attr"]);
    assert_eq!(json!(block.calls), json!({}));
}

#[test]
fn what_a_block_calls_decides_its_order_and_recovery() {
    let plan = plan(
        "\
name: x
description: x
steps:
  - {name: a, tool: read, args: {path: x}}
  - name: b
    compute: |
      call_tool('read', path='y')
      result = run_skill('sub', {'n': 1})
  - {name: c, tool: read, args: {path: z}}
  - {name: d, compute: \"result = call_tool('remove', path='y')\"}
",
    );
    let [_, b, c, d] = plan.skill.steps.as_slice() else { panic!() };
    assert_eq!((b.needs.as_slice(), b.effect, b.idempotent), (&[0][..], Effect::Write, false));
    assert_eq!((c.needs.as_slice(), d.effect), (&[1][..], Effect::Destructive));
    let kinds: Vec<(&str, CalleeKind, Effect)> =
        block(b).calls.iter().map(|(name, callee)| (name.as_str(), callee.kind, callee.effect)).collect();
    assert_eq!(kinds, [("read", CalleeKind::Tool, Effect::Read), ("sub", CalleeKind::Skill, Effect::Write)]);
    assert!(plan.skills.contains_key("sub"));
    assert_eq!((block(b).line, block(d).line), (7, 10));
}

#[test]
fn arguments_that_are_worked_out_are_there() {
    let plan = plan(
        "\
name: x
description: x
inputs: [{name: s, type: string, required: true}]
steps:
  - name: a
    compute: |
      seen = call_tool('read', path=inputs.s)
      result = [seen, run_skill('sub', {'n': len(inputs.s)}), call_tool('read', path=f'c{inputs.s}')]
",
    );
    assert_eq!(block(&plan.skill.steps[0]).calls.len(), 2);
}

#[test]
fn a_block_waits_for_what_it_only_asks_for() {
    let plan = plan(
        "\
name: x
description: x
steps:
  - {name: a, tool: read, args: {path: x}}
  - {name: b, tool: read, args: {path: y}}
  - {name: c, compute: \"result = 'a' in dir()\"}
  - {name: d, compute: \"result = dir()\"}
",
    );
    let steps = &plan.skill.steps;
    assert_eq!((steps[2].needs.as_slice(), steps[3].needs.as_slice()), (&[0][..], &[1, 2][..]));
    assert!(block(&steps[2]).lists_names);
    assert_eq!(block(&steps[2]).reads, Vec::<String>::new());
}

#[test]
fn each_item_is_a_name_of_its_own() {
    let text = "\
name: x
description: x
steps:
  - {name: a, foreach: [1, 2], compute: \"result = [item, index]\"}
";
    assert_eq!(block(&plan(text).skill.steps[0]).reads, ["index", "item"]);
}

#[test]
fn problems_stand_where_they_are_however_the_text_is_written() {
    let text = "\
name: x
description: x
steps:
  - name: a
    compute: >-
      result = lok
  - {name: b, compute: 'result = \"it''s\" + lok'}
  - name: c
    args: {x: 1}
    compute: |2

        x = 1
      result = 2
";
    insta::assert_snapshot!(problems(text, Strictness::default()));
}
