//! A project with something to see, its server, and the browser that looks at it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::api::support::{CI, get};
use crate::mcp::wire::Served;
use crate::support::{Aa, eventually};

/// A skill that asks in the middle, and says what it is given.
pub(super) const STORY: &str = "\
name: story
description: Reads, asks, goes on
inputs: [{name: word, type: string, default: hello, description: What is said}]
steps:
  - {name: first, tool: trace_look, args: {note: '{{ inputs.word }}'}}
  - {name: gate, confirm: {message: go on?, options: ['yes', 'no']}, needs: [first]}
  - {name: speak, tool: say_word, args: {word: '{{ inputs.word }}'}, needs: [gate]}
  - {name: pause, wait: 600ms, needs: [speak]}
  - {name: last, tool: trace_look, needs: [pause]}
outputs: [{name: said, value: '{{ speak }}'}]
";

/// A skill that asks for a form.
pub(super) const FORM: &str = "\
name: form
description: Asks for several values
steps:
  - name: details
    confirm:
      message: What happened?
      form:
        title: {type: string, description: In a line}
        level: {type: string, enum: [low, high], default: low}
outputs: [{name: said, value: '{{ details }}'}]
";

/// A skill that takes inputs of several kinds.
pub(super) const SEVERAL: &str = "\
name: several
description: Takes several kinds of values
inputs:
  - {name: word, type: string, required: true, description: A text}
  - {name: count, type: integer, default: 2}
  - {name: tone, type: string, enum: [warm, cool], default: warm}
  - {name: loud, type: boolean, default: false}
  - {name: files, type: array, items: {type: string}, default: []}
steps: [{name: see, tool: trace_look, args: {note: '{{ inputs.word }}'}}]
outputs: [{name: said, value: '{{ inputs }}'}]
";

/// A skill that fails when it is told to.
pub(super) const MOODY: &str = "\
name: moody
description: Fails when it is told to
inputs: [{name: bad, type: boolean, default: false}]
steps:
  - {name: see, tool: trace_look}
  - {name: break, tool: say_maybe, args: {bad: '{{ inputs.bad }}'}, needs: [see]}
";

/// A skill whose steps have parts, which begin a while after it.
const FAN: &str = "\
name: fan
description: Goes through items, and on
steps:
  - {name: pause, wait: 2500ms}
  - {name: each, foreach: '{{ [1, 2, 3, 4, 5, 6, 7, 8, 9] }}', concurrency: 2, tool: say_word, args: {word: 'no {{ item }}'}, needs: [pause]}
  - {name: sub, skill: look, needs: [each]}
  - {name: last, tool: trace_look, needs: [sub]}
";

/// A skill that changes something that can be taken back.
const WRITE: &str = "\
name: write
description: Writes
steps: [{name: put, tool: trace_write, args: {line: x}, undo: {tool: trace_unwrite, args: {line: x}}}]
";

/// A skill with mistakes.
const BROKEN: &str = "name: broken\ndescription: Has mistakes\nsteps: [{name: look, tool: trace_lok}]\n";

const SAY: &str = "\
module: say
description: Says things
requires: {commands: [sh]}
tools:
  - name: say_word
    description: Says a word
    effect: read
    input: {word: {type: string}}
    run: [sh, -c, 'echo \"heard $1\"; echo \"heard $1\" >&2', sh, '{{ word }}']
  - name: say_maybe
    description: Fails when it is told to
    effect: read
    input: {bad: {type: boolean}}
    run: [sh, -c, 'case $1 in [Tt]rue) echo no luck >&2; exit 3;; esac; echo fine', sh, '{{ bad }}']
";

/// A project with those skills, a schedule and a guest with a key.
pub(super) fn project() -> Aa {
    Aa::traced()
        .tools("say", SAY)
        .skill("story", STORY)
        .skill("form", FORM)
        .skill("several", SEVERAL)
        .skill("fan", FAN)
        .skill("moody", MOODY)
        .skill("write", WRITE)
        .skill("broken", BROKEN)
        .skill("look", crate::api::support::LOOK)
        .skill("hang", crate::api::support::HANG)
        .own_config(
            "secrets: {CI: {env: CI_KEY}}\nserve:\n  runs: 50\n  policy: {write: allow}\n  keys: [{principal: ci, key: '{{ secrets.CI }}'}]\nschedules:\n  often: {skill: look, every: 1h}\n  seldom: {skill: look, cron: '0 6 1 1 *', timezone: Europe/Berlin}\n",
        )
}

/// The server of a project.
pub(super) fn serve(aa: &Aa) -> Served {
    Served::start(aa.args(["serve", "--listen", "127.0.0.1:0"]).env("CI_KEY", CI))
}

/// Asks for a page as a browser does.
pub(super) fn page(served: &Served, path: &str) -> String {
    let reply = get(served, path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.body
}

/// Waits until a run waits for a person.
pub(super) fn waits(served: &Served, run: i64) {
    eventually("the run waits", || {
        let reply = get(served, &format!("/api/runs/{run}"));
        reply.status == 200 && reply.message()["run"]["status"] == "waiting"
    });
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Where the screenshots are kept.
fn shots() -> PathBuf {
    // The binary is in a folder of the target folder.
    Path::new(env!("CARGO_BIN_EXE_aa")).ancestors().nth(2).unwrap().join("dashboard")
}

/// Has the browser do a test.
#[track_caller]
pub(super) fn browse(served: &Served, test: &str, task: &Value, window: &Value) {
    let tools = crate::mcp::installed("browser");
    let mut task = task.clone();
    task["window"] = window.clone();
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(Path::new(&tools).join("node_modules/node/bin/node"))
        .arg(root().join("tests/dashboard/look.mjs"))
        .args([test, &task.to_string()])
        .env("AA_BROWSER", &tools)
        .env("AA_URL", format!("http://{}", served.address))
        .env("AA_KEY", &served.token)
        .env("AA_SHOTS", shots())
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    assert!(output.status.success(), "{test}: {}", said.concat());
}

/// In a usual window, signed in.
#[track_caller]
pub(super) fn browse_in(served: &Served, test: &str, task: &Value) {
    browse(served, test, task, &json!({}));
}

/// Adds runs to a store, each like its first one: as many as a busy machine has after a year.
pub(super) fn copy_runs(aa: &Aa, count: usize) {
    let store = rusqlite::Connection::open(aa.home().join("state/aa-workflow/aa.db")).unwrap();
    let columns = |table: &str, replaced: &[(&str, &str)]| {
        let mut listed = store.prepare(&format!("select name from pragma_table_info('{table}')")).unwrap();
        let names: Vec<String> = listed
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .filter(|name| name != "pos")
            .collect();
        let value = |name: &String| {
            replaced
                .iter()
                .find(|(of, _)| of == name)
                .map_or_else(|| name.clone(), |(_, with)| (*with).to_owned())
        };
        (names.join(", "), names.iter().map(value).collect::<Vec<_>>().join(", "))
    };
    let numbers = format!(
        "with recursive n(i) as (select 1000001 union all select i + 1 from n where i < 1000000 + {count})"
    );
    let (names, values) = columns(
        "runs",
        &[("id", "n.i"), ("request_key", "null"), ("started_at", "started_at - 3600000 + n.i % 1000")],
    );
    store
        .execute_batch(&format!(
            "{numbers} insert into runs ({names}) select {values} from runs, n where runs.id = 1"
        ))
        .unwrap();
    let (names, values) = columns("events", &[("run", "n.i")]);
    store
        .execute_batch(&format!(
            "{numbers} insert into events ({names}) select {values} from events, n where events.run = 1"
        ))
        .unwrap();
}
