//! Tests of the checker.

#[cfg(feature = "compute")]
mod compute;
mod fixtures;
mod heal;
mod order;
mod python;
mod schedule;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::world::World;
use super::{Catalog, Strictness, check};
use crate::plan::{Action, Plan};
use crate::source::Source;
use crate::tool::ToolSpec;

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
    let plan = plan(EVERYTHING);
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
fn alternatives_may_share_a_variable() {
    let text = "\
name: x
description: x
steps:
  - {name: a, tool: read, args: {path: x}, output: found}
  - {name: b, tool: read, args: {path: y}, output: found, condition: not found}
  - {name: c, tool: read, args: {path: \"{{ found.text }}\"}, condition: found.text}
";
    let plan = plan(text);
    assert_eq!(plan.skill.steps[1].needs, [0]);
    assert_eq!(plan.skill.steps[2].needs, [1]);
}

/// A world with a server that nobody has asked, and that may have a tool called as a skill is.
struct Unmet;

impl Catalog for Unmet {
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        World.tool(name)
    }
    fn may_have_tool(&self, name: &str) -> bool {
        name == "sub"
    }
    fn tool_names(&self) -> Vec<String> {
        World.tool_names()
    }
    fn skill(&self, name: &str) -> Option<Source> {
        World.skill(name)
    }
    fn skill_names(&self) -> Vec<String> {
        World.skill_names()
    }
    fn secret_names(&self) -> Vec<String> {
        World.secret_names()
    }
    fn config(&self) -> Value {
        World.config()
    }
}

#[test]
fn a_skill_stands_in_for_no_tool_that_is_only_not_known_yet() {
    let text = "{name: x, description: x, steps: [{name: a, tool: sub, args: {n: 1}}]}";
    let source = Source::new("skills/x.yaml", text);
    let codes = |catalog: &dyn Catalog| -> Vec<&str> {
        check(&source, catalog, Strictness::default()).1.iter().map(|problem| problem.code).collect()
    };
    assert_eq!(codes(&World), ["skill-as-tool"]);
    assert_eq!(codes(&Unmet), ["unknown-tool"]);
}

#[test]
fn tools_of_public_skills_that_are_not_here_are_replaced_by_others() {
    let hint = |step: &str| {
        let text = format!("{{name: x, description: x, steps: [{{name: a, {step}}}]}}");
        check(&Source::new("skills/x.yaml", text), &World, Strictness::default()).1[0].hint.clone()
    };
    assert!(hint("tool: kubectl_get_secret_value").contains("docs/secrets.md"));
    assert!(hint("tool: konflux-create-release").contains("`konflux_list_releases`"));
    assert!(hint("tool: kubectl_nothing").starts_with("known: "));
}

/// Skills `s0`, `s1` … of which each runs the next one a number of times.
struct Ladder {
    rungs: usize,
    times: usize,
}

impl Catalog for Ladder {
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        World.tool(name)
    }
    fn tool_names(&self) -> Vec<String> {
        World.tool_names()
    }
    fn skill(&self, name: &str) -> Option<Source> {
        let rung: usize = name.strip_prefix('s')?.parse().ok()?;
        let steps: Vec<String> = (0..self.times)
            .map(|step| {
                let next = format!("skill: s{}", rung + 1);
                let action = if rung < self.rungs { &next } else { "tool: read, args: {path: x}" };
                format!("{{name: a{step}, {action}}}")
            })
            .collect();
        let text = format!("{{name: {name}, description: x, steps: [{}]}}", steps.join(", "));
        Some(Source::new(format!("skills/{name}.yaml"), text))
    }
    fn skill_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn secret_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn config(&self) -> Value {
        Value::Null
    }
}

