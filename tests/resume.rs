//! Killed after every single event, resumed each time: the same end, nothing done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Aa, Ran, eventually};

/// What a run ends with: its last event, its outputs, what it wrote.
#[derive(Clone, Debug, PartialEq)]
struct End {
    event: String,
    outputs: Value,
    trace: Vec<String>,
}

fn project() -> Aa {
    Aa::traced()
        .skill("reference", include_str!("fixtures/skills/run/reference.yaml"))
        .skill("early", include_str!("fixtures/skills/run/early.yaml"))
        .skill("takeback", include_str!("fixtures/skills/run/takeback.yaml"))
        .skill("block", include_str!("fixtures/skills/run/block.yaml"))
}

/// One run in a project of its own, killed once.
struct Story {
    aa: Aa,
    /// Kill the process that commits the event of this number, counted from 1.
    kill_at: Option<u64>,
    killed: bool,
}

impl Story {
    fn new(kill_at: Option<u64>) -> Self {
        Self { aa: project(), kill_at, killed: false }
    }

    /// Calls `aa`, and kills it if the fatal event is among those that it commits.
    fn call(&mut self, args: &[&str]) -> Ran {
        let known = if args[0] == "skill" { 0 } else { self.events().len() as u64 };
        let call = self.aa.args(args.iter().chain(&["--format", "json"]));
        let ran = match self.kill_at {
            Some(fatal) if !self.killed && fatal > known => {
                call.env("AA_TEST_KILL_AFTER", (fatal - known).to_string()).run()
            }
            _ => call.run(),
        };
        self.killed |= ran.exit_or_killed().is_none();
        ran
    }

    fn events(&self) -> Vec<Value> {
        self.aa.args(["run", "show", "1", "--format", "json"]).run().code(0).json_lines()
    }

    /// Moves the run on as a careful person would, until it is over.
    fn bring_to_end(&mut self, hurt: impl Fn(&Aa)) -> End {
        let mut hurt = Some(hurt);
        for _ in 0..30 {
            if self.killed
                && let Some(hurt) = hurt.take()
            {
                hurt(&self.aa);
            }
            eventually("what the dead process left behind ends", || orphans(&self.aa.path("")) == 0);
            let events = self.events();
            match open(&events) {
                Open::Over => return end(&self.aa, &events),
                Open::Unknown { step, line } => self.resolve(&step, &line),
                Open::Question { step, option } => {
                    self.call(&["run", "answer", "1", &step, &option]);
                }
                Open::Nothing => {
                    self.call(&["run", "resume", "1"]);
                }
            }
        }
        panic!("it never ends: {:#?}", self.events());
    }

    /// Says of a step with unknown outcome what the trace says.
    fn resolve(&mut self, step: &str, line: &str) {
        let done = json!(format!("wrote {line}")).to_string();
        if self.aa.text("trace").lines().any(|written| written == line) {
            self.call(&["run", "resolve", "1", step, "--done", &done]);
        } else {
            self.call(&["run", "resolve", "1", step, "--retry"]);
        }
    }
}

/// What a run waits for, by its journal.
enum Open {
    Over,
    Unknown { step: String, line: String },
    Question { step: String, option: String },
    Nothing,
}

fn open(events: &[Value]) -> Open {
    let mut lines: BTreeMap<&str, &str> = BTreeMap::new();
    let mut questions: BTreeMap<&str, &str> = BTreeMap::new();
    let mut unknown: Vec<&str> = Vec::new();
    for event in events {
        let step = event["step"].as_str().unwrap_or("");
        match event["event"].as_str().unwrap() {
            "skill_completed" | "skill_failed" | "skill_cancelled" => return Open::Over,
            "step_started" => {
                lines.insert(step, event["args"]["line"].as_str().unwrap_or(""));
                unknown.retain(|known| *known != step);
            }
            "confirm_requested" => {
                questions.insert(step, event["options"][0].as_str().unwrap());
            }
            "confirm_answered" => {
                questions.remove(step);
            }
            "step_completed" | "step_failed" | "step_retrying" | "step_resolved" => {
                unknown.retain(|known| *known != step);
            }
            "run_resumed" => {
                unknown.extend(event["unknown"].as_array().unwrap().iter().filter_map(Value::as_str));
            }
            _ => {}
        }
    }
    if let Some(step) = unknown.first() {
        return Open::Unknown { step: (*step).to_owned(), line: lines[step].to_owned() };
    }
    match questions.pop_first() {
        Some((step, option)) => Open::Question { step: step.to_owned(), option: option.to_owned() },
        None => Open::Nothing,
    }
}

