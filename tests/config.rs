//! `aa config …` and the places that settings come from.

use crate::support::Aa;

#[test]
fn a_good_configuration_has_no_problems() {
    let aa = Aa::new().config("limits: {calls: 4}\nvalues: {team: blue}\n");
    aa.args(["config", "check"]).run().code(0).stdout("").stderr("✓ the configuration has no problems\n");
}

#[test]
fn every_mistake_in_the_configuration_is_shown() {
    let aa = Aa::new().config("limitz: {calls: 4}\nstore: {durability: sometimes}\n");
    insta::assert_snapshot!(aa.args(["config", "check"]).run().code(3).stdout("").err(), @"
    error[unknown-key]: unknown key `limitz` in a config
       ╭─[.aa/config.yaml:1:1]
     1 │ limitz: {calls: 4}
       · ──────
     2 │ store: {durability: sometimes}
       ╰────
    hint: did you mean `limits`?

    error[bad-value]: `durability` cannot be `sometimes`
       ╭─[.aa/config.yaml:2:21]
     1 │ limitz: {calls: 4}
     2 │ store: {durability: sometimes}
       ·                     ─────────
       ╰────
    hint: it is one of `full`, `normal`

    error: 2 errors in .aa/config.yaml
    ");
    let found = aa.args(["config", "check", "--format", "json"]).run().code(3).stderr("").json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    aa.args(["skill", "list"]).run().code(3).stdout("").stderr_contains("unknown-key");
}

#[test]
fn scopes_that_open_nothing_for_another_tenant_are_warned_of() {
    let aa = Aa::new().own_config(
        "serve:\n  keys:\n    - {principal: ci, tenant: red, hash: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', scopes: ['skill:*:read', 'schedule:*:run']}\n",
    );
    let ran = aa.args(["config", "check"]).run().code(0);
    ran.stderr_contains("warning[idle-scope]: `schedule:*:run` opens nothing for the tenant `red`");
}

#[test]
fn settings_are_shown_with_who_said_so() {
    let aa = Aa::new().config("limits:\n  calls: 4\nvalues: {team: blue}\n");
    let shown = aa.args(["config", "show", "--origin"]).env("AA_STORE_DURABILITY", "normal").run().code(0);
    insta::assert_snapshot!(shown.stderr("").out(), @r#"
    compute.calls: 200  # default
    compute.depth: 200  # default
    compute.memory: 67108864  # default
    compute.output: 1048576  # default
    compute.printed: 65536  # default
    compute.source: 65536  # default
    compute.timeout: 5s  # default
    compute.workers: 4  # default
    events.listeners: 2000  # default
    limits.calls: 4  # .aa/config.yaml:2
    limits.output_bytes: 1048576  # default
    log.format: text  # default
    notify.limit.messages: 10  # default
    notify.limit.per: 1h  # default
    scheduler.enabled: true  # default
    scheduler.keep: "90d"  # default
    scheduler.policy.destructive: allow  # default
    scheduler.policy.read: allow  # default
    scheduler.policy.write: allow  # default
    serve.limits.connections: 512  # default
    serve.limits.message: 4194304  # default
    serve.limits.rate: 500  # default
    serve.limits.requests: 256  # default
    serve.limits.sessions: 64  # default
    serve.limits.wrong_keys: 60  # default
    serve.policy.destructive: ask  # default
    serve.policy.read: allow  # default
    serve.policy.write: plan  # default
    serve.runs: 5  # default
    serve.runs_per_session: 2  # default
    serve.self_approve: false  # default
    serve.session_keep: "30d"  # default
    serve.session_stale: 24h  # default
    serve.session_timeout: 1h  # default
    serve.shutdown_timeout: 10s  # default
    serve.task_after: 1s  # default
    serve.tool_budget: 80  # default
    serve.wait: 40s  # default
    serve.waiting_runs: 1000  # default
    store.durability: normal  # AA_STORE_DURABILITY
    store.folder: [home]/state/aa-workflow  # default
    store.inline_limit: 65536  # default
    values.team: blue  # .aa/config.yaml:3
    "#);
    let json = aa.args(["config", "show", "--format", "json"]).run().code(0).json();
    assert_eq!(json["limits.calls"], 4);
}

#[test]
fn an_unknown_variable_of_ours_is_an_error() {
    let ran = Aa::new().args(["skill", "list"]).env("AA_STORE_DURABLITY", "normal").run();
    insta::assert_snapshot!(ran.err(), @"
    error[unknown-key]: there is no setting `AA_STORE_DURABLITY`
      --> environment variable AA_STORE_DURABLITY:1:1
    hint: did you mean `AA_STORE_DURABILITY`?

    error: 1 error in environment variable AA_STORE_DURABLITY
    ");
}

#[test]
fn secrets_are_never_shown() {
    let aa = Aa::new().config("secrets: {TOKEN: {env: MY_TOKEN}}\n");
    let shown = aa.args(["config", "show", "--origin"]).env("MY_TOKEN", "hunter2").run().code(0);
    assert!(!shown.out().contains("hunter2"));
    shown.stdout_contains("TOKEN");
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_healthy_project() {
    let aa = Aa::traced();
    let ran = aa.args(["doctor"]).run().code(0).stderr("");
    insta::assert_snapshot!(steady(&ran.out()), @"
    ✓ configuration  user [home]/config/aa-workflow, project [project]/.aa
    ✓ store          [home]/state/aa-workflow, survives a power cut
    ✓ disk           [size] free for the store
    ✓ runs           none was interrupted
    ✓ skills         [count] skills found
    ✓ modules        [count] modules ready
    ✓ git            version [version]
    ");
}

#[test]
fn the_doctor_says_that_a_proxy_of_the_environment_is_not_used() {
    let aa = Aa::new();
    let said =
        |aa: &Aa| aa.args(["doctor"]).env("HTTPS_PROXY", "http://127.0.0.1:9").run().code(0).to_string();
    assert!(said(&aa).contains("`HTTPS_PROXY` is set, and `aa` does not read it"), "{}", said(&aa));
    let aa = aa.config("http: {proxy: 'http://127.0.0.1:9'}\n");
    assert!(!said(&aa).contains("HTTPS_PROXY"), "{}", said(&aa));
}

#[test]
fn the_doctor_says_what_is_broken() {
    let aa = Aa::new().tools("bad", "module: bad\ndescription: Bad\ntools: []\nodd: 1\n");
    let ran = aa.args(["doctor", "--store", "/proc/aa"]).run().code(1).stderr("");
    insta::assert_snapshot!(steady(&ran.out()), @"
    ✓ configuration  user [home]/config/aa-workflow, project [project]/.aa
    ✗ store          cannot use the store `/proc/aa`: no such file or directory
                     hint: put that right, or use another one with `--store DIR`
    ? disk           0 B free for the store
                     hint: a run stops when its events cannot be written
    ✓ skills         [count] skills found
    ✗ modules        1 error in .aa/tools/bad.yaml
                     hint: `aa tool list` says more
    ✓ modules        [count] modules ready
    ✓ git            version [version]
    ");
}

/// Without what differs between machines.
fn steady(text: &str) -> String {
    let filters = [
        (r"[\d.]+ [kMGT]B free", "[size] free"),
        (r"version \d\S*", "version [version]"),
        (r"\d+ (skill|module)s", "[count] ${1}s"),
        // Which commands are there is the machine's affair.
        ("; without their commands .*", ""),
    ];
    filters.iter().fold(text.to_owned(), |text, (pattern, replacement)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
    })
}

#[test]
fn a_key_is_made_for_roles_that_there_are() {
    let aa = Aa::new().own_config("serve: {roles: {deployer: ['skill:deploy_*:write']}}\n");
    let key = |role: &str| aa.args(["config", "key", "ann", "--role", role]).run();
    insta::assert_snapshot!(key("depoyer").code(2).stdout("").err(), @"
    error: there is no role `depoyer`; did you mean `deployer`?
    hint: known: `viewer`, `operator`, `auditor`, `admin` and `deployer`; others are named under `serve.roles` of your own configuration
    ");
    for known in ["viewer", "deployer"] {
        key(known).code(0).stderr_contains("serve.keys");
    }
}

#[test]
fn a_configuration_that_is_no_text_has_an_error_with_its_place() {
    let aa = Aa::new().file(".aa/config.yaml", b"limits:\n  calls: \xff\n");
    for command in [["config", "check"], ["skill", "list"]] {
        let ran = aa.args(command).run().code(3);
        ran.stderr_contains("error[not-utf8]: the byte 0xff is not UTF-8 text")
            .stderr_contains("config.yaml:2:10");
    }
}

#[test]
fn secrets_of_modules_are_references() {
    let module = "module: forge\ndescription: A forge\nconfig:\n  url: {default: 'http://localhost'}\n  token: {secret: true}\n\
        http: {base: \"{{ config.url }}\", auth: {bearer: \"{{ config.token }}\"}}\ntools:\n  - name: forge_get\n    \
        description: Gets\n    effect: read\n    http: {path: /x}\n";
    let with = |token: &str| {
        let config = format!(
            "secrets: {{FORGE: {{env: MY_TOKEN}}}}\nmodules:\n  forge:\n    url: http://f\n    token: {token}\n"
        );
        Aa::new().tools("forge", module).config(&config)
    };
    let aa = with("glpat-written-down");
    insta::assert_snapshot!(aa.args(["config", "check"]).run().code(3).stdout("").err(), @r#"
    error[written-secret]: `token` of `forge` is secret and must not be written down
       ╭─[.aa/config.yaml:5:12]
     4 │     url: http://f
     5 │     token: glpat-written-down
       ·            ──────────────────
       ╰────
    hint: write `"{{ secrets.NAME }}"`, and under `secrets:` whether NAME is in a variable, a file or a command

    error: 1 error in .aa/config.yaml
    "#);
    for args in ["config show", "config show --origin", "config show --format json"] {
        let shown = aa
            .args(args.split(' '))
            .run()
            .code(0)
            .stdout_contains("‹secret›")
            .stdout_contains("http://f")
            .out();
        assert!(!shown.contains("glpat"), "{shown}");
    }
    for nothing in ["null", "~", "", "\"\""] {
        with(nothing).args(["config", "check"]).run().code(0).stdout("");
    }
    let aa = with("\"{{ secrets.FORGE }}\"");
    aa.args(["config", "check"]).run().code(0).stdout("");
    aa.args(["config", "show"]).run().code(0).stdout_contains("{{ secrets.FORGE }}");
}
