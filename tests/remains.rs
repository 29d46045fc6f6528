//! Commands and servers that go on when the `aa` that started them was killed.

use rustix::process::{Pid, Signal};

use crate::support::{Aa, Running, eventually};

/// Commands that take their time, and write down that they have begun and that they have acted.
const SLOW: &str = r#"
module: slow
description: Writes that take their time
tools:
  - name: slow_asked
    description: Makes a file after a while, which can be looked for
    effect: write
    input: {}
    run: [sh, -c, "echo begin >> log; sleep 4; echo act >> log; touch made"]
    reconcile: {tool: file_exists, args: {path: made}, when: result.exists}
  - name: slow_again
    description: Makes a file after a while, as often as one likes
    effect: write
    idempotent: true
    input: {}
    run: [sh, -c, "echo begin >> log; sleep 4; echo act >> log; touch made"]
  - name: slow_bare
    description: Makes a file after a while, out of an environment and a session of its own
    effect: write
    idempotent: true
    input: {}
    run: [env, -i, PATH=/usr/bin:/bin, sh, -c, "echo begin >> log; setsid sh -c 'sleep 4; echo act >> log'"]
  - name: slow_hidden
    description: Makes a file after a while, out of an environment and a session of its own
    effect: write
    input: {}
    run: [env, -i, PATH=/usr/bin:/bin, setsid, -w, sh, -c, "echo begin >> log; sleep 4; echo act >> log"]
  - name: slow_doubtful
    description: Makes a file after a while, and only once
    effect: write
    input: {}
    run: [sh, -c, "echo begin >> log; sleep 4; echo act >> log; touch made"]
"#;

/// Kills `aa` alone while its command runs: that goes on, as commands do.
fn killed_over_its_command(kind: &str) -> Aa {
    let skill =
        format!("name: slowly\ndescription: Takes its time\nsteps:\n  - {{name: make, tool: slow_{kind}}}\n");
    let aa = Aa::new().tools("slow", SLOW).skill("slowly", &skill);
    let running = aa.args(["skill", "run", "slowly"]).start();
    eventually("the command has begun", || aa.path("log").exists());
    running.signal(Signal::KILL);
    running.wait().killed();
    aa
}

/// What the commands have written down, once the first one must have come to its end.
fn log_of(aa: &Aa) -> String {
    std::thread::sleep(std::time::Duration::from_millis(4_500));
    aa.text("log")
}

#[test]
fn a_command_that_outlives_its_process_is_ended_before_anybody_asks_what_it_has_done() {
    let aa = killed_over_its_command("asked");
    let resumed = aa.args(["run", "resume", "1"]).run().code(0);
    resumed.stderr_contains("ended what was still running: `sh (");
    assert_eq!(log_of(&aa), "begin\nbegin\nact\n");
    let events = aa.args(["run", "show", "1", "--format", "json"]).run().json_lines();
    let ended = events.iter().find(|event| event["event"] == "run_resumed").map(|event| &event["ended"]);
    assert!(ended.is_some_and(|ended| ended.to_string().contains("sleep")), "{events:#?}");
}

#[test]
fn a_command_that_outlives_its_process_does_not_run_beside_its_second_attempt() {
    let aa = killed_over_its_command("again");
    aa.args(["run", "resume", "--all"]).run().code(0);
    assert_eq!(log_of(&aa), "begin\nbegin\nact\n");
}

#[test]
fn a_command_is_found_also_when_it_has_thrown_away_its_environment() {
    let aa = killed_over_its_command("bare");
    aa.args(["run", "resume", "1"]).run().code(0).stderr_contains("ended what was still running: `sh (");
    assert_eq!(log_of(&aa), "begin\nbegin\nact\n");
    assert_eq!(written_down(&aa), 0);
}

#[test]
fn what_has_left_everything_does_not_act_after_its_step_was_stopped() {
    let skill = "name: slowly\ndescription: Takes its time\nsteps:\n  - {name: make, tool: slow_hidden, timeout: 1s}\n";
    let aa = Aa::new().tools("slow", SLOW).skill("slowly", skill);
    aa.args(["skill", "run", "slowly"]).run();
    assert_eq!(log_of(&aa), "begin\n");
}

/// How many commands are said to live.
fn written_down(aa: &Aa) -> usize {
    std::fs::read_dir(started(aa)).unwrap().count()
}

/// Where it is written down.
fn started(aa: &Aa) -> std::path::PathBuf {
    aa.home().join("state/aa-workflow/started")
}

#[test]
fn what_has_ended_is_not_written_down_any_more() {
    let skill = "name: two\ndescription: Two\nsteps:\n  - {name: a, tool: shell, args: {script: ls started/}}\n  - {name: b, tool: shell, args: {script: exit 3}}\n";
    let aa = Aa::new().skill("two", skill);
    std::os::unix::fs::symlink(started(&aa), aa.path("started")).unwrap();
    let listed = aa.args(["skill", "run", "two", "--format", "json"]).run().code(1).json_lines();
    let event = listed.iter().find(|event| event["event"] == "step_completed").unwrap();
    assert_eq!(event["output"].as_str().map(|text| text.lines().count()), Some(1), "{event:#}");
    assert_eq!(written_down(&aa), 0);
}