/// Processes that work in the folder although nobody waits for them.
fn orphans(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
        .count()
}

/// Everything that must hold of a run that was brought to its end, however often it died.
fn end(aa: &Aa, events: &[Value]) -> End {
    let mut over = BTreeSet::new();
    for (seq, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], json!(seq), "a gap: {events:#?}");
        let step = event["step"].as_str().unwrap_or("");
        match event["event"].as_str().unwrap() {
            "step_started" => assert!(!over.contains(step), "`{step}` starts again: {events:#?}"),
            "step_completed" | "step_failed" | "step_skipped" => {
                assert!(over.insert(step), "`{step}` ends twice: {events:#?}");
            }
            _ => {}
        }
    }
    let last = events.last().unwrap();
    let mut trace: Vec<String> = aa.text("trace").lines().map(ToOwned::to_owned).collect();
    trace.sort();
    // Its tool may be repeated, and is when the record of its end is torn.
    trace.dedup_by(|line, before| line == before && line == "flaky");
    let mut outputs = last["outputs"].clone();
    // An interrupted attempt is one more attempt; all else must be as if nothing had happened.
    outputs["attempts"].take();
    End { event: last["event"].as_str().unwrap().to_owned(), outputs, trace }
}

/// The end of a run that nobody kills, and the number of its events.
fn undisturbed(skill: &str) -> (End, u64) {
    let mut story = Story::new(None);
    story.call(&["skill", "run", skill]);
    (story.bring_to_end(|_| {}), story.events().len() as u64)
}

/// Kills a run after each of its events in turn, the first of which is `from`, and brings it to its end each time.
fn kill_everywhere(skill: &str, from: u64, hurt: impl Fn(&Aa, u64)) {
    let (expected, events) = undisturbed(skill);
    for fatal in from..=events {
        let mut story = Story::new(Some(fatal));
        story.call(&["skill", "run", skill]);
        let end = story.bring_to_end(|aa| hurt(aa, fatal));
        // How many lines of progress there are depends on the time that steps take.
        assert!(story.killed || fatal > story.events().len() as u64, "nothing died at event {fatal}");
        assert_eq!(end, expected, "killed at event {fatal}: {:#?}", story.events());
    }
}

#[test]
fn the_reference_skill_does_what_it_says() {
    let (end, _) = undisturbed("reference");
    assert_eq!(end.event, "skill_completed");
    assert_eq!(end.outputs, json!({"items": 3, "inner": "go", "tolerated": "failed", "attempts": null}));
    let written = ["early go", "first", "flaky", "item a 0", "item b 1", "item c 2", "last go"];
    assert_eq!(end.trace, written);
}

#[test]
fn killed_after_every_event_a_run_ends_the_same() {
    kill_everywhere("reference", 1, |_, _| {});
}

#[test]
fn killed_in_the_middle_of_a_block_a_run_ends_the_same() {
    let (end, events) = undisturbed("block");
    assert_eq!(end.event, "skill_completed");
    assert_eq!(end.outputs, json!({"wrote": "wrote two", "attempts": null}));
    assert_eq!(end.trace, ["-one", "last 9", "two"]);
    // Start and end of the run, of its three steps, and of the block's two calls.
    assert_eq!(events, 12);
    kill_everywhere("block", 1, |_, _| {});
}

#[test]
fn killed_while_taking_back_a_run_ends_the_same() {
    let (end, _) = undisturbed("takeback");
    assert_eq!(end.trace, ["-one", "-x", "-y", "one", "x", "y"]);
    kill_everywhere("takeback", 1, |_, _| {});
}

#[test]
fn with_the_last_record_torn_a_run_ends_the_same() {
    // A run and the start of its first step are one record: with that torn, there was no run.
    kill_everywhere("reference", 3, |aa, fatal| {
        let harm = HARMS[usize::try_from(fatal).unwrap() % HARMS.len()];
        // Not every event still has a log to tear.
        let _ = tear(&log(aa), harm);
    });
}

/// A run whose process died right after the last event.
fn dead_at_the_end(skill: &str) -> Story {
    let story = Story { killed: true, ..Story::new(None) };
    story.aa.args(["skill", "run", skill]).env("AA_TEST_KILL_AFTER", "last").run().killed();
    story
}

