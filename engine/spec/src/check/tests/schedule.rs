//! Every configuration in `tests/fixtures/schedules/bad` has exactly the problems that its first line promises.

use std::path::Path;

use super::world::{World, drawn};
use crate::check::{Missed, Personas, check_uses};
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use crate::yaml::Spanned;

/// Some personas, of which one has the skill `sub`.
struct People;

impl Personas for People {
    fn misses(&self, persona: &str, _: &str) -> Option<Missed> {
        match persona {
            "ops" => None,
            "guest" => Some(Missed::Lacking),
            "torn" => Some(Missed::Faulty),
            _ => Some(Missed::Unknown),
        }
    }

    fn names(&self) -> Vec<String> {
        ["ops", "guest", "torn"].map(str::to_owned).to_vec()
    }
}

fn problems(source: &Source) -> Vec<Diagnostic> {
    let (config, misfits) = crate::config::read(source);
    assert_eq!(misfits, [], "{}", source.path);
    let config = config.expect("a configuration");
    let named = |(name, written): (&String, &Spanned<_>)| Spanned { value: name.clone(), span: written.span };
    let names: Vec<Spanned<String>> = config.schedules.iter().map(named).collect();
    let schedules = names.iter().zip(config.schedules.values().map(|written| &written.value));
    check_uses(schedules, None, source, (&World, &People)).concat()
}

#[test]
fn what_schedules_use_is_held_against_what_there_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/schedules/bad");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = Source::new(name.clone(), std::fs::read_to_string(&path).unwrap());
        let mut found = problems(&source);
        found.sort_by_key(|problem| problem.code);
        let codes: Vec<&str> = found.iter().map(|problem| problem.code).collect();
        let promised = source.text.lines().next().unwrap_or_default();
        assert_eq!(format!("# expect: {}", codes.join(", ")), promised, "{name}:\n{}", drawn(&found));
        all.extend([format!("{name}\n"), drawn(&found)]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_right_or_only_known_later_is_no_problem() {
    let text = "\
schedules:
  night: {skill: sub, every: 1h, persona: ops, timeout: 1s, inputs: {n: 3, m: 'at {{ due }}'}}
  look: {skill: sub, inputs: {n: '{{ result.size }}', m: null}, poll: {tool: read, args: {path: '{{ today }}'}}}
";
    let found = problems(&Source::new("config.yaml", text));
    assert!(found.is_empty(), "{}", drawn(&found));
}

#[test]
fn a_schedule_in_a_skill_is_held_against_that_skill() {
    let text = "\
name: x
description: x
inputs: [{name: n, type: integer, required: true}]
schedule:
  - {name: early, every: 1h, inputs: {n: 1}}
  - {name: late, every: 2h, inputs: {m: 1}}
steps: [{name: a, tool: read, args: {path: 'a{{ inputs.n }}'}}]
";
    let source = Source::new("skills/x.yaml", text);
    let (skill, plan) = (crate::dialect::read(&source).0.unwrap(), super::plan(text));
    let all: Vec<_> = skill.schedule.iter().flat_map(|of| crate::schedule::names(&skill.name, of)).collect();
    let schedules = all.iter().map(|(name, written)| (name, *written));
    let found = check_uses(schedules, Some(&plan.skill), &source, (&World, &People));
    assert!(found[0].is_empty() && found.len() == 2, "{found:?}");
    let codes: Vec<&str> = found[1].iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["unknown-input", "missing-input"], "{}", drawn(&found[1]));
    assert!(
        drawn(&found[1]).contains("6:38 error[unknown-input]: skill `x` has no input `m`"),
        "{}",
        drawn(&found[1])
    );
}
