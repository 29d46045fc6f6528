//! Every shipped skill planned and drawn: what people read before they let one run.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Aa;

/// Inputs that the skills cannot do without, and some that change what they would do.
const INPUTS: [(&str, &[&str]); 18] = [
    ("backup-folder", &["folder=photos", "target=backups"]),
    ("cert-check", &[r#"servers=["example.org"]"#]),
    ("deploy-ephemeral", &["mr=123"]),
    ("find-regression", &[r#"command=["make", "test"]"#, "good=v1.0"]),
    ("git-sync", &[r#"repos=["work/api"]"#]),
    ("http-check", &[r#"urls=["https://example.org"]"#]),
    ("log-triage", &["path=app.log"]),
    ("port-check", &[r#"ports=["localhost:5432"]"#]),
    (
        "bonfire_deploy_aa_from_snapshot",
        &["namespace=ephemeral-1", r#"snapshot_json={"spec": {"components": []}}"#],
    ),
    ("jira_ai_helper", &["issue_key=ABC-12"]),
    ("knowledge_deep_scan", &["project=acme/api"]),
    ("workflow_check_deploy_readiness", &["project=acme/api", "mr_id=12"]),
    ("workflow_handle_review", &["issue_key=ABC-12", "repo=work/api"]),
    ("workflow_monitor_pipelines", &["repo=work/api"]),
    ("workflow_prepare_mr", &["issue_key=ABC-12", "repo=work/api"]),
    ("workflow_review_feedback", &["project=acme/api", "mr_id=12"]),
    ("workflow_run_local_checks", &["repo=work/api"]),
    ("workflow_start_work", &["issue_key=ABC-12"]),
];

/// Every shipped skill, by the name of its file.
fn skills() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../skills");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let skills = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let names = skills.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| !name.contains('.')).collect()
}

#[test]
fn every_shipped_skill_has_the_plan_and_the_graph_it_had() {
    let aa = Aa::new();
    let skills = skills();
    assert!(skills.len() >= 16);
    for skill in skills {
        let inputs = INPUTS.iter().find(|(name, _)| *name == skill).map_or(&[][..], |(_, inputs)| inputs);
        let mut args = vec!["skill", "plan", &skill];
        args.extend(inputs.iter().flat_map(|input| ["-i", input]));
        let planned = aa.args(args).run().code(0);
        let said = planned.err();
        assert!(said.starts_with("run exactly this with `--plan [hash]`"), "{said}");
        insta::with_settings!({snapshot_path => "snapshots/plan", prepend_module_to_snapshot => false}, {
            let drawn = aa.args(["skill", "graph", &skill]).run().code(0).stderr("").out();
            insta::assert_snapshot!(skill.clone(), format!("{}\n{drawn}", planned.out()));
        });
    }
}

#[test]
fn a_plan_says_which_hosts_and_secrets_the_modules_of_its_tools_are_configured_with() {
    let module = "module: forge\ndescription: A forge\nconfig:\n  url: {description: Where, env: FORGE_URL}\n  token: {description: Key, env: FORGE_TOKEN, secret: true}\n\
        http: {base: \"{{ config.url }}/api\", auth: {bearer: \"{{ config.token }}\"}}\n\
        tools:\n  - {name: forge_get, description: Gets, effect: read, input: {}, http: {path: /x}}\n  \
        - {name: forge_other, description: Gets, effect: read, input: {}, http: {url: \"https://other.example/y\"}}\n";
    let skill = "name: look\ndescription: Looks\nsteps:\n  - {name: a, tool: forge_get}\n  - {name: b, tool: forge_other}\n  - {name: c, tool: gitlab_mr_view, args: {project: a/b, mr: 1}}\n  \
        - {name: d, compute: \"result = call_tool('forge_get')\"}\n";
    let planned = |aa: &Aa, env: &[(&str, &str)]| -> Vec<(String, String)> {
        let call = aa.args(["skill", "plan", "look", "--format", "json"]);
        let plan = env.iter().fold(call, |call, (name, value)| call.env(name, value)).run().code(0).json();
        let list = |step: &serde_json::Value, key: &str| {
            let names = step[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            names.collect::<Vec<_>>().join(",")
        };
        let steps = plan["steps"].as_array().unwrap();
        steps.iter().map(|step| (list(step, "touches"), list(step, "secrets"))).collect()
    };
    let is = |places: &str, secrets: &str| (places.to_owned(), secrets.to_owned());
    let aa = Aa::new().tools("forge", module).skill("look", skill);
    assert_eq!(
        planned(&aa, &[]),
        [is("", ""), is("other.example", ""), is("gitlab.com", ""), is("", "")],
        "what is not configured is not known"
    );
    let env = [
        ("FORGE_URL", "https://me:pass@forge.example:8443/x"),
        ("FORGE_TOKEN", "t0ken"),
        ("GITLAB_URL", "https://git.example"),
        ("GITLAB_TOKEN", "t1ken"),
    ];
    let forge = is("forge.example:8443", "FORGE_TOKEN");
    let of_env =
        [forge.clone(), is("other.example", "FORGE_TOKEN"), is("git.example", "GITLAB_TOKEN"), forge];
    assert_eq!(planned(&aa, &env), of_env);
    let aa = aa.own_config(
        "secrets: {FORGE: {env: FORGE_KEY}}\nmodules: {forge: {url: 'http://near.example', token: '{{ secrets.FORGE }}'}}\n",
    );
    assert_eq!(planned(&aa, &env)[0], is("near.example", "FORGE"), "the file comes before the environment");
    aa.args(["skill", "plan", "look"])
        .run()
        .code(0)
        .stdout_contains("secrets FORGE")
        .stdout_contains("touches near.example");
}

#[test]
fn graphs_come_in_three_forms() {
    let aa = Aa::traced()
        .skill("reference", include_str!("fixtures/skills/run/reference.yaml"))
        .skill("early", include_str!("fixtures/skills/run/early.yaml"));
    let draw = |form: &str| {
        aa.args(["skill", "graph", "reference", "--format", form]).run().code(0).stderr("").out()
    };
    let terminal = aa.args(["skill", "graph", "reference"]).run().code(0).stderr("").out();
    assert_eq!(terminal, draw("terminal"), "it is what people get who say nothing");
    insta::with_settings!({snapshot_path => "snapshots/graph", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("terminal", terminal);
        insta::assert_snapshot!("mermaid", draw("mermaid"));
        insta::assert_snapshot!("svg", draw("svg"));
    });
    aa.args(["skill", "graph", "early", "--format", "svg", "-o", "it.svg"])
        .run()
        .code(0)
        .stdout("")
        .stderr("");
    aa.args(["skill", "graph", "early", "--format", "svg"]).run().code(0).stdout(&aa.text("it.svg"));
    let nowhere = aa.args(["skill", "graph", "reference", "-o", "no/where.svg"]).run().code(1).stdout("");
    insta::assert_snapshot!(nowhere.err(), @"error: cannot write `no/where.svg`: no such file or directory");
}
