//! Steps that are healed: logins made once, bounds that hold, runs that die in between.

use serde_json::{Value, json};

use crate::support::{Aa, Ran};

/// A service that wants a login, and ways to mend that.
const SERVICE: &str = r#"
module: service
description: A service that wants a login
tools:
  - name: oc_get
    description: Gets the value
    effect: read
    input: {cluster: {type: string, default: stage}}
    run: [sh, -c, 'if [ -e "in-$1" ]; then echo got >> gets; printf value; else echo "error: You must be logged in to the server (Unauthorized)" >&2; exit 1; fi', sh, "{{ cluster }}"]
  - name: service_mend
    description: Pretends to mend something
    effect: write
    idempotent: true
    run: [sh, -c, 'echo mended >> mends']
  - name: service_once
    description: Mends, and must not be repeated
    effect: write
    run: [sh, -c, 'echo mended >> mends; touch in-stage']
"#;

/// A login that takes its time and works.
const LOGIN: &str = r#"
kube_login:
  command: [sh, -c, 'echo "login $1" >> logins; sleep 0.4; touch "in-$1"', sh, "{cluster}"]
  check: [sh, -c, 'test -e "in-$1" && echo tester', sh, "{cluster}"]
"#;

fn skill(on_error: &str) -> String {
    format!(
        "name: fetch\ndescription: Gets a value\nsteps:\n  - {{name: get, tool: oc_get, on_error: {on_error}}}\n\
         outputs: [{{name: got, value: \"{{{{ get }}}}\"}}]\n"
    )
}

fn project(on_error: &str) -> Aa {
    Aa::new().tools("service", SERVICE).skill("fetch", &skill(on_error))
}

/// A project whose only rule for logins is this one.
fn ruled(rule: &str) -> Aa {
    let off = "  - {name: kube_login, enabled: false, match: {kind: auth}, do: {tool: vpn_connect}}\n";
    let rules = format!("module: heal\ndescription: Rules of this project\nheal:\n{off}{rule}");
    project("auto_heal").tools("heal", &rules)
}

fn fetch(aa: &Aa) -> Ran {
    aa.args(["skill", "run", "fetch", "--format", "json"]).run()
}