#[test]
fn what_cannot_be_written_down_is_not_started_and_has_not_failed() {
    let skill = "name: two\ndescription: Two\nsteps:\n  - {name: a, tool: trace_look, on_error: continue}\n  - {name: b, tool: trace_look}\n";
    let aa = Aa::traced().skill("two", skill);
    std::fs::create_dir_all(started(&aa).parent().unwrap()).unwrap();
    // It stands for a disk without room for one more file.
    std::fs::write(started(&aa), "").unwrap();
    let ran = aa.args(["skill", "run", "two"]).run().code(1);
    ran.stderr_contains("cannot write down that a command is started").stderr_contains("aa run resume 1");
    std::fs::remove_file(started(&aa)).unwrap();
    aa.args(["run", "resume"]).run().code(0).stderr_contains("two completed");
}

#[test]
fn a_server_that_outlives_its_process_does_not_act_beside_the_second_attempt() {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/mcp/slow.py");
    let module = format!(
        "module: far\ndescription: A server\nmcp:\n  command: [python3, '{server}']\n  start_timeout: 2m\n  tools: {{act: {{idempotent: true}}}}\n"
    );
    let skill = "name: slowly\ndescription: Takes its time\nsteps:\n  - {name: make, tool: far_act}\n";
    let aa = Aa::new().tools("far", &module).skill("slowly", skill);
    aa.args(["tool", "trust", "far", "--yes"]).run().code(0);
    let running = aa.args(["skill", "run", "slowly"]).start();
    eventually("the server is at work", || aa.path("log").exists());
    running.signal(Signal::KILL);
    running.wait().killed();
    aa.args(["run", "resume", "1"]).run().code(0).stderr_contains("ended what was still running: `python3 (");
    assert_eq!(log_of(&aa), "begin\nbegin\nact\n");
    assert_eq!(written_down(&aa), 0);
}

#[test]
fn a_command_that_outlives_its_process_ends_with_its_run() {
    let aa = killed_over_its_command("doubtful");
    aa.args(["run", "cancel", "1"]).run().code(0);
    assert_eq!(log_of(&aa), "begin\n");
    let aa = killed_over_its_command("doubtful");
    aa.args(["run", "resume", "1"]).run().code(6);
    assert_eq!(log_of(&aa), "begin\n", "a person says what it has done, not what it is about to do");
}

#[test]
fn a_command_does_not_go_on_with_the_run_that_it_belongs_to() {
    let inner = "name: inner\ndescription: Goes on with itself\nsteps:\n  - {name: call, tool: slow_kill}\n";
    let tool = format!(
        "module: slow\ndescription: Kills\ntools:\n  - name: slow_kill\n    description: Kills what runs it\n    effect: write\n    input: {{}}\n    run: [sh, -c, 'kill -9 $PPID; sleep 0.3; \"$0\" run resume 1 2> said', '{0}']\n",
        crate::support::binary()
    );
    let aa = Aa::new().tools("slow", &tool).skill("inner", inner);
    aa.args(["skill", "run", "inner"]).run().killed();
    eventually("it was refused", || {
        std::fs::read_to_string(aa.path("said"))
            .is_ok_and(|said| said.contains("this process descends from it\n"))
    });
}

#[test]
fn tools_that_have_changed_since_a_run_started_are_told() {
    let aa = killed_over_its_command("again");
    let aa = aa.tools("slow", &SLOW.replace("sleep 4", "sleep 1"));
    let resumed = aa.args(["run", "resume", "1"]).run().code(0);
    resumed.stderr_contains("not what it was at the start: `slow_again`");
}

/// A run of one step with this command.
fn running(module: &str) -> (Aa, Running) {
    let skill =
        "name: slowly\ndescription: Takes its time\nsteps:\n  - {name: make, tool: slow_it, timeout: 20s}\n";
    let aa = Aa::new().tools("slow", module).skill("slowly", skill);
    let running = aa.args(["skill", "run", "slowly"]).start();
    (aa, running)
}

fn module_of(script: &str) -> String {
    format!(
        "module: slow\ndescription: Takes its time\ntools:\n  - name: slow_it\n    description: Takes its time\n    effect: write\n    \
         idempotent: true\n    input: {{}}\n    run:\n      - sh\n      - -c\n      - |\n        {script}\n"
    )
}

