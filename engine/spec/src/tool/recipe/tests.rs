//! What a module becomes, and what is said of one that is wrong.

use super::*;

const GIT: &str = r#"
module: git
description: Local git repositories
requires: {commands: [git]}
tools:
  - name: git_log
    description: Commits of a repository, newest first
    effect: read
    input:
      repo: {type: string, default: "."}
      limit: {type: integer, default: 10, minimum: 1}
      author: {type: string, optional: true}
      all: {type: boolean}
    run:
      - git
      - -C
      - "{{ repo }}"
      - log
      - "--max-count={{ limit }}"
      - 3
      - {if: all, then: [--all]}
    env: {GIT_PAGER: cat}
    result: {lines: {split: "\t", fields: [sha, subject]}}
    exit: {ok: [0, 1], kinds: {128: not_found}}
    errors: [{match: "not a git repository", kind: not_found, hint: "give `repo`"}]
    timeout: 30
    examples: [{args: {all: true, limit: 3}}]
aliases: {log: git_log}
"#;

#[test]
fn a_module_becomes_specs_and_recipes() {
    let source = Source::new("tools/git.yaml", GIT);
    let (module, diagnostics) = check(&source);
    assert_eq!(diagnostics, []);
    let module = module.unwrap();
    let spec = &module.specs(&source)[0];
    assert_eq!(spec.source, "tools/git.yaml:6");
    assert_eq!(spec.input["required"], serde_json::json!(["all"]));
    assert_eq!(spec.input["properties"]["author"], serde_json::json!({"type": "string"}));
    assert!(spec.idempotent);
    let recipe = compile(&module, module.tool("log").unwrap(), &source).unwrap();
    let Way::Run(run) = recipe.way else { panic!("it is a command") };
    assert_eq!(run.run.len(), 7);
    assert_eq!(recipe.common.timeout_ms, Some(30_000));
    assert_eq!(run.kinds[&128], ErrorKind::NotFound);
    let Some(Reading::Lines { fields, .. }) = recipe.common.result else { panic!("it is read by lines") };
    assert_eq!(fields, ["sha", "subject"]);
}

#[test]
fn what_does_not_fit_together_is_found() {
    let text = r#"
module: x
description: A module
env: {A: "{{ repo }}"}
tools:
  - name: x_y
    description: A tool
    effect: read
    input: {repo: {type: string}}
    run: [x, {if: repo, then: ["{{ rep }}"], else: [y]}, {options: "{{ repo }}"}]
    result:
      object:
        one: {lines: {match: '(?P<size>\d+)', fields: [size], types: {size: integer, sise: integer}}}
        two: {regex: {pattern: "(?P<n>.)", types: {m: flag}}}
    value: {a: "{{ result.one }}", b: "{{ exit_code }}", c: "{{ resolt }}"}
"#;
    let source = Source::new("x.yaml", text);
    let (module, problems) = check(&source);
    assert!(module.is_some());
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let expected = [
        "`repo` is not known to the whole module",
        "`types` names `sise`, which is no field of the result",
        "`types` names `m`, which is no field of the result",
        "`rep` is no argument of `x_y`",
        "`match` stands in place of `split` and `fields`",
        "`resolt` is no argument of `x_y`",
    ];
    assert_eq!(messages, expected);
}
