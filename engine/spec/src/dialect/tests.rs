use std::fmt::Write as _;

use super::*;
use crate::fix;

/// What is found in a text, one line each.
fn report(text: &str) -> String {
    let source = Source::new("x.yaml", text);
    let mut lines = String::new();
    for found in read(&source).1 {
        let place = found.place();
        let marked = source.slice(found.span).lines().next().unwrap_or_default();
        let fix = if found.fix.is_empty() { "" } else { " (fix)" };
        let _ = writeln!(
            lines,
            "{}:{} {:?} {} «{marked}» {} [{}]{fix}",
            place.line, place.column, found.severity, found.code, found.message, found.hint
        );
    }
    lines
}

/// A text after every fix there is, and how the skill in it reads.
fn fixed(text: &str) -> (String, String) {
    let mut source = Source::new("x.yaml", text);
    for _ in 0..8 {
        let found = read(&source).1;
        let (text, done) = fix::apply(&source, &found);
        if done.is_empty() {
            break;
        }
        source = Source::new("x.yaml", text);
    }
    (source.text.to_string(), meaning(&source))
}

/// A skill as it is understood, without the places in its text.
fn meaning(source: &Source) -> String {
    let (skill, found) = read(source);
    assert!(!crate::diagnostic::has_errors(&found), "{found:?}");
    let spans = regex::Regex::new(r"Span \{[^}]*\}").expect("a pattern");
    spans.replace_all(&format!("{:#?}", skill.expect("a skill")), "").into_owned()
}

const FOREIGN: &str = include_str!("../../../../tests/fixtures/compat/everything.yaml");

#[test]
fn every_foreign_shape_is_reported_with_its_meaning() {
    insta::assert_snapshot!(report(FOREIGN));
}

