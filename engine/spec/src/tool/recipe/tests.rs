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
fn what_was_found_of_an_address_is_read_by_the_tool_that_asks_and_not_by_the_address() {
    let problems = |asks: &str, input: &str| {
        let text = format!(
            "module: x\ndescription: A module\ntools:\n  - {{name: x_y, description: A tool, effect: read, input: {{url: {{type: string}}{input}}}, {asks}run: [curl, '{{{{ outward.address }}}}'], examples: [{{args: {{url: a}}}}]}}\n",
        );
        let (_, diagnostics) = check(&Source::new("tools/x.yaml", text));
        diagnostics.iter().map(|one| format!("{}: {}", one.code, one.message)).collect::<Vec<_>>()
    };
    let asks = |address: &str| format!("asks: {{address: '{address}'}}, ");
    assert!(problems(&asks("{{ url }}"), "").is_empty(), "{:?}", problems(&asks("{{ url }}"), ""));
    let unknown = "unknown-reference: `outward` is no argument of `x_y`".to_owned();
    assert_eq!(problems("", ""), std::slice::from_ref(&unknown));
    assert_eq!(problems(&asks("{{ outward.host }}"), ""), [unknown]);
    let reserved =
        "reserved-name: `outward` is what templates of this tool call what was found of whom it `asks`";
    assert_eq!(problems(&asks("{{ url }}"), ", outward: {type: string, optional: true}"), [reserved]);
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

#[test]
fn a_code_is_a_success_or_an_error() {
    let refused =
        |what: &str| vec![format!("bad-value: the {what} of `x_y` is among `ok` and among `kinds`")];
    let both = "{path: /a, ok: [200, 404], kinds: {404: not_found}}";
    assert_eq!(wrong_with("{base: 'https://a.example'}", "read", both), refused("status 404"));
    // What the module says of a status, a tool of it may see otherwise.
    let apart = "{base: 'https://a.example', kinds: {404: not_found}}";
    assert_eq!(wrong_with(apart, "read", "{path: /a, ok: [200, 404]}"), Vec::<String>::new());
    let text = "module: x\ndescription: d\ntools: [{name: x_y, description: d, effect: read, run: [x], exit: {kinds: {0: auth}}}]\n";
    let problems = check(&Source::new("x.yaml", text)).1;
    assert_eq!(problems[0].message, "the exit code 0 of `x_y` is among `ok` and among `kinds`");
}

#[test]
fn what_a_request_finds_out_first_is_known_from_then_on() {
    let text = r#"
module: x
description: A module
config: {url: {}}
http: {base: "{{ config.url }}/{{ place }}"}
tools:
  - name: x_y
    description: A tool
    effect: read
    input: {place: {type: string}}
    http:
      first:
        - {as: one, path: "/{two}", value: body.one}
        - {as: two, value: one.id}
        - {as: two, value: body.x}
        - {as: place, value: "1"}
        - {as: status, value: "1"}
        - {as: no name, value: "1"}
        - {as: three}
        - {as: four, value: "1", missing: "{{ five }}"}
      if: five
      path: "/{one}/{two}"
    value: {a: "{{ three }}", b: "{{ five }}"}
"#;
    let source = Source::new("x.yaml", text);
    let problems = check(&source).1;
    let mut messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    messages.sort_unstable();
    let expected = [
        "`body` is no argument of `x_y`",
        "`five` is no argument of `x_y`",
        "`five` is no argument of `x_y`",
        "`five` is no argument of `x_y`",
        "`no name` cannot be a name",
        "`place` means something else already",
        "`status` means something else already",
        "`three` asks nobody (`path`, `url`) and is made of nothing (`value`)",
        "`two` is found out twice",
        "`two` is no argument of `x_y`",
    ];
    assert_eq!(messages, expected);
    let other = text.replace("input: {place: {type: string}}", "input: {}");
    let problems = check(&Source::new("x.yaml", other)).1;
    assert!(
        problems.iter().any(|problem| problem.message == "`place` is no argument of `x_y`"),
        "{problems:?}"
    );
}

/// What is wrong with a module of one tool that asks a service.
fn wrong_with(service: &str, effect: &str, request: &str) -> Vec<String> {
    let text = format!(
        "module: x\ndescription: d\nconfig: {{token: {{secret: true}}}}\nhttp: {service}\ntools:\n  - name: x_y\n    description: d\n    effect: {effect}\n    input: {{place: {{type: string}}}}\n    http: {request}\n"
    );
    let problems = check(&Source::new("x.yaml", text)).1;
    problems.into_iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect()
}

#[test]
fn what_proves_who_asks_goes_to_a_base_and_nowhere_else() {
    let (auth, url) = ("auth: {bearer: '{{ config.token }}'}", "url: '{{ place }}'");
    let refused = |key: &str| vec![format!("missing-key: `{key}` would go wherever this `url` points")];
    let headers = "{headers: {X-Token: '{{ config.token }}'}}";
    assert_eq!(wrong_with(&format!("{{{auth}}}"), "read", &format!("{{{url}}}")), refused("auth"));
    assert_eq!(wrong_with(headers, "read", &format!("{{{url}}}")), refused("headers"));
    assert_eq!(wrong_with("{}", "read", &format!("{{{url}, {auth}}}")), refused("auth"));
    let first = format!("{{first: [{{as: one, {url}}}], url: 'https://a.example'}}");
    assert_eq!(wrong_with(&format!("{{{auth}}}"), "read", &first).len(), 2);
    let based = format!("{{base: 'https://a.example', {auth}}}");
    assert_eq!(wrong_with(&based, "read", &format!("{{{url}}}")), Vec::<String>::new());
    assert_eq!(wrong_with("{}", "read", &format!("{{{url}}}")), Vec::<String>::new());
}

#[test]
fn what_only_reads_sends_nothing_that_changes_something() {
    let base = "{base: 'https://a.example'}";
    for method in ["PUT", "PATCH", "DELETE"] {
        let request = format!("{{path: /a, method: {method}}}");
        let refused = format!("bad-value: `x_y` says that it only reads, and sends `{method}`");
        assert_eq!(wrong_with(base, "read", &request), [refused]);
        assert_eq!(wrong_with(base, "write", &request), Vec::<String>::new());
        let first = format!("{{first: [{{as: one, path: /b, method: {method}}}], path: /a}}");
        let refused = format!("bad-value: `one` is found out by `{method}`, which changes something");
        assert_eq!(wrong_with(base, "write", &first), [refused]);
    }
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        let request =
            format!("{{first: [{{as: one, path: /b, method: {method}}}], path: /a, method: {method}}}");
        assert_eq!(wrong_with(base, "read", &request), Vec::<String>::new());
    }
}

#[test]
fn a_command_line_may_tell_whether_there_is_a_secret() {
    let found = |argument: &str| {
        let text = format!(
            "module: x\ndescription: d\nconfig: {{token: {{secret: true}}}}\ntools:\n  - name: x_y\n    description: d\n    effect: read\n    run: [a, \"{argument}\"]\n"
        );
        let (_, diagnostics) = check(&Source::new("tools/x.yaml", text));
        diagnostics.iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(found("{{ '--login' if config.token else '--guest' }}"), [] as [&str; 0]);
    for argument in
        ["{{ config.token }}", "{{ config.token[0] }}", "{{ config.token or 'x' }}", "{{ config.token.x }}"]
    {
        assert!(found(argument).contains(&"secret-in-command"), "{argument}");
    }
}
