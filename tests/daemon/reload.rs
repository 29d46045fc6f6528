//! Files that change under the daemon: skills, tools, personas and the configuration, each all at once.

use serde_json::{Value, json};

use super::{Daemon, TOOLS, TWO, allowing, daemon, project, run_status, start, status};
use crate::support::{Aa, eventually};

const GREET: &str = "\
name: greet
description: Greets
inputs: [{name: ask, type: boolean, default: false}]
steps:
  - {name: sure, confirm: {message: sure?, options: ['yes']}, condition: '{{ inputs.ask }}'}
  - {name: it, tool: note, args: {text: '{{ config.greeting }}'}, needs: [sure]}
outputs: [{name: said, value: '{{ config.greeting }}'}]
";

/// What a run says in the end. (Commands would not get that far while the configuration is broken.)
fn said(it: &Daemon<'_>, run: i64) -> Value {
    let mut shown = Value::Null;
    eventually("it is over", || {
        shown = it.get(&format!("/api/runs/{run}")).message();
        shown["run"]["status"] == "completed"
    });
    shown["outputs"]["said"].clone()
}

fn configure(aa: &Aa, text: &str) {
    std::fs::write(aa.home().join("config/aa-workflow/config.yaml"), allowing(text)).unwrap();
}

#[test]
fn the_configuration_is_exchanged_at_once_and_a_run_keeps_the_one_it_began_with() {
    let aa = project("values: {greeting: hello}\n").skill("greet", GREET);
    let it = start(&aa);
    let greet = |inputs: Value| it.start("greet", &inputs);
    let first = greet(json!({}));
    assert_eq!(said(&it, first), "hello");
    let held = greet(json!({"ask": true}));
    eventually("it asks", || run_status(&aa, held)["status"] == "waiting");
    configure(&aa, "values: {greeting: servus}\n");
    eventually("it is another one", || {
        let run = greet(json!({}));
        said(&it, run) == "servus"
    });
    // Half a file changes nothing, and is said once.
    configure(&aa, "values: {greeting: [\nserve: {runs: many}\n");
    eventually("it is said", || {
        daemon(&aa, &["logs", "-n", "1000"]).out().contains("the configuration stays as it was")
    });
    let run = greet(json!({}));
    assert_eq!(said(&it, run), "servus");
    // The daemon looks once a second how it stands.
    eventually("its state says so, too", || {
        let shown = daemon(&aa, &["status"]).code(0).out();
        shown.contains("broken     the configuration stays as it was: ") && shown.contains("config.yaml:")
    });
    let log = daemon(&aa, &["logs", "-n", "1000"]).out();
    assert!(!log.contains("the skill has errors"), "{log}");
    configure(&aa, "values: {greeting: moin}\n");
    eventually("it is mended", || {
        let run = greet(json!({}));
        said(&it, run) == "moin"
    });
    assert_eq!(
        it.post(&format!("/api/runs/{held}/answer"), &json!({"step": "sure", "answer": "yes"})).status,
        200
    );
    assert_eq!(said(&it, held), "hello");
    eventually("that is seen", || !daemon(&aa, &["status"]).code(0).out().contains("broken"));
}

#[test]
fn skills_tools_and_personas_come_change_and_go() {
    let aa = project("");
    let it = start(&aa);
    let has = |path: &str, name: &str| it.get(path).body.contains(&format!("\"{name}\""));
    assert!(!has("/api/skills?limit=500", "fresh"));
    let skill = |text: &str| {
        format!(
            "name: fresh\ndescription: New\nsteps: [{{name: it, tool: note, args: {{text: {text}}}}}]\noutputs: [{{name: said, value: {text}}}]\n"
        )
    };
    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(aa.path(path).parent().unwrap()).unwrap();
        std::fs::write(aa.path(path), text).unwrap();
    };
    write(".aa/skills/fresh.yaml", &skill("one"));
    write(
        ".aa/tools/late.yaml",
        "module: late\ndescription: Late\ntools:\n  - {name: late_say, description: Says it, effect: read, input: {}, run: [printf, x]}\n",
    );
    write(".aa/personas/me.yaml", "name: me\ndescription: Mine\nmodules: [late]\n");
    write(".aa/personas/me.md", "You are me.\n");
    for (path, name) in
        [("/api/skills?limit=500", "fresh"), ("/api/tools?limit=500", "late_say"), ("/api/personas", "me")]
    {
        eventually(name, || has(path, name));
    }
    let run = it.start("fresh", &json!({}));
    assert_eq!(said(&it, run), "one");
    write(".aa/skills/fresh.yaml", &skill("two"));
    eventually("it is another one", || {
        let run = it.start("fresh", &json!({}));
        said(&it, run) == "two"
    });
    for path in [".aa/skills/fresh.yaml", ".aa/tools/late.yaml", ".aa/personas/me.yaml"] {
        std::fs::remove_file(aa.path(path)).unwrap();
    }
    for (path, name) in
        [("/api/skills?limit=500", "fresh"), ("/api/tools?limit=500", "late_say"), ("/api/personas", "me")]
    {
        eventually(name, || !has(path, name));
    }
}

#[test]
fn a_file_that_breaks_is_said_and_so_is_that_it_is_mended() {
    let aa = project("");
    let it = start(&aa);
    let broken = || status(&aa)["daemon"]["health"]["broken"].clone();
    assert_eq!(broken(), json!([]));
    let files = [
        (".aa/skills/two.yaml", TWO),
        (".aa/tools/probe.yaml", TOOLS),
        (".aa/personas/me.yaml", "name: me\ndescription: Mine\nmodules: [probe]\ntext: You are me.\n"),
    ];
    std::fs::create_dir_all(aa.path(".aa/personas")).unwrap();
    for (file, text) in files {
        std::fs::write(aa.path(file), format!("{text}nonsense: 1\n")).unwrap();
        eventually("it is said", || broken().to_string().contains(file));
        daemon(&aa, &["status"]).code(0).stdout_contains(&format!("broken     {file}:"));
        let log = daemon(&aa, &["logs", "-n", "1000"]).out();
        let line = log.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("{log}")).to_owned();
        assert!(line.contains("WARN") && line.contains("nonsense"), "{line}");
        let ready = it.get("/readyz");
        assert_eq!(
            (ready.status, ready.message()["broken_files"].as_u64() >= Some(1)),
            (200, true),
            "{ready:?}"
        );
        assert!(!it.get("/metrics").body.contains("\naa_files_broken 0\n"));
        std::fs::write(aa.path(file), text).unwrap();
        eventually("it is mended", || broken() == json!([]));
        let log = daemon(&aa, &["logs", "-n", "1000"]).out();
        assert!(log.lines().any(|line| line.contains(file) && line.contains("no errors any more")), "{log}");
    }
}