#[test]
fn a_fix_keeps_the_meaning_and_the_comments() {
    let (text, after) = fixed(FOREIGN);
    assert_same(&meaning(&Source::new("x.yaml", FOREIGN)), &after);
    for line in FOREIGN.lines().filter(|line| line.contains("# ")) {
        let comment = &line[line.find("# ").unwrap_or_default()..];
        assert!(text.contains(comment), "`{comment}` is lost in\n{text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_fix_says_what_was_meant_and_no_more() {
    let head = "name: x\ndescription: d\n";
    let step = "steps: [{name: a, tool: t}]\n";
    for (before, after) in [
        // Something comes after it in its line.
        ("steps:\n  - {name: a,\n     outputs: [z], tool: t}\n", None),
        (
            "steps:\n  - name: a\n    outputs: [z]  # said\n    tool: t\n",
            Some("    # outputs: [z]  # said\n"),
        ),
        (
            "inputs:\n  project: null\nsteps: [{name: a, tool: t}]\n",
            Some("  - name: project\n    type: string\n"),
        ),
        ("inputs:\n  project: ~  # said\nsteps: [{name: a, tool: t}]\n", Some("  - name: project  # said\n")),
        ("steps: [{name: a, tool: t}]\ninputs:\n  project:", Some("  - name: project\n    type: string\n")),
        ("inputs:\n  project: &p\n    type: string\nsteps: [{name: a, tool: t}]\n", None),
        ("inputs: {\n  project: {type: string}}\nsteps: [{name: a, tool: t}]\n", None),
        ("inputs: []\nsteps: [{name: a, tool: t}]\noutputs: ~\n", Some("outputs: []\n")),
        ("steps: [{name: a, tool: t}]\noutputs:\n", Some("outputs: []\n")),
        (
            "steps:\n  - name: a\n    condition: |-\n      {{ b }} == 1 and\n      {{ c }} == 2\n    tool: t\n",
            Some("    condition: |-\n      b == 1 and\n      c == 2\n    tool: t\n"),
        ),
        (
            "steps:\n  - name: a\n    condition: >-\n      {{ b }} == 1 and\n      {{ c }} == 2\n    tool: t\n",
            Some("    condition: >-\n      b == 1 and c == 2\n    tool: t\n"),
        ),
    ] {
        let before = format!("{head}{before}");
        let (text, meant) = fixed(&before);
        assert_same(&meaning(&Source::new("x.yaml", &*before)), &meant);
        assert!(after.map_or(text == before, |after| text.contains(after)), "{before}\nbecame\n{text}");
    }
    assert_eq!(fixed(&format!("{head}{step}")).0, format!("{head}{step}"));
}

fn assert_same(before: &str, after: &str) {
    for (number, (before, after)) in before.lines().zip(after.lines()).enumerate() {
        assert_eq!(before, after, "line {number} of the skill as it is understood");
    }
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn what_could_mean_several_things_is_an_error() {
    let text = r"
name: unclear
description: d
steps:
  - name: several
    tool: read
    outputs: [a, b]
  - name: checked
    tool: read
    validate: [{command: make test}]
  - name: run
    tool: skill_run
    args: {skill_name: other, inputs: '{{ everything }}'}
";
    insta::assert_snapshot!(report(text));
}

#[test]
fn what_decides_about_a_step_is_never_lost() {
    let meant =
        |steps: &str| meaning(&Source::new("x.yaml", format!("name: x\ndescription: d\nsteps:\n{steps}")));
    let then = "  - name: a\n    condition: outer\n    then:\n      - {id: b, tool: t, condition: INNER}\n      - return: 1\n";
    for (inner, both) in [
        ("false", "(outer) and (false)"),
        ("'{{ x }} == 1'", "(outer) and (x == 1)"),
        ("0", "Number(0)"),
        ("~", "\"outer\""),
    ] {
        let meant = meant(&then.replace("INNER", inner));
        assert!(meant.contains(both), "{inner}: {meant}");
    }
    let meant = meant("  - {name: a, tool: t, retry: {attempts: 2, when: \"error.code == 'x-{{ y }}'\"}}\n");
    assert!(meant.contains("error.code == ('x-' ~ y)"), "{meant}");
}

#[test]
fn a_listed_output_is_what_is_read() {
    let told = |reads: &str| {
        report(&format!(
            "name: x\ndescription: d\nsteps:\n  - {{name: build, tool: t, outputs: [image]}}\n  - {{name: b, tool: t, args: {{a: '{reads}'}}}}\n"
        ))
    };
    assert!(told("build the {{ image }}").contains("Warning step-outputs «outputs» a step has one `output`"));
    assert!(told("{{ build }} image").contains("`outputs` has no effect"));
    assert!(
        told("{{ build }} {{ image }}")
            .contains("Error step-outputs «outputs» the result of this step is read as")
    );
}

#[test]
fn checks_beside_success_are_kept() {
    for checks in
        ["{expect_success: true, pattern: ok}", "[{expect_success: true, pattern: ok, message: no}]"]
    {
        let text = format!("name: x\ndescription: d\nsteps: [{{name: a, tool: t, validate: {checks}}}]\n");
        let found = report(&text);
        assert!(found.contains("validate-form") && found.contains("unknown-key «pattern»"), "{found}");
    }
}

#[test]
fn our_own_shapes_are_left_alone() {
    let text = "name: own\ndescription: d\nversion: \"1.0\"\ninputs: []\nsteps:\n  - name: a\n    tool: read\n    condition: \"{{ inputs.x == 6 }}\"\n    validate: [{condition: a, message: none}]\n  - {name: b, then: [{return: 1}]}\noutputs: [{name: a, value: 1}]\n";
    assert_eq!(report(text), "");
}

proptest::proptest! {
    #[test]
    fn any_damaged_text_can_be_fixed_or_is_left(cut in 0..FOREIGN.len(), length in 0..400_usize, paste: bool) {
        let mut end = (cut + length).min(FOREIGN.len());
        let mut start = cut;
        while !FOREIGN.is_char_boundary(start) {
            start -= 1;
        }
        while !FOREIGN.is_char_boundary(end) {
            end += 1;
        }
        let middle = if paste { FOREIGN[start..end].repeat(2) } else { String::new() };
        let mut source = Source::new("x.yaml", [&FOREIGN[..start], &middle, &FOREIGN[end..]].concat());
        for _ in 0..3 {
            let found = read(&source).1;
            source = Source::new("x.yaml", fix::apply(&source, &found).0);
        }
    }
}