#[test]
fn with_the_very_last_record_torn_a_run_ends_the_same() {
    let (expected, _) = undisturbed("takeback");
    for harm in HARMS {
        let mut story = dead_at_the_end("takeback");
        let mut end = story.bring_to_end(|aa| assert!(tear(&log(aa), harm), "nothing to tear"));
        // The end of the last taking back is in that record, and it may be repeated.
        end.trace.dedup();
        let resumed = story.events().iter().filter(|event| event["event"] == "run_resumed").count();
        assert_eq!((&end, resumed), (&expected, 1), "{harm:?}: {:#?}", story.events());
    }
}

#[test]
fn killed_after_its_last_event_a_run_is_over() {
    let story = dead_at_the_end("takeback");
    let runs = story.aa.args(["run", "list", "--format", "json"]).run().code(0).stderr("").json();
    assert_eq!((&runs[0]["status"], &runs[0]["interrupted"]), (&json!("failed"), &json!(false)), "{runs:#}");
    story.aa.args(["run", "resume"]).run().code(0).stderr("no run is interrupted\n");
    assert_eq!(story.events().last().unwrap()["event"], "skill_failed");
}

fn log(aa: &Aa) -> PathBuf {
    aa.home().join("state/aa-workflow/aa.db-wal")
}

/// What the last record looks like after a power cut in the middle of its write.
#[derive(Clone, Copy, Debug)]
enum Harm {
    /// Its second half was never written.
    Empty,
    /// The file ends within it.
    Short,
    /// Something else is in it.
    Garbled,
}

const HARMS: [Harm; 3] = [Harm::Empty, Harm::Short, Harm::Garbled];

/// Spoils the last frame of the log; whether there was one.
fn tear(log: &Path, harm: Harm) -> bool {
    let Ok(mut bytes) = std::fs::read(log) else { return false };
    if bytes.len() < 32 {
        return false;
    }
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let frame = 24 + word(8) as usize;
    let salts = bytes[16..24].to_vec();
    let belongs = |start: usize| bytes.get(start + 8..start + 16) == Some(&salts[..]);
    let count = (0..).take_while(|number| belongs(32 + number * frame)).count();
    if count == 0 {
        return false;
    }
    let end = 32 + count * frame;
    match harm {
        Harm::Empty => bytes[end - frame / 2..end].fill(0),
        Harm::Short => bytes.truncate(end - frame / 2),
        Harm::Garbled => bytes[end - frame / 2..end].iter_mut().for_each(|byte| *byte ^= 0x5a),
    }
    std::fs::write(log, bytes).unwrap();
    true
}

/// Two projects with a tool of the same name: who resumes, answers or takes back from elsewhere means the run's own.
#[test]
fn a_run_goes_on_with_the_tools_of_its_own_folder_wherever_it_is_asked_for() {
    let tools = |name: &str| {
        format!(
            "module: dep\ndescription: Deploys\ntools:\n  - {{name: dep_go, description: Goes, effect: write, idempotent: true, input: {{}}, run: [sh, -c, 'echo {name} >> log']}}\n  - {{name: dep_back, description: Goes back, effect: write, idempotent: true, input: {{}}, run: [sh, -c, 'echo {name} back >> log']}}\n"
        )
    };
    let skill = "name: rel\ndescription: Releases\nsteps:\n  - {name: ask, confirm: {message: Go?}}\n  - {name: go, tool: dep_go, undo: {tool: dep_back}}\n";
    let aa = Aa::new()
        .file("stage/.aa/tools/dep.yaml", tools("stage"))
        .file("prod/.aa/tools/dep.yaml", tools("prod"))
        .file("stage/.aa/skills/rel.yaml", skill)
        .file("none/.aa/skills/x.yaml", "name: x\ndescription: X\nsteps: []\n");
    let at = |folder: &str, args: &[&str]| {
        let folder = aa.path(folder);
        aa.args([&["-C", folder.to_str().unwrap()], args].concat()).run()
    };
    at("stage", &["skill", "run", "rel"]).code(6);
    at("prod", &["run", "answer", "1", "ask", "approve"]).code(0);
    assert_eq!(aa.text("stage/log"), "stage\n");
    at("none", &["run", "undo", "1"]).code(0);
    assert_eq!(aa.text("stage/log"), "stage\nstage back\n");
}