#[test]
fn a_run_that_is_cancelled_twice_leaves_no_daemon_behind() {
    let daemon = "setsid sh -c 'trap \"\" TERM; echo begin >> log; sleep 4; echo act >> log'";
    let (aa, running) =
        running(&module_of(&format!("{daemon} >/dev/null 2>&1 & trap '' TERM; while :; do sleep 1; done")));
    eventually("the daemon has begun", || aa.path("log").exists());
    running.signal(Signal::INT);
    eventually("the request is journaled", || {
        aa.args(["run", "show", "1", "--format", "json"]).run().out().contains("cancel_requested")
    });
    running.signal(Signal::INT);
    running.wait().code(5);
    assert_eq!(log_of(&aa), "begin\n");
    assert_eq!(written_down(&aa), 0);
}

/// The command that is written down as living.
fn leader(aa: &Aa) -> Option<Pid> {
    let file = std::fs::read_dir(started(aa)).ok()?.next()?.ok()?.path();
    let text = std::fs::read_to_string(file).ok()?;
    let line: serde_json::Value = serde_json::from_str(text.lines().last()?).ok()?;
    Pid::from_raw(i32::try_from(line["leader"]["pid"].as_i64()?).ok()?)
}

#[test]
fn what_cannot_be_told_from_a_strangers_keeps_a_run_where_it_is_and_nothing_was_asked_of_it() {
    let orphan = "env -i PATH=/usr/bin:/bin sh -c 'echo $$ > orphan; exec sleep 300'";
    let (aa, running) = running(&module_of(&format!("{orphan} & sleep 0.7")));
    eventually("the command has begun", || aa.path("orphan").exists());
    eventually("it is written down", || leader(&aa).is_some());
    // Whoever becomes the parent of what has lost its own has to wait for it, or the number stays its own.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    running.signal(Signal::KILL);
    running.wait().killed();
    rustix::process::waitpid(leader(&aa), rustix::process::WaitOptions::empty()).unwrap();

    let orphan = aa.text("orphan").trim().to_owned();
    for way in ["cancel", "resume"] {
        let refused = aa.args(["run", way, "1"]).run().code(1);
        refused.stderr_contains(&format!("whether `sleep ({orphan})` was started by an interrupted step"));
    }
    let shown = aa.args(["run", "show", "1", "--format", "json"]).run();
    assert!(!shown.out().contains("cancel"), "{shown}");
    let orphan = orphan.parse().ok().and_then(Pid::from_raw).unwrap();
    rustix::process::kill_process(orphan, Signal::KILL).unwrap();
    aa.args(["run", "resume", "1"]).run().code(0).stderr_contains("slowly completed");
}

#[test]
fn a_server_of_a_dead_process_is_ended_by_whoever_takes_its_run_up() {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/mcp/slow.py");
    let module = format!(
        "module: far\ndescription: A server\nmcp:\n  command: [sh, -c, 'python3 {server}; echo on > left; exec sleep 300']\n  \
         start_timeout: 2m\n  tools: {{act: {{idempotent: true}}}}\n"
    );
    let skill = "name: slowly\ndescription: Takes its time\nsteps:\n  - {name: make, tool: far_act}\n  \
                 - {name: pause, wait: 3s, needs: [make]}\n";
    let aa = Aa::new().tools("far", &module).skill("slowly", skill);
    aa.args(["tool", "trust", "far", "--yes"]).run().code(0);
    let _seen = std::fs::remove_file(aa.path("left"));
    let running = aa.args(["skill", "run", "slowly"]).start();
    eventually("no call is open", || {
        aa.args(["run", "show", "1", "--format", "json"]).run().out().contains("\"step_completed\"")
    });
    running.signal(Signal::KILL);
    running.wait().killed();
    eventually("the server is still there", || aa.path("left").exists());
    aa.args(["run", "resume", "1"]).run().code(0).stderr_contains("ended what was still running: `sleep (");
    assert_eq!(written_down(&aa), 0);
}

#[test]
fn a_daemon_is_found_also_when_process_numbers_have_begun_anew() {
    let numbers = "/proc/sys/kernel/ns_last_pid";
    let skill = format!(
        "name: wrap\ndescription: Begins anew\nsteps:\n  - name: make\n    tool: shell\n    args:\n      command: |\n        \
         echo 20000 > {numbers}\n        setsid sh -c 'echo begin >> log; sleep 4; echo act >> log' </dev/null >/dev/null 2>&1 &\n        \
         sleep 0.4\n        echo 200 > {numbers}\n        sleep 0.2\n"
    );
    let aa = Aa::new().skill("wrap", &skill);
    let inside = |script: &str| {
        let space = "unshare --user --map-root-user --pid --fork --mount-proc --kill-child";
        aa.script(&format!("exec {space} sh -c '{script}'")).run()
    };
    // Not every system lets everybody make a space of process numbers.
    if inside(&format!("echo 500 > {numbers}")).is_ok() {
        inside(&format!("{} skill run wrap; sleep 4.5", crate::support::binary()))
            .stderr_contains("wrap completed");
        assert_eq!(aa.text("log"), "begin\n");
    }
}