fn lines(aa: &Aa, file: &str) -> usize {
    aa.text(file).lines().count()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn the_login_is_one_to_the_environment_that_was_asked() {
    let pods = r#"
module: pods
description: Pods
tools:
  - name: kubectl_pods
    description: Lists
    effect: read
    input: {namespace: {type: string}, environment: {type: string, default: stage}}
    run: [sh, -c, 'if [ -e "in-$1" ]; then printf pods; else echo "error: You must be logged in to the server (Unauthorized)" >&2; exit 1; fi', sh, "{{ environment }}"]
"#;
    let look = "name: look\ndescription: Looks\nsteps:\n  - {name: a, tool: kubectl_pods, on_error: auto_heal, \
                args: {namespace: api-production, environment: stage}}\n";
    let aa = Aa::new().tools("pods", pods).skill("look", look).config(LOGIN);
    aa.args(["skill", "run", "look"]).run().code(0);
    assert_eq!(aa.text("logins"), "login stage\n", "whatever the namespace is called");
}

#[test]
fn a_step_that_wants_a_login_gets_it_and_is_tried_again() {
    let aa = project("auto_heal").config(LOGIN);
    let ran = aa.args(["skill", "run", "fetch"]).run().code(0).stdout_contains("value");
    let said = ran.err();
    assert!(
        said.contains("`kube_login` is tried") && said.contains("to be tried again after `kube_login`"),
        "{said}"
    );
    assert_eq!(aa.text("logins"), "login stage\n");
    let events = aa.args(["run", "show", "1", "--format", "json"]).run().json_lines();
    let started = of(&events, "heal_started")[0];
    assert_eq!(
        (&started["rule"], &started["target"], &started["args"]),
        (&json!("kube_login"), &json!("kube_login"), &json!({"cluster": "stage"}))
    );
    assert_eq!(of(&events, "heal_finished")[0]["healed"], true);
    let calls: Vec<_> = of(&events, "step_started").iter().map(|event| event["step"].clone()).collect();
    assert_eq!(calls, [json!("get"), json!("get#heal/1_kube_login"), json!("get")]);

    let stats = aa.args(["heal", "stats", "--format", "json"]).run().code(0).json();
    let rule =
        stats["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "kube_login").unwrap().clone();
    assert_eq!((&rule["acted"], &rule["helped"], &rule["in_vain"]), (&json!(1), &json!(1), &json!(0)));
    let learned =
        aa.args(["tool", "call", "memory_read", "--arg", "key=learned/tool_failures"]).run().code(0).out();
    for word in ["kube_login(cluster=stage)", "\"auto_fixed\": 1", "\"success\": true", "oc_get"] {
        assert!(learned.contains(word), "{word}: {learned}");
    }
}

#[test]
fn when_nothing_helps_the_step_fails_unless_the_skill_goes_on() {
    let broken = "kube_login: {command: [sh, -c, 'echo no >> logins; exit 7'], check: ['false']}";
    let aa = project("auto_heal").config(broken);
    let ran = fetch(&aa).code(1);
    let events = ran.json_lines();
    assert_eq!(of(&events, "skill_failed").len(), 1);
    assert_eq!(of(&events, "heal_finished")[0]["healed"], false);
    assert_eq!(lines(&aa, "logins"), 1);

    let aa = project("auto_heal_or_continue").config(broken);
    assert_eq!(of(&fetch(&aa).code(0).json_lines(), "skill_completed")[0]["outputs"], json!({"got": null}));

    // Whoever wrote it for the engine that a lenient reading stands in for meant this.
    let aa = project("auto_heal").config(broken);
    aa.args(["skill", "run", "fetch", "--lenient"]).run().code(0);
}

#[test]
fn without_a_command_to_log_in_with_it_is_said_what_to_configure() {
    let aa = project("auto_heal").config("kube_login: {check: ['false']}");
    let events = fetch(&aa).code(1).json_lines();
    let call = of(&events, "step_failed")[0];
    assert_eq!(call["step"], "get#heal/1_kube_login");
    let message = call["error"]["message"].as_str().unwrap();
    assert!(message.contains("set `kube_login: {command: "), "{message}");
}

#[test]
fn a_rule_that_never_helps_stops_by_itself_until_a_person_says_so() {
    let aa = ruled(
        "  - {name: idle, match: {kind: auth}, do: {tool: service_mend}, per_step: 2, cool_down: 0s, breaker: {failures: 2}}\n",
    );
    fetch(&aa).code(1);
    assert_eq!(lines(&aa, "mends"), 2, "as often as a step may have it");
    let events = fetch(&aa).code(1).json_lines();
    assert_eq!(lines(&aa, "mends"), 2, "it has not helped twice");
    assert_eq!(of(&events, "heal_finished").len(), 1, "who was not let is not asked again at once");
    let note = of(&events, "heal_finished")[0]["note"].as_str().unwrap();
    assert!(note.contains("`aa heal reset idle`"), "{note}");
    aa.args(["heal", "stats"]).run().code(0).stdout_contains("has not helped 2 times in a row");
    aa.args(["heal", "reset", "idle"]).run().code(0);
    fetch(&aa).code(1);
    assert_eq!(lines(&aa, "mends"), 4);
    aa.args(["heal", "reset", "idol"]).run().code(4).stderr_contains("there is no heal rule `idol`");
    aa.args(["heal", "accept", "idol"]).run().code(4).stderr_contains("there is no proposal `idol`");
    aa.args(["memory", "patterns", "--forget", "idol"])
        .run()
        .code(4)
        .stderr_contains("there is no mistake `idol`");
}

#[test]
fn bounds_of_an_hour_and_of_a_run_hold_over_processes() {
    let aa = ruled(
        "  - {name: idle, match: {kind: auth}, do: {tool: service_mend}, per_hour: 3, cool_down: 0s, breaker: {failures: 99}}\n",
    );
    for _ in 0..5 {
        fetch(&aa).code(1);
    }
    assert_eq!(lines(&aa, "mends"), 3);

    let aa = ruled("  - {name: idle, match: {kind: auth}, do: {tool: service_mend}, per_run: 2, cool_down: 0s, breaker: {failures: 99}}\n")
        .skill("fetch", "name: fetch\ndescription: Gets values\nsteps:\n  - {name: get, tool: oc_get, foreach: [1, 2, 3, 4], on_error: auto_heal_or_continue}\n");
    fetch(&aa).code(0);
    assert_eq!(lines(&aa, "mends"), 2);

    let aa = ruled(
        "  - {name: idle, match: {kind: auth}, do: {tool: service_mend}, cool_down: 1h, breaker: {failures: 99}}\n",
    );
    fetch(&aa).code(1);
    let events = fetch(&aa).code(1).json_lines();
    assert_eq!(lines(&aa, "mends"), 1, "the same call is left alone for a while");
    let note = of(&events, "heal_finished")[0]["note"].as_str().unwrap();
    assert!(note.contains("service_mend() worked") && note.contains("run 1"), "{note}");
}

#[test]
fn a_reset_ends_the_time_for_which_a_call_is_left_alone() {
    let aa = ruled(
        "  - {name: idle, match: {kind: auth}, do: {tool: service_mend}, cool_down: 1h, breaker: {failures: 99}}\n",
    );
    fetch(&aa).code(1);
    let note = |aa: &Aa| {
        let events = fetch(aa).code(1).json_lines();
        of(&events, "heal_finished")[0]["note"].as_str().unwrap_or_default().to_owned()
    };
    assert!(note(&aa).ends_with("left alone for a while; `aa heal reset idle` ends that"));
    assert_eq!(lines(&aa, "mends"), 1);
    aa.args(["heal", "reset", "idle"]).run().code(0).stderr_contains("`idle` may act again");
    assert_eq!(note(&aa), "");
    assert_eq!(lines(&aa, "mends"), 2);
    assert!(note(&aa).contains("left alone"), "the next one is left alone again");
}

#[test]
fn without_a_check_that_somebody_configured_a_login_is_trusted() {
    // Nothing but what the login itself needs is on the search path: there is no `oc`.
    let aa = project("auto_heal").config(
        "kube_login: {command: [/bin/sh, -c, 'echo \"$1\" >> logins; : > \"in-$1\"', sh, '{cluster}']}",
    );
    let call = ["tool", "call", "kube_login", "--arg", "cluster=stage"];
    let said = aa.args(call).env("PATH", "/nowhere").run().code(0);
    let (login, told) = (said.json(), said.err());
    assert_eq!(
        (&login["changed"], &login["checked"], &login["user"]),
        (&json!(true), &json!(false), &json!(""))
    );
    assert!(told.contains("nothing checks the login to `stage`"), "{told}");
    let aa = aa.config("kube_login: {command: [/bin/sh, -c, 'exit 3']}");
    aa.args(call).env("PATH", "/nowhere").run().code(1);
}

#[test]
fn a_configured_check_whose_command_is_missing_is_an_error_that_names_it() {
    for (tool, config) in [
        ("kube_login", "kube_login: {command: [/bin/sh, -c, ':'], check: [no-such-check]}"),
        ("kube_login", "kube_login: {command: [/bin/sh, -c, ':'], check: [no-such-check, '{cluster}']}"),
        ("vpn_connect", "vpn_connect: {command: [/bin/sh, -c, ':'], check: [no-such-check]}"),
    ] {
        let aa = Aa::new().config(config);
        let args = if tool == "kube_login" { r#"{"cluster": "stage"}"# } else { "{}" };
        let ran = aa.args(["tool", "call", tool, "--args", args]).run().code(1);
        for part in [
            format!("the check of `{tool}` cannot be made: there is no command `no-such-check`"),
            format!("change `{tool}.check` in the configuration"),
        ] {
            assert!(ran.err().contains(&part), "{part}: {}", ran.err());
        }
    }
}

#[test]
fn two_processes_that_need_the_same_login_make_it_once() {
    let aa = project("auto_heal").config(LOGIN);
    let start = || aa.args(["skill", "run", "fetch", "--format", "json"]).start();
    let both = [start(), start(), start()];
    let ran = both.map(|running| running.wait().code(0).json_lines());
    assert_eq!(aa.text("logins"), "login stage\n");
    let finished: Vec<_> = ran.iter().flat_map(|events| of(events, "heal_finished")).collect();
    assert!(finished.iter().all(|event| event["healed"] == true), "{finished:#?}");
    assert_eq!(lines(&aa, "gets"), 3);
}

#[test]
fn a_sub_skill_that_is_retried_is_bound_like_one_that_is_not() {
    let aa = ruled(
        "  - {name: idle, match: {kind: auth}, do: {tool: service_mend}, per_run: 2, cool_down: 0s, breaker: {failures: 99}}\n",
    );
    let outer = "name: outer\ndescription: Gets a value\nsteps:\n  - {name: inner, skill: fetch, retry: {attempts: 5, delay: 10ms, on: [auth]}}\n";
    let aa = aa.skill("outer", outer);
    let events = aa.args(["skill", "run", "outer", "--format", "json"]).run().code(1).json_lines();
    assert_eq!(of(&events, "step_retrying").len(), 4);
    assert_eq!(lines(&aa, "mends"), 2);
}

#[test]
fn a_check_that_does_not_name_the_cluster_spares_no_login() {
    let aa = project("auto_heal").config(
        "kube_login: {command: [sh, -c, 'echo \"$1\" >> logins', sh, '{cluster}'], check: [echo, tester]}",
    );
    for cluster in ["ephemeral", "stage"] {
        let login = ["tool", "call", "kube_login", "--arg", &format!("cluster={cluster}")];
        let said = aa.args(login).run().code(0).json();
        assert_eq!((&said["changed"], &said["user"]), (&json!(true), &json!("tester")));
    }
    assert_eq!(aa.text("logins"), "ephemeral\nstage\n");
}

#[test]
fn a_dry_run_heals_nothing() {
    let aa = project("auto_heal").config(LOGIN);
    aa.args(["skill", "run", "fetch", "--dry-run"]).run().code(1);
    assert_eq!(aa.text("logins"), "");
}

#[test]
fn killed_after_every_event_around_a_healing_a_run_ends_the_same() {
    for (rule, once) in [
        ("  - {name: mend, match: {kind: auth}, do: {tool: kube_login, args: {cluster: stage}}}\n", false),
        ("  - {name: mend, match: {kind: auth}, do: {tool: service_once}}\n", true),
    ] {
        let fresh = || ruled(rule).config(LOGIN);
        let whole = fresh();
        let events = fetch(&whole).code(0).json_lines().len();
        assert_eq!(events, 9);
        for fatal in 1..events {
            let aa = fresh();
            let call = aa.args(["skill", "run", "fetch", "--format", "json"]);
            call.env("AA_TEST_KILL_AFTER", fatal.to_string()).run();
            for _ in 0..4 {
                let shown = aa.args(["run", "show", "1", "--format", "json"]).run().json_lines();
                if shown.iter().any(|event| event["event"] == "skill_completed") {
                    break;
                }
                let ran = aa.args(["run", "resume", "1", "--format", "json"]).run();
                if ran.exit_or_killed() == Some(6) {
                    // Only a person can tell whether what must not be repeated took place.
                    let path = "get#heal/1_service_once";
                    let said =
                        if aa.text("mends").is_empty() { vec!["--retry"] } else { vec!["--done", "\"\""] };
                    aa.args(["run", "resolve", "1", path].iter().chain(&said)).run().code(0);
                }
            }
            let shown = aa.args(["run", "show", "1", "--format", "json"]).run().json_lines();
            let last = shown.last().unwrap();
            assert_eq!(last["outputs"], json!({"got": "value"}), "killed at {fatal}: {shown:#?}");
            assert_eq!(of(&shown, "heal_started").len(), 1, "killed at {fatal}: {shown:#?}");
            if once {
                assert_eq!(lines(&aa, "mends"), 1, "killed at {fatal}: {shown:#?}");
            }
            let stats = aa.args(["heal", "stats", "--format", "json"]).run().json();
            assert_eq!(stats["healings"].as_array().unwrap().len(), 1, "killed at {fatal}: {stats:#}");
            assert_eq!(stats["healings"][0]["helped"], true, "killed at {fatal}: {stats:#}");
        }
    }
}

#[test]
fn rules_are_listed_shown_and_tried_on_paper() {
    let aa = project("auto_heal").config(LOGIN);
    let listed = aa.args(["heal", "list"]).run().code(0).stderr("").out();
    for rule in ["kube_login", "kube_login_by_text", "vpn_connect", "vpn_connect_by_text"] {
        assert!(listed.contains(rule), "{listed}");
    }
    aa.args(["heal", "show", "kube-login"])
        .run()
        .code(0)
        .stdout_contains("per hour")
        .stdout_contains("kind auth");
    aa.args(["heal", "show", "kube_logni"]).run().code(4).stderr_contains("did you mean `kube_login`?");
    let test = |tool: &str, said: &str| aa.args(["heal", "test", tool, said, "--format", "json"]).run();
    let auth =
        test("bonfire_release", "error: You must be logged in to the server (Unauthorized)").code(0).json();
    assert_eq!(auth["remedies"][0]["args"], json!({"cluster": "ephemeral"}));
    assert_eq!(test("jira_get", "no route to host").code(0).json()["remedies"][0]["calls"], "vpn_connect");
    let cut = "Get \"https://api.stage.example.com:6443/api?limit=5\": EOF";
    assert_eq!(test("kubectl_get", cut).code(0).json()["remedies"][0]["calls"], "vpn_connect");
    // Numbers and words that only look like it.
    for said in ["merge request !1403 is broken", "the product has 401 items", "wrote to eof-marker", "4030"]
    {
        assert_eq!(test("gitlab_mr_view", said).code(1).json()["remedies"], json!([]), "{said}");
    }
    // Not every login is one to a cluster, and no network brings up what runs here.
    for (tool, said) in [
        ("gitlab_mr_view", "HTTP 401 unauthorized"),
        ("jira_get", "connect to 127.0.0.1:8080: connection refused"),
        ("jira_get", "unexpected EOF while looking for matching quote"),
    ] {
        assert_eq!(test(tool, said).code(1).json()["remedies"], json!([]), "{said}");
    }
    test("jira_get", "connect to 10.0.0.1:8080: connection refused").code(0);
    fetch(&project("fail").config(LOGIN)).code(1);
    let aa = project("fail");
    fetch(&aa).code(1);
    aa.args(["heal", "test", "--run", "1", "--step", "get"])
        .run()
        .code(0)
        .stdout_contains("kube_login would call kube_login");
    assert_eq!(aa.text("logins"), "", "nothing is called");
}

#[test]
fn what_was_learned_is_proposed_and_acts_once_accepted() {
    let aa = project("auto_heal").config("kube_login: {check: ['false']}");
    let pattern = json!({"auth_patterns": [{"pattern": "must be logged in", "meaning": "the login is over",
        "fix": "log in again", "commands": ["service_once()"]}]});
    let write = json!({"key": "learned/patterns", "content": pattern.to_string()});
    aa.args(["tool", "call", "memory_write", "--args", &write.to_string()]).run().code(0);
    assert_eq!(
        aa.args(["heal", "list", "--format", "json"]).run().json()["proposals"],
        json!([]),
        "never seen"
    );
    for _ in 0..3 {
        let ran = aa.args(["skill", "run", "fetch"]).run().code(1);
        assert!(ran.err().contains("hint: known issue: the login is over; log in again"), "{}", ran.err());
    }
    let proposals = aa.args(["heal", "list", "--format", "json"]).run().json()["proposals"].clone();
    let name = proposals[0]["name"].as_str().unwrap().to_owned();
    assert!(proposals[0]["seen"].as_u64().unwrap() >= 3, "{proposals:#}");
    assert_eq!(aa.text("mends"), "", "a proposal does nothing");
    aa.args(["heal", "show", &name]).run().code(0).stdout_contains("service_once").stdout_contains("seen");
    aa.args(["heal", "accept", "learned_nothing"]).run().code(4);
    aa.args(["heal", "accept", &name]).run().code(0);
    assert!(aa.text(".aa/tools/heal.yaml").contains(&name));
    fetch(&aa).code(0);
    assert_eq!(lines(&aa, "mends"), 1);
    let listed = aa.args(["heal", "list", "--format", "json"]).run().json();
    assert_eq!(listed["proposals"], json!([]), "it is a rule now");
}

#[test]
fn bad_rules_are_diagnostics() {
    let rules = "module: heal\ndescription: Rules\nheal:\n  - {name: a, match: {kind: auth}, do: {tool: kube_logni, args: {cluster: x}}}\n  \
        - {name: b, match: {kind: auth}, do: {tool: kube_login, args: {clutser: x}}}\n";
    let aa = project("auto_heal").tools("heal", rules);
    let said = aa.args(["heal", "list"]).run().code(3).err();
    for part in [
        "error[unknown-tool]",
        "did you mean `kube_login`?",
        "error[unknown-argument]",
        "did you mean `cluster`?",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let aa = project("auto_heal")
        .tools("heal", "module: heal\ndescription: Rules\nheal: [{name: a, match: {}, do: {tool: echo}}]\n");
    aa.args(["skill", "check", "fetch"]).run().code(3).stderr_contains("error[heal-match]");
    aa.args(["skill", "run", "fetch"]).run().code(3);
}

#[test]
fn calls_of_rules_are_checked_like_those_of_steps() {
    let text = include_str!("fixtures/tools/unfit/heal-calls.yaml");
    let skill = "name: unfit_skill\ndescription: Logs in\ninputs: [{name: realm, type: string, required: true}]\n\
        steps: [{name: a, tool: unfit_login, args: {realm: \"{{ inputs.realm }}\"}}]\n";
    let aa = Aa::new().tools("unfit", text).skill("unfit_skill", skill);
    let ran = aa.args(["tool", "check", "unfit", "--format", "json"]).run().code(3);
    let found = ran.json();
    let codes = found.as_array().unwrap().iter().map(|problem| problem["code"].as_str().unwrap());
    let expected: Vec<&str> =
        text.lines().next().unwrap().trim_start_matches("# expect: ").split(", ").collect();
    let doubts = ["missing-output", "missing-example", "undeclared-command"];
    let codes: Vec<&str> = codes.filter(|code| !doubts.contains(code)).collect();
    assert_eq!(codes, expected);
    let said = aa.args(["tool", "check", "unfit"]).run().code(3).err();
    for part in [
        "tool `kube_login` has no argument `clustr`",
        "hint: did you mean `cluster`?",
        "`cluster` must be text, not a number",
        "there is no tool `kube_logni`",
        "hint: did you mean `kube_login`?",
        "hint: did you mean `unfit_login`?",
        "there is no skill `unfit_skil`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_skill_whose_step_counts_on_a_rule_that_cannot_act_is_told_so() {
    let rule = |tools: &str| {
        format!(
            "module: heal\ndescription: Rules\nheal:\n  - {{name: a, match: {{kind: auth, tool: {tools}}}, do: {{tool: kube_login, args: {{clustr: 5}}}}}}\n"
        )
    };
    let aa = project("auto_heal").tools("heal", &rule("oc_get"));
    let ran = aa.args(["skill", "check", "fetch"]).run().code(3);
    ran.stderr_contains("error[unknown-argument]: tool `kube_login` has no argument `clustr`");
    project("auto_heal").tools("heal", &rule("git_log")).args(["skill", "check", "fetch"]).run().code(0);
    project("fail").tools("heal", &rule("oc_get")).args(["skill", "check", "fetch"]).run().code(0);
}

#[test]
fn a_plan_says_which_rules_may_act_for_which_steps() {
    let text = "name: fetch\ndescription: Gets a value\nsteps:
  - {name: get, tool: oc_get, on_error: auto_heal}
  - {name: look, tool: git_log, on_error: auto_heal}
  - {name: plain, tool: oc_get}
";
    let aa = project("auto_heal").skill("fetch", text);
    let plan = aa.args(["skill", "plan", "fetch", "--format", "json"]).run().code(0).json();
    let rules = |step: usize| -> Vec<&str> {
        let heals = plan["steps"][step]["heals"].as_array().into_iter().flatten();
        heals.map(|heal| heal["rule"].as_str().unwrap()).collect()
    };
    // Logins are for the tools of clusters, connections for all.
    assert_eq!(rules(0), ["kube_login", "kube_login_by_text", "vpn_connect", "vpn_connect_by_text"]);
    assert_eq!(rules(1), ["vpn_connect", "vpn_connect_by_text"]);
    assert_eq!(rules(2), [""; 0]);
    assert_eq!(
        plan["steps"][0]["heals"][0],
        json!({"rule": "kube_login", "action": "tool kube_login", "effect": "write"})
    );
    let shown = aa.args(["skill", "plan", "fetch"]).run().code(0).out();
    let line = "    may be healed by vpn_connect (tool vpn_connect, write), vpn_connect_by_text (tool vpn_connect, write)\n";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn the_doctor_says_which_logins_are_counted_on_and_not_configured() {
    let findings = |aa: &Aa| -> Vec<String> {
        let all = aa.args(["doctor", "--format", "json"]).run().json();
        let all = all.as_array().unwrap().iter().filter(|finding| finding["what"] == "logins");
        all.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(findings(&project("fail")), [""; 0], "nobody has asked for the shipped rules");
    let aa = project("auto_heal");
    let expected = ["kube_login", "vpn_connect"]
        .map(|tool| format!("the skill `fetch` may call `{tool}`, which is not configured"));
    assert_eq!(findings(&aa), expected);
    assert_eq!(findings(&project("auto_heal").config(LOGIN)), expected[1..]);
    let rule = "module: mine\ndescription: Rules\nheal: [{name: mine, match: {kind: auth}, do: {tool: vpn_connect}}]\n";
    let aa = project("fail").tools("mine", rule);
    assert_eq!(findings(&aa), ["the heal rule `mine` may call `vpn_connect`, which is not configured"]);
}

#[test]
fn a_tool_says_itself_what_kind_its_errors_are() {
    let module = "module: door\ndescription: A door\nrequires: {commands: [sh]}\n\
        errors: [{match: 'the badge is stale', kind: auth}]\n\
        tools: [{name: door_open, description: Opens, effect: read, run: [sh, -c, 'exit 1']}]\n";
    let aa = Aa::new().tools("door", module);
    let kind = |said: &str| {
        let ran = aa.args(["heal", "test", "door_open", said, "--format", "json"]).run();
        ran.json()["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind("sorry, the badge is stale"), "auth");
    assert_eq!(kind("connection refused"), "network");
    assert_eq!(kind("sorry"), "permanent");
}

#[test]
fn a_rule_does_not_put_a_secret_of_the_failed_call_on_a_command_line() {
    let module = r#"
module: guarded
description: A service that wants a login
tools:
  - name: guarded_get
    description: Gets the value
    effect: read
    input: {token: {type: string}}
    run: [sh, -c, 'echo "error: You must be logged in to the server (Unauthorized)" >&2; exit 1']
    env: {TOKEN: "{{ token }}"}
  - name: guarded_login
    description: Shows its token to all
    effect: write
    idempotent: true
    input: {token: {type: string}}
    run: [touch, was-run, "token={{ token }}"]
"#;
    let rule = "  - {name: openly, match: {kind: auth}, do: {tool: guarded_login, args: {token: '{{ args.token }}'}}}\n";
    let skill = "name: fetch\ndescription: Gets a value\nsteps:\n  - {name: get, tool: guarded_get, args: {token: '{{ secrets.TOKEN }}'}, on_error: auto_heal}\n";
    let aa = ruled(rule)
        .tools("guarded", module)
        .skill("fetch", skill)
        .config("secrets: {TOKEN: {env: REAL_TOKEN}}\n");
    let ran = aa
        .args(["skill", "run", "fetch", "--format", "json"])
        .env("REAL_TOKEN", "hunter22-and-more")
        .run()
        .code(1);
    let said = ran.to_string();
    assert!(said.contains("would stand on the command line of `touch`"), "{said}");
    assert!(!said.contains("hunter22") && !aa.path("was-run").exists(), "{said}");
}

#[test]
fn a_rule_cannot_name_a_secret() {
    let aa = ruled(
        "  - {name: named, match: {kind: auth}, do: {tool: vpn_connect, args: {x: '{{ secrets.TOKEN }}'}}}\n",
    )
    .config("secrets: {TOKEN: {env: REAL_TOKEN}}\n");
    aa.args(["tool", "check", "heal"]).run().code(3).stderr_contains("a heal rule knows no `secrets.TOKEN`");
}
