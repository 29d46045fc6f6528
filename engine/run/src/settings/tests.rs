//! Layers over layers.

use std::fs;

use super::*;

/// A machine of its own: a home with a configuration, and a project.
struct Machine {
    root: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    store: Option<PathBuf>,
}

impl Machine {
    fn new(user: &str, project: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("home/.config/aa-workflow/config.yaml", user);
        put("work/.aa/config.yaml", project);
        fs::create_dir_all(root.path().join("work/deep/er")).unwrap();
        let home = root.path().join("home").display().to_string();
        Self { root, variables: BTreeMap::from([("HOME".to_owned(), home)]), store: None }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn resolve(&self) -> Result<Settings, SettingsError> {
        Settings::resolve(&Surroundings {
            folder: self.root.path().join("work/deep/er"),
            environment: self.variables.clone().into(),
            store: self.store.clone(),
        })
    }

    /// Every setting as `key = value  (origin)`, without the machine's own root.
    fn shown(&self) -> String {
        let settings = self.resolve().unwrap();
        let line = |of: &Setting| format!("{} = {}  ({})", of.key, of.value, of.origin);
        let lines: Vec<String> = settings.origins.iter().map(line).collect();
        lines.join("\n").replace(&self.root.path().display().to_string(), "…")
    }

    fn problems(&self) -> String {
        let Err(SettingsError::Invalid(diagnostics)) = self.resolve() else { panic!("no problems") };
        let line = |of: &Diagnostic| {
            let path = of.source.path.replace(&self.root.path().display().to_string(), "…");
            format!("{path}:{} {}: {} [{}]", of.place().line, of.code, of.message, of.hint)
        };
        diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

const USER: &str = "\
store: {durability: normal, folder: ~/runs}
limits:
  calls: 4
  step_timeout: 5m
values:
  region: west
  namespaces: {stage: s1, production: p1}
secrets:
  TOKEN: {env: MY_TOKEN}
  KEY: {file: keys/key}
tools: [more-tools]
";

const PROJECT: &str = "\
limits: {calls: 8}
values:
  namespaces: {stage: s2}
secrets:
  TOKEN: {command: [pass, show, token]}
skills:
  - folder: ../other
    lenient: true
ephemeral: {repository: sample.bundle, ttl: 4h}
";

#[test]
fn nearer_layers_win_and_every_value_knows_its_origin() {
    let machine = Machine::new(USER, PROJECT).variable("AA_LIMITS_OUTPUT_BYTES", "64KiB");
    insta::assert_snapshot!(machine.shown(), @r#"
    compute.calls = 200  (default)
    compute.depth = 200  (default)
    compute.memory = 67108864  (default)
    compute.output = 1048576  (default)
    compute.printed = 65536  (default)
    compute.source = 65536  (default)
    compute.timeout = "5s"  (default)
    compute.workers = 4  (default)
    ephemeral.repository = "…/work/.aa/sample.bundle"  (…/work/.aa/config.yaml:9)
    ephemeral.ttl = "4h"  (…/work/.aa/config.yaml:9)
    events.listeners = 2000  (default)
    limits.calls = 8  (…/work/.aa/config.yaml:1)
    limits.output_bytes = 65536  (AA_LIMITS_OUTPUT_BYTES)
    limits.step_timeout = "5m"  (…/home/.config/aa-workflow/config.yaml:4)
    log.format = "text"  (default)
    notify.limit.messages = 10  (default)
    notify.limit.per = "1h"  (default)
    scheduler.enabled = true  (default)
    scheduler.keep = "90d"  (default)
    scheduler.policy.destructive = "allow"  (default)
    scheduler.policy.read = "allow"  (default)
    scheduler.policy.write = "allow"  (default)
    secrets.KEY = {"file":"…/home/.config/aa-workflow/keys/key"}  (…/home/.config/aa-workflow/config.yaml:10)
    secrets.TOKEN = {"command":["pass","show","token"]}  (…/work/.aa/config.yaml:5)
    serve.limits.connections = 512  (default)
    serve.limits.message = 4194304  (default)
    serve.limits.rate = 500  (default)
    serve.limits.requests = 256  (default)
    serve.limits.sessions = 64  (default)
    serve.limits.wrong_keys = 60  (default)
    serve.policy.destructive = "ask"  (default)
    serve.policy.read = "allow"  (default)
    serve.policy.write = "plan"  (default)
    serve.runs = 5  (default)
    serve.runs_per_session = 2  (default)
    serve.self_approve = false  (default)
    serve.session_keep = "30d"  (default)
    serve.session_stale = "24h"  (default)
    serve.session_timeout = "1h"  (default)
    serve.shutdown_timeout = "10s"  (default)
    serve.task_after = "1s"  (default)
    serve.tool_budget = 80  (default)
    serve.wait = "40s"  (default)
    serve.waiting_runs = 1000  (default)
    skills[0] = {"folder":"…/work/.aa/../other","lenient":true}  (…/work/.aa/config.yaml:7)
    store.durability = "normal"  (…/home/.config/aa-workflow/config.yaml:1)
    store.folder = "…/home/runs"  (…/home/.config/aa-workflow/config.yaml:1)
    store.inline_limit = 65536  (default)
    tools[0] = "…/home/.config/aa-workflow/more-tools"  (…/home/.config/aa-workflow/config.yaml:11)
    values.namespaces.production = "p1"  (…/home/.config/aa-workflow/config.yaml:7)
    values.namespaces.stage = "s2"  (…/work/.aa/config.yaml:3)
    values.region = "west"  (…/home/.config/aa-workflow/config.yaml:6)
    "#);
    let settings = machine.resolve().unwrap();
    assert_eq!(settings.calls, 8);
    assert_eq!(settings.output_bytes, 64 << 10);
    assert_eq!(settings.step_timeout, Some(Duration::from_mins(5)));
    assert_eq!(settings.store.durability, Durability::Normal);
    assert_eq!(Value::Object(settings.values)["namespaces"], json!({"stage": "s2", "production": "p1"}));
    assert_eq!(settings.project_folder, Some(machine.root.path().join("work/.aa")));
    assert!(settings.skills[0].lenient);
}

#[test]
fn without_files_everything_has_a_default() {
    let machine = Machine::new("", "# nothing yet\n");
    insta::assert_snapshot!(machine.shown(), @r#"
    compute.calls = 200  (default)
    compute.depth = 200  (default)
    compute.memory = 67108864  (default)
    compute.output = 1048576  (default)
    compute.printed = 65536  (default)
    compute.source = 65536  (default)
    compute.timeout = "5s"  (default)
    compute.workers = 4  (default)
    events.listeners = 2000  (default)
    limits.calls = 16  (default)
    limits.output_bytes = 1048576  (default)
    log.format = "text"  (default)
    notify.limit.messages = 10  (default)
    notify.limit.per = "1h"  (default)
    scheduler.enabled = true  (default)
    scheduler.keep = "90d"  (default)
    scheduler.policy.destructive = "allow"  (default)
    scheduler.policy.read = "allow"  (default)
    scheduler.policy.write = "allow"  (default)
    serve.limits.connections = 512  (default)
    serve.limits.message = 4194304  (default)
    serve.limits.rate = 500  (default)
    serve.limits.requests = 256  (default)
    serve.limits.sessions = 64  (default)
    serve.limits.wrong_keys = 60  (default)
    serve.policy.destructive = "ask"  (default)
    serve.policy.read = "allow"  (default)
    serve.policy.write = "plan"  (default)
    serve.runs = 5  (default)
    serve.runs_per_session = 2  (default)
    serve.self_approve = false  (default)
    serve.session_keep = "30d"  (default)
    serve.session_stale = "24h"  (default)
    serve.session_timeout = "1h"  (default)
    serve.shutdown_timeout = "10s"  (default)
    serve.task_after = "1s"  (default)
    serve.tool_budget = 80  (default)
    serve.wait = "40s"  (default)
    serve.waiting_runs = 1000  (default)
    store.durability = "full"  (default)
    store.folder = "…/home/.local/state/aa-workflow"  (default)
    store.inline_limit = 65536  (default)
    "#);
}

#[test]
fn the_store_follows_flag_then_variables_then_files() {
    let folder = |machine: &Machine| {
        let root = machine.root.path().display().to_string();
        machine.resolve().unwrap().state_folder.display().to_string().replace(&root, "…")
    };
    let machine = Machine::new(USER, "store: {folder: state}\n");
    assert_eq!(folder(&machine), "…/work/.aa/state");
    let machine = machine.variable("AA_STATE_DIR", "/var/aa");
    assert_eq!(folder(&machine), "/var/aa");
    let machine = machine.variable("AA_STORE_FOLDER", "here");
    assert_eq!(folder(&machine), "…/work/deep/er/here");
    let machine = Machine { store: Some(PathBuf::from("/flag")), ..machine };
    assert_eq!(folder(&machine), "/flag");
}

#[test]
fn a_project_can_be_stricter_than_its_user_and_never_laxer() {
    use aa_spec::config::Rule;
    let policy = |machine: &Machine| {
        let settings = machine.resolve().unwrap();
        let said: Vec<u32> = settings.warnings.iter().map(|doubt| doubt.place().line).collect();
        (
            settings.calling.policy.write,
            settings.calling.policy.destructive,
            settings.calling.self_approve,
            said,
        )
    };
    let project = "serve:\n  policy: {write: allow, destructive: deny}\n  self_approve: true\n";
    assert_eq!(policy(&Machine::new("", project)), (Rule::Plan, Rule::Deny, false, vec![2, 3]));
    let user = "serve: {policy: {write: ask, destructive: allow}, self_approve: true}\n";
    assert_eq!(policy(&Machine::new(user, project)), (Rule::Ask, Rule::Deny, true, vec![2]));
    let by_hand = Machine::new(user, project).variable("AA_SERVE_POLICY_WRITE", "allow");
    assert_eq!(policy(&by_hand), (Rule::Allow, Rule::Deny, true, Vec::new()));
}

#[test]
fn a_project_lets_nobody_in_and_widens_no_bound() {
    let key = |name: &str| format!("{{principal: {name}, key: '{{{{ secrets.KEY }}}}'}}");
    let of = |who: &str, rate: u32| {
        format!(
            "secrets: {{KEY: {{env: {who}}}}}\nserve:\n  keys: [{}]\n  hosts: [{who}.example.org]\n  origins: ['https://{who}.example.org']\n  folders: [{who}]\n  limits: {{rate: {rate}, sessions: {rate}, message: {rate}KiB}}\n",
            key(who)
        )
    };
    let settings = Machine::new(&of("mine", 100), &of("theirs", 200)).resolve().unwrap();
    let said = &settings.warnings;
    assert_eq!(said.iter().map(|doubt| doubt.place().line).collect::<Vec<_>>().len(), 7, "{said:?}");
    let [of_mine] = &settings.serve.keys[..] else { panic!("{:?}", settings.serve.keys) };
    let shown = Shown::Secret { name: "KEY".to_owned(), source: Secret::Env("mine".to_owned()) };
    assert_eq!((of_mine.principal.as_str(), &of_mine.shown), ("mine", &shown));
    assert_eq!(
        settings.secrets["KEY"],
        Secret::Env("theirs".to_owned()),
        "skills of the project have its own"
    );
    assert_eq!(settings.serve.hosts, ["mine.example.org"]);
    assert_eq!(settings.serve.origins, ["https://mine.example.org"]);
    assert_eq!(settings.clients.folders.len(), 1);
    assert_eq!((settings.serve.rate, settings.serve.sessions, settings.serve.message), (100, 100, 100 << 10));
    let narrower = Machine::new(&of("mine", 100), "serve: {limits: {rate: 50}}\n").resolve().unwrap();
    assert_eq!((narrower.serve.rate, narrower.serve.sessions), (50, 100));
}

#[test]
fn a_project_opens_no_port_and_has_no_file_written() {
    let events = "events: {port: 9876, keyless: true, state_file: state.json}\n";
    let cloned = Machine::new("", events).resolve().unwrap();
    assert_eq!(cloned.events, super::Events::default());
    let unheard = |found: &&Diagnostic| found.message.ends_with("is not heard here");
    assert_eq!(cloned.warnings.iter().filter(unheard).count(), 3, "{:?}", cloned.warnings);
    let own = Machine::new(events, "").resolve().unwrap().events;
    assert_eq!((own.port, own.keyless), (Some(9876), true));
    assert!(own.state_file.unwrap().ends_with(".config/aa-workflow/state.json"));
}

#[test]
fn what_is_wrong_is_said_all_at_once() {
    let user = "limits: {calls: 0, step_timeout: soon}\nstorage: {}\n";
    let machine = Machine::new(user, "values: [1]\n")
        .variable("AA_LIMITS_CALLS", "many")
        .variable("AA_STORE_FOLDR", "x")
        .variable("AA_STORE_DURABILITY", "most");
    insta::assert_snapshot!(machine.problems(), @r"
    …/work/.aa/config.yaml:1 wrong-type: `values` must be a mapping, not a list []
    …/home/.config/aa-workflow/config.yaml:1 bad-value: `calls` must be at least 1 []
    …/home/.config/aa-workflow/config.yaml:1 bad-duration: `soon` is not a duration; write it like `30s`, `5m` or `1h 30m` []
    …/home/.config/aa-workflow/config.yaml:2 unknown-key: unknown key `storage` in a config [did you mean `store`?]
    environment variable AA_STORE_DURABILITY:1 bad-value: `most` is not a durability; write `full` or `normal` []
    environment variable AA_LIMITS_CALLS:1 bad-value: `many` is not a number from 1 on []
    environment variable AA_STORE_FOLDR:1 unknown-key: there is no setting `AA_STORE_FOLDR` [did you mean `AA_STORE_FOLDER`?]
    ");
}

#[test]
fn variables_that_look_like_settings_are_settings() {
    let machine = Machine::new("secrets: {gitlab: {env: AA_TOOLS_TOKEN}}\n", "")
        .variable("AA_TOOLS_TOKEN", "of a secret")
        .variable("AA_OF_SOMEBODY", "nobody asks")
        .variable("AA_LOG", "debug")
        .variable("AA_RUN", "of a step that calls us")
        .variable("AA_COMPUTE_TIMEOOT", "2s")
        .variable("AA_LIMIT_CALLS", "3")
        .variable("AA_LOGS", "debug")
        .variable("AA_MODULES_GITLAB_TOKEN", "not to be shown")
        .variable("AA_SKILLS", "here");
    insta::assert_snapshot!(machine.problems(), @r"
    environment variable AA_COMPUTE_TIMEOOT:1 unknown-key: there is no setting `AA_COMPUTE_TIMEOOT` [did you mean `AA_COMPUTE_TIMEOUT`?]
    environment variable AA_LIMIT_CALLS:1 unknown-key: there is no setting `AA_LIMIT_CALLS` [did you mean `AA_LIMITS_CALLS`?]
    environment variable AA_LOGS:1 unknown-key: there is no setting `AA_LOGS` [did you mean `AA_LOG`?]
    environment variable AA_MODULES_GITLAB_TOKEN:1 unknown-key: there is no setting `AA_MODULES_GITLAB_TOKEN`: `modules` is heard in files only [write `modules:` into config.yaml]
    environment variable AA_SKILLS:1 unknown-key: there is no setting `AA_SKILLS`: `skills` is heard in files only [write `skills:` into config.yaml]
    ");
}

#[test]
fn every_section_of_the_configuration_is_said_by_variables_or_in_files_only() {
    let schema = schemars::schema_for!(aa_spec::config::Config);
    let sections = schema.as_value()["properties"].as_object().unwrap();
    let resolved = Machine::new("", "").resolve().unwrap();
    for section in sections.keys().filter(|section| !section.starts_with('$')) {
        let key = format!("AA_{}_NOSUCHSETTING", section.to_ascii_uppercase());
        let problems = Machine::new("", "").variable(&key, "x").problems();
        assert!(problems.contains("unknown-key"), "{section}: {problems}");
    }
    for only in super::layer::FILES_ONLY {
        assert!(sections.contains_key(only), "{only}");
        let setting = resolved.origins.iter().find(|setting| setting.key.split('.').next() == Some(only));
        assert!(setting.is_none(), "{only}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let machine = Machine::new("", "");
    let path = machine.root.path().join("work/.aa/config.yaml");
    fs::write(&path, b"values: {a: \xff}").unwrap();
    assert!(machine.problems().contains("work/.aa/config.yaml:1 not-utf8: the byte 0xff is not UTF-8 text"));
    fs::write(&path, "x".repeat((1 << 20) + 1)).unwrap();
    assert!(machine.problems().contains("file-too-large"));
}

#[test]
fn without_a_home_something_must_say_where_things_are() {
    let mut machine = Machine::new("", "");
    machine.variables.clear();
    assert!(matches!(machine.resolve(), Err(SettingsError::NoHome { variable: "AA_CONFIG_DIR", .. })));
    let machine = machine.variable("AA_CONFIG_DIR", "/config");
    assert!(matches!(machine.resolve(), Err(SettingsError::NoHome { variable: "AA_STATE_DIR", .. })));
    let machine = machine.variable("XDG_STATE_HOME", "/state");
    assert_eq!(machine.resolve().unwrap().state_folder, Path::new("/state/aa-workflow"));
}

#[test]
fn channels_and_secrets_of_schedules_are_those_of_all_files() {
    let user = "notify: {channels: {team: {terminal: {}}}}\n";
    let good = "schedules: {x: {skill: a, every: 1h, notify: [team]}}\n";
    assert_eq!(Machine::new(user, good).resolve().unwrap().scheduling.schedules.len(), 1);
    let bad = "\
notify: {default: [tean]}
schedules:
  x: {skill: a, every: 1h, notify: {failure: [pager]}}
  y: {skill: a, webhook: {secret: '{{ secrets.NONE }}'}}
";
    insta::assert_snapshot!(Machine::new(user, bad).problems(), @"
    …/work/.aa/config.yaml:3 unknown-channel: there is no channel `pager` [known: `team`]
    …/work/.aa/config.yaml:4 unknown-secret: the secret `NONE` is not configured [say under `secrets:` where it comes from]
    …/work/.aa/config.yaml:1 unknown-channel: there is no channel `tean` [did you mean `team`?]
    ");
    let none = Machine::new("", "notify: {default: [team]}\n").problems();
    assert!(none.contains("say under `notify.channels` how it tells people"), "{none}");
}
