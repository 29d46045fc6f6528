//! The calls of heal rules, held against what they call.

use std::collections::BTreeMap;

use super::world::{World, drawn};
use crate::check::heal::{rename, skill_call, tool_call};
use crate::check::{Catalog, Strictness, check};
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::template::Template;

/// The problems of the one rule of a module.
fn problems(action: &str) -> Vec<Diagnostic> {
    let rule = format!("heal:\n  - {{name: r, match: {{kind: auth}}, do: {{{action}}}}}\n");
    let source = Source::new("tools/x.yaml", format!("module: x\ndescription: Rules\n{rule}"));
    let (module, found) = crate::tool::recipe::check(&source);
    assert_eq!(found, [], "{action}");
    let rule = &module.unwrap().heal[0];
    match (&rule.r#do.tool, &rule.r#do.skill) {
        (Some(tool), _) => tool_call(rule, &World.tool(&tool.value).unwrap(), &source),
        (_, Some(skill)) => {
            let plan = check(&World.skill(&skill.value).unwrap(), &World, Strictness::default()).0.unwrap();
            skill_call(rule, &plan.skill, &source)
        }
        _ => Vec::new(),
    }
}

#[test]
fn arguments_of_rules_are_held_against_what_takes_them_like_those_of_steps() {
    for (action, expected) in [
        ("tool: read, args: {path: x, limit: 3}", &[][..]),
        ("tool: read, args: {path: '{{ args.path }}', limit: '{{ args.limit }}'}", &[]),
        ("tool: read, args: {file: x}", &["aliased-argument"]),
        ("tool: read, args: {pth: x}", &["unknown-argument"]),
        ("tool: read, args: {other: x}", &["unknown-argument", "missing-argument"]),
        ("tool: read", &["missing-argument"]),
        ("tool: read, args: {path: x, file: y}", &["duplicate-argument"]),
        ("tool: read, args: {path: x, limit: many}", &["bad-argument"]),
        ("tool: read, args: {path: x, limit: 0}", &["bad-argument"]),
        ("tool: read, args: {path: x, limit: 'a {{ args.n }}'}", &["bad-argument"]),
        ("tool: read, args: {path: [x]}", &["bad-argument"]),
        ("tool: write, args: {path: x, text: y, mode: newer}", &["bad-argument"]),
        ("tool: script, args: {script: 'echo {{ args.path }}'}", &["spliced-shell"]),
        ("tool: script, args: {vars: {a: b}}", &["missing-argument"]),
        ("skill: sub, args: {n: 1}", &[]),
        ("skill: sub, args: {n: one, o: 1}", &["bad-argument", "unknown-input"]),
        ("skill: sub", &["missing-input"]),
    ] {
        let found = problems(action);
        let codes: Vec<&str> = found.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, expected, "{action}: {}", drawn(&found));
    }
}

#[test]
fn what_is_wrong_is_marked_and_its_right_name_given() {
    let found = problems("tool: read, args: {pth: x}");
    let marked = found[0].source.slice(found[0].span);
    assert_eq!((marked, &*found[0].message), ("pth", "tool `read` has no argument `pth`"));
    assert_eq!((&*found[0].hint, &*found[0].subject), ("did you mean `path`?", "read.pth"));
    let found = problems("tool: read");
    assert_eq!(found[0].source.slice(found[0].span), "read");
}

#[test]
fn other_names_of_arguments_become_those_that_the_tool_has() {
    let mut args =
        BTreeMap::from([("file".to_owned(), Template::default()), ("n".to_owned(), Template::default())]);
    let spec = World.tool("read").unwrap();
    rename(&mut args, &crate::check::argument::Signature::of_tool(&spec, Span::default()));
    assert_eq!(args.keys().collect::<Vec<_>>(), ["n", "path"]);
}