#[test]
fn skills_in_skills_are_bounded() {
    let codes = |rungs: usize, times: usize| -> BTreeSet<&str> {
        let ladder = Ladder { rungs, times };
        let source = ladder.skill("s0").unwrap();
        let (_, diagnostics) = check(&source, &ladder, Strictness::default());
        diagnostics.iter().map(|problem| problem.code).collect()
    };
    assert_eq!(codes(20, 1), BTreeSet::new());
    assert_eq!(codes(40, 1), BTreeSet::from(["deep-skills", "faulty-skill"]));
    assert_eq!(codes(12, 2), BTreeSet::new());
    assert_eq!(codes(25, 2), BTreeSet::from(["deep-skills", "faulty-skill"]));
}

#[test]
fn steps_that_wait_for_each_other_too_often_are_refused() {
    let mut text = "name: x\ndescription: x\nsteps:\n".to_owned();
    for index in 0..800 {
        writeln!(text, "- {{name: w{index}, tool: shell, needs: []}}").unwrap();
    }
    for index in 0..800 {
        writeln!(text, "- {{name: r{index}, tool: read, args: {{path: x}}}}").unwrap();
    }
    let found = problems(&text, Strictness::default());
    assert!(found.contains("error[too-many-edges]"), "{found}");
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

const EVERYTHING: &str = include_str!("tests/everything.yaml");

/// The skill of every kind, with a few pieces of its text moved, doubled or lost.
fn damaged() -> impl Strategy<Value = String> {
    let edit = (0..3_u8, any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0..40_usize);
    proptest::collection::vec(edit, 1..4).prop_map(|edits| {
        let mut text: Vec<char> = EVERYTHING.chars().collect();
        for (kind, at, to, length) in edits {
            let start = at.index(text.len());
            let piece: Vec<char> = text[start..(start + length).min(text.len())].to_vec();
            if kind != 0 {
                text.drain(start..start + piece.len());
            }
            if kind != 1 && !text.is_empty() {
                let to = to.index(text.len());
                text.splice(to..to, piece);
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn damaged_skills_have_problems_in_their_place(text in damaged(), lenient: bool, strict: bool) {
        let source = Source::new("skills/x.yaml", text.as_str());
        let (plan, diagnostics) = check(&source, &World, Strictness { lenient, strict });
        prop_assert_eq!(plan.is_none(), crate::diagnostic::has_errors(&diagnostics));
        for problem in &diagnostics {
            prop_assert!(crate::diagnostic::CODES.iter().any(|(code, _)| *code == problem.code));
            let (start, end) = (problem.span.start as usize, problem.span.end as usize);
            prop_assert!(problem.source.text.get(start..end).is_some(), "{problem:?}");
        }
        if let Some(plan) = plan {
            for skill in plan.skills.values().chain([&plan.skill]) {
                for (index, step) in skill.steps.iter().enumerate() {
                    prop_assert!(step.needs.iter().all(|need| *need < index));
                }
            }
            let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
            prop_assert_eq!(again.hash(), plan.hash());
            let _ = crate::graph::terminal(&plan.skill, 80);
        }
    }

    #[test]
    fn any_text_is_answered(text in "(name|steps|tool|args|:|-| |\n|\\{|\\}|\\[|\\]|\"|x|1|#|&a|\\*a|\\||>){0,40}") {
        let _ = check(&Source::new("x.yaml", text), &World, Strictness::default());
    }
}

/// The codes of the problems of a step that has this text on a command line.
fn codes_on_a_command_line(text: &str) -> Vec<&'static str> {
    let arg = serde_json::json!(text);
    let skill =
        format!("{{name: x, description: x, steps: [{{name: a, tool: remove, args: {{path: {arg}}}}}]}}");
    let (_, found) = check(&Source::new("skills/x.yaml", skill), &World, Strictness::default());
    found.into_iter().map(|problem| problem.code).collect()
}

#[test]
fn what_only_asks_something_of_a_secret_may_stand_on_a_command_line() {
    for text in [
        "{{ 'a' if secrets.TOKEN else 'b' }}",
        "{{ 'a' if not secrets.TOKEN else 'b' }}",
        "{{ 'a' if secrets.TOKEN is defined else 'b' }}",
        "known={{ secrets.TOKEN is defined }}",
        "x{% if secrets.TOKEN %}y{% endif %}",
    ] {
        assert_eq!(codes_on_a_command_line(text), [] as [&str; 0], "{text}");
    }
    // A template sees a name in its place, so the answer would be wrong; but it is not the secret.
    for text in [
        "n={{ secrets.TOKEN | length }}",
        "{{ 'a' if secrets.TOKEN == 'b' else 'c' }}",
        "in={{ 'a' in secrets.TOKEN }}",
    ] {
        assert_eq!(codes_on_a_command_line(text), ["secret-worked-on"], "{text}");
    }
}

#[test]
fn what_has_a_secret_in_it_may_not_stand_on_a_command_line() {
    for text in [
        "{{ secrets.TOKEN if secrets.TOKEN else 'b' }}",
        "{{ 'a' if inputs else secrets.TOKEN }}",
        "{{ secrets.TOKEN or 'a' }}",
        "{{ secrets.TOKEN and 'a' }}",
        "{{ [secrets.TOKEN] | tojson }}",
        "{{ secrets.TOKEN | upper }}",
        "{{ secrets.TOKEN[:4] }}",
        "{{ secrets.TOKEN.x }}",
        "{{ secrets.TOKEN | default('', secrets.TOKEN is defined) }}",
        "{% set x = secrets.TOKEN %}{{ x }}",
        "{% for letter in secrets.TOKEN %}{% if letter == 'a' %}{{ letter }}{% endif %}{% endfor %}",
        "{% if secrets.TOKEN %}{{ secrets.TOKEN }}{% endif %}",
    ] {
        assert!(codes_on_a_command_line(text).contains(&"secret-in-command"), "{text}");
    }
}

#[test]
fn what_a_name_was_set_to_is_looked_at_as_what_it_is() {
    let found = |text: &str| {
        let text = serde_json::json!(text);
        let skill = format!(
            "name: x\ndescription: x\nsteps:\n  - {{name: a, tool: read, args: {{path: x}}}}\n  - {{name: b, tool: write, args: {{path: y, text: {text}}}, undo: {{tool: remove, args: {{path: y}}}}}}\n"
        );
        problems(&skill, Strictness::default())
    };
    for text in [
        "{% set line = a.lines | first %}{{ line.m }}",
        "{% set lines = a.lines %}{% for line in lines %}{{ line.m }}{% endfor %}",
        "{% for line in a.lines %}{% set same = line %}{{ same.m }}{% endfor %}",
    ] {
        assert!(found(text).contains("error[unknown-field]"), "{text}: {}", found(text));
    }
    for text in [
        "{% set line = a.lines | first %}{{ line.n }}",
        "{% set line = a.lines | first %}{% set line = inputs %}{{ line.m }}",
        "{% if a.size %}{% set line = a.lines | first %}{% endif %}{{ line.m }}",
        "{% set line = a.lines | first | tojson %}{{ line.m }}",
        "{% set line, other = a.lines %}{{ line.m }}",
    ] {
        assert!(!found(text).contains("unknown-field"), "{text}: {}", found(text));
    }
}

#[test]
fn numbers_that_are_too_great_hide_nothing_else() {
    for number in ["concurrency: 99999999999999", "timeout: 99999999999999999999", "concurrency: 1e30"] {
        let text = format!(
            "name: x\ndescription: X\nsteps:\n  - {{name: a, tool: nosuch}}\n  - {{name: b, tool: nosuch, foreach: [1], {number}}}\n"
        );
        let (_, found) = check(&Source::new("x.yaml", text), &World, Strictness::default());
        let unknown = found.iter().filter(|problem| problem.code == "unknown-tool").count();
        assert_eq!(unknown, 2, "{number}: {found:?}");
        assert!(found.len() > 2, "{number}: {found:?}");
    }
}