#[test]
fn a_step_that_must_not_be_repeated_waits_for_a_person() {
    let skill =
        "name: one\ndescription: Writes\nsteps: [{name: write, tool: trace_write, args: {line: x}}]\n";
    let aa = Aa::traced().skill("one", skill);
    // Events 0 and 1 are the start of the run and of its step.
    aa.args(["skill", "run", "one"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    let hint = aa.args(["run", "list"]).run().code(0);
    insta::assert_snapshot!(hint.err(), @"hint: run 1 (one) was interrupted; `aa run resume 1` goes on with it");
    assert_eq!(aa.args(["run", "show", "1"]).run().code(0).err(), hint.err());
    let parked = aa.args(["run", "resume"]).run().code(6).stdout("");
    insta::assert_snapshot!(parked.err(), @"
    ↻ resumed; unknown: `write`
    ‽ run 1 waits: nobody knows how step `write` ended
    hint: find out, then `aa run resolve 1 write` with `--done JSON`, `--retry` or `--fail`
    ");
    assert_eq!(aa.text("trace"), "");
    let hint = "hint: find out, then `aa run resolve 1 write` with `--done JSON`, `--retry` or `--fail`\n";
    aa.args(["run", "show", "1"]).run().code(0).stdout_contains("outcome unknown").stderr(hint);
    aa.args(["run", "show", "1", "--step", "write"]).run().code(0).stderr(hint);
    let wrong = aa.args(["run", "resolve", "1", "wirte", "--retry"]).run().code(4);
    insta::assert_snapshot!(wrong.err(), @"
    error: run 1 has no step `wirte` so far
    hint: did you mean `write`?
    ");
    let resolved = aa.args(["run", "resolve", "1", "write", "--retry"]).run().code(0);
    insta::assert_snapshot!(resolved.err(), @"
    ✓ write  resolved
    ↻ resumed
    ✓ write [time]  2 attempts
    ✓ one completed in [time] · run 1
    ");
    assert_eq!(aa.text("trace"), "x\n");
}

#[test]
fn nothing_to_resume_is_no_failure() {
    Aa::new().args(["run", "resume"]).run().code(0).stdout("").stderr("no run is interrupted\n");
    Aa::new().args(["run", "resume", "3"]).run().code(4).stderr_contains("there is no run 3");
}

#[test]
fn all_interrupted_runs_are_resumed_in_order() {
    let skill = "name: one\ndescription: Looks\nsteps: [{name: look, tool: trace_look}]\n";
    let aa = Aa::traced().skill("one", skill);
    for _ in 0..2 {
        aa.args(["skill", "run", "one"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    }
    insta::assert_snapshot!(aa.args(["run", "resume"]).run().code(2).err(), @"
    error: several runs are interrupted: `1` and `2`
    hint: name one, or use `--all`
    ");
    insta::assert_snapshot!(aa.args(["run", "resume", "--all"]).run().code(0).err(), @"
    ↻ resumed; unknown: `look`
    ✓ look [time]  2 attempts
    ✓ one completed in [time] · run 1
    ↻ resumed; unknown: `look`
    ✓ look [time]  2 attempts
    ✓ one completed in [time] · run 2
    ");
    aa.args(["run", "resume", "--all"]).run().code(0).stderr("no run is interrupted\n");
}

#[test]
fn one_that_cannot_go_on_does_not_keep_the_others() {
    let skill = "name: one\ndescription: Looks\nsteps: [{name: look, tool: trace_look}]\n";
    let aa = Aa::traced().skill("one", skill);
    let away = aa.path("away");
    std::fs::create_dir_all(away.join(".aa")).unwrap();
    for folder in ["skills", "tools"] {
        let (from, to) = (aa.path(".aa").join(folder), away.join(".aa"));
        let copied = std::process::Command::new("cp").arg("-r").args([from, to]).status().unwrap();
        assert!(copied.success());
    }
    let start = ["-C", away.to_str().unwrap(), "skill", "run", "one"];
    aa.args(start).env("AA_TEST_KILL_AFTER", "2").run().killed();
    aa.args(["skill", "run", "one"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    std::fs::remove_dir_all(&away).unwrap();
    let resumed = aa.args(["run", "resume", "--all"]).run();
    assert!(!resumed.is_ok());
    resumed.stderr_contains("no such folder any more").stderr_contains("one completed");
}

#[test]
fn a_run_that_is_found_by_its_key_is_shown_with_its_past() {
    let skill =
        "name: one\ndescription: Writes\nsteps: [{name: write, tool: trace_write, args: {line: x}}]\n";
    let asks = "name: asks\ndescription: Asks\nsteps: [{name: sure, confirm: {message: Really?}}]\n";
    let aa = Aa::traced().skill("one", skill).skill("asks", asks);
    let run = |name: &str| aa.args(["skill", "run", name, "--key", name]);
    run("one").env("AA_TEST_KILL_AFTER", "2").run().killed();
    insta::assert_snapshot!(run("one").run().code(6).err(), @"
    ↻ resumed; unknown: `write`
    ‽ run 1 waits: nobody knows how step `write` ended
    hint: find out, then `aa run resolve 1 write` with `--done JSON`, `--retry` or `--fail`
    ");
    run("asks").env("AA_TEST_KILL_AFTER", "3").run().killed();
    run("asks").run().code(6).stderr_contains("run 2 waits: Really?").stderr_contains("aa run answer 2 sure");
}

/// A step whose undo says when it has begun, and takes its time.
const SLOW_UNDO: &str = r#"
name: slow_undo
description: Is taken back slowly
steps:
  - name: put
    tool: trace_write
    args: {line: x}
    undo: {tool: shell, args: {script: "touch undoing; sleep 30"}}
"#;

#[test]
fn killed_while_it_is_taken_back_a_run_waits_for_a_person() {
    let aa = Aa::traced().skill("slow_undo", SLOW_UNDO);
    aa.args(["skill", "run", "slow_undo"]).run().code(0);
    let undoing = aa.args(["run", "undo", "1"]).start();
    eventually("it is being taken back", || aa.path("undoing").exists());
    eventually("that is on disk", || aa.args(["run", "show", "1"]).run().out().contains("undo"));
    undoing.signal(rustix::process::Signal::KILL);
    undoing.wait().killed();
    // Before anybody has looked, nothing is known to be in doubt.
    let early = aa.args(["run", "resolve", "1", "put#undo", "--fail"]).run().code(1);
    early.stderr_contains("was interrupted").stderr_contains("`aa run resume 1`");
    let resumed = aa.args(["run", "resume", "1"]).run().code(6);
    resumed.stderr_contains("aa run resolve 1 put#undo");
    aa.args(["run", "resolve", "1", "put#undo", "--done", "null"]).run().code(0);
    let shown = aa.args(["run", "show", "1"]).run().out();
    assert!(shown.contains("undo put") && !shown.contains("not finished"), "{shown}");
    assert_eq!(aa.args(["run", "list", "--format", "json"]).run().json()[0]["status"], "completed");
}

#[test]
fn who_watches_an_interrupted_run_is_told_that_nobody_drives_it() {
    let aa = Aa::traced().skill("hang", "name: hang\ndescription: Hangs\nsteps: [{name: wait, wait: 1h}]\n");
    let running = aa.args(["skill", "run", "hang"]).start();
    eventually("it waits", || aa.args(["run", "show", "1"]).run().out().contains("wait"));
    running.signal(rustix::process::Signal::KILL);
    running.wait().killed();
    let watching = aa.args(["run", "watch", "1"]).start();
    std::thread::sleep(std::time::Duration::from_millis(500));
    watching.signal(rustix::process::Signal::INT);
    watching.wait().code(0).stderr_contains("nobody drives run 1; `aa run resume 1` goes on with it");
}

#[test]
fn who_watches_a_run_is_told_when_its_process_dies_and_sees_it_taken_up() {
    let aa = Aa::new().skill(
        "go",
        "name: go\ndescription: Goes\nsteps: [{name: wait, wait: 4s}]\noutputs: [{name: at, value: end}]\n",
    );
    let running = aa.args(["skill", "run", "go"]).start();
    eventually("there is a run", || aa.args(["run", "show", "1"]).run().is_ok());
    let said = std::fs::File::create(aa.path("said")).unwrap();
    let mut watching = aa.args(["run", "watch", "1"]).command().stderr(said).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    running.signal(rustix::process::Signal::KILL);
    running.wait().killed();
    let hint = "nobody drives run 1; `aa run resume 1` goes on with it";
    eventually("it is said", || aa.text("said").contains(hint));
    aa.args(["run", "resume", "1"]).run().code(0);
    assert!(watching.wait().unwrap().success());
    assert_eq!(aa.text("said").matches(hint).count(), 1);
}

#[test]
fn a_write_whose_attempts_have_one_key_is_made_again() {
    let module = r#"
module: keyed
description: Takes a key
requires: {commands: [sh]}
tools:
  - name: keyed_write
    description: Notes the key
    effect: write
    run: [sh, -c, "echo $KEY >> keys"]
    env_pass: [PATH]
    idempotency_key: {env: KEY}
  - name: keyed_by_argument
    description: Notes the key
    effect: write
    input: {key: {type: string, default: ""}}
    run: [sh, -c, 'echo "$1" >> keys', sh, "{{ key }}"]
    idempotency_key: {arg: key}
"#;
    let skill = |call: &str| format!("name: one\ndescription: Writes\nsteps: [{{name: write, {call}}}]\n");
    for call in ["tool: keyed_write", "tool: keyed_by_argument"] {
        let aa = Aa::new().tools("keyed", module).skill("one", &skill(call));
        aa.args(["skill", "run", "one"]).env("AA_TEST_KILL_AFTER", "3").run().killed();
        aa.args(["run", "resume"]).run().code(0);
        let keys = aa.text("keys");
        let keys: BTreeSet<&str> = keys.lines().collect();
        assert!(keys.len() == 1 && keys.iter().all(|key| key.len() == 32), "{call}: {keys:?}");
    }
    // A key of the caller's own may be another one each time.
    let own = skill("tool: keyed_by_argument, args: {key: \"{{ now() }}\"}");
    let aa = Aa::new().tools("keyed", module).skill("one", &own);
    aa.args(["skill", "run", "one"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    aa.args(["run", "resume"]).run().code(6);
}

/// Says that it has acted, and then takes longer than it may.
const CUT_OFF: &str = "
module: cut
description: Is cut off
tools:
  - name: cut_make
    description: Makes a file and does not end
    effect: write
    input: {}
    run: [sh, -c, 'touch made; exec sleep 30']
  - name: cut_unmake
    description: Removes it
    effect: write
    input: {}
    run: [rm, made]
";

#[test]
fn a_write_that_is_cut_off_after_it_has_acted_is_taken_back() {
    let skill = "name: cut\ndescription: Is cut off\non_failure: undo\nsteps:\n  - {name: make, tool: cut_make, timeout: 1s, undo: {tool: cut_unmake}}\n";
    let aa = Aa::new().tools("cut", CUT_OFF).skill("cut", skill);
    aa.args(["skill", "run", "cut"]).run().code(1).stderr_contains("did not end in time");
    assert!(!aa.path("made").exists());
    let forever = skill.replace(", timeout: 1s", "");
    let aa = Aa::new().tools("cut", CUT_OFF).skill("cut", &forever);
    let running = aa.args(["skill", "run", "cut"]).start();
    eventually("it has acted", || aa.path("made").exists());
    running.signal(rustix::process::Signal::INT);
    running.wait().code(5);
    assert!(!aa.path("made").exists());
}

#[test]
fn an_approved_plan_is_not_that_of_a_tool_that_does_something_else() {
    let skill = "name: cut\ndescription: Is cut off\nsteps:\n  - {name: unmake, tool: cut_unmake}\n";
    let aa = Aa::new().tools("cut", CUT_OFF).skill("cut", skill).file("made", "");
    let plan = aa.args(["skill", "plan", "cut", "--format", "json"]).run().code(0).json();
    let hash = plan["hash"].as_str().unwrap().to_owned();
    let aa = aa.tools("cut", &CUT_OFF.replace("[rm, made]", "[rm, -rf, made, kept]")).file("kept", "");
    let ran = aa.args(["skill", "run", "cut", "--plan", &hash]).run();
    assert!(!ran.is_ok(), "{ran}");
    assert!(aa.path("kept").exists() && aa.path("made").exists());
}

#[test]
fn an_approved_plan_is_not_that_of_a_module_that_is_configured_otherwise() {
    let module = "module: tgt\ndescription: Deploys\nconfig:\n  target: {description: Where to, default: stage}\ntools:\n  - name: tgt_deploy\n    description: Deploys\n    effect: write\n    input: {}\n    run: [touch, \"{{ config.target }}\"]\n";
    let skill = "name: go\ndescription: Deploys\nsteps: [{name: go, tool: tgt_deploy}]\n";
    let aa = Aa::new().tools("tgt", module).skill("go", skill);
    let plan = aa.args(["skill", "plan", "go", "--format", "json"]).run().code(0).json();
    let hash = plan["hash"].as_str().unwrap().to_owned();
    let aa = aa.config("modules: {tgt: {target: production}}\n");
    let ran = aa.args(["skill", "run", "go", "--plan", &hash]).run();
    assert!(!ran.is_ok() && !aa.path("production").exists(), "{ran}");
}
