//! Pages as people see them: driven in Debian's Chromium by the scripts beside this file.

use serde_json::{Value, json};

use super::support::{browse, browse_in, project, serve, waits};
use crate::api::support::{stands, start};
use crate::mcp::wire::Served;

/// Starts a run, and waits until it is over.
fn ran(served: &Served, skill: &str, inputs: &Value, status: &str) -> i64 {
    let run = start(served, skill, &json!({ "inputs": inputs }));
    stands(served, run, status);
    run
}

/// Starts a run that waits for a person.
fn asking(served: &Served, skill: &str) -> i64 {
    let run = start(served, skill, &json!({}));
    waits(served, run);
    run
}

/// Has every page looked at in some windows.
#[track_caller]
fn looked_at(windows: &Value) {
    let aa = project();
    let served = serve(&aa);
    let done = ran(&served, "look", &json!({"note": "x"}), "completed");
    ran(&served, "moody", &json!({"bad": false}), "completed");
    let failed = ran(&served, "moody", &json!({"bad": true}), "failed");
    let asks = asking(&served, "story");
    asking(&served, "form");
    start(&served, "hang", &json!({}));
    let pages = json!({
        "overview": "/ui",
        "runs": "/ui/runs",
        "runs-failed": "/ui/runs?status=failed&age=day",
        "runs-none": "/ui/runs?skill=nothing",
        "run-graph": format!("/ui/runs/{asks}"),
        "run-timeline": format!("/ui/runs/{asks}?view=timeline&step=first"),
        "run-log": format!("/ui/runs/{failed}?view=log&step=break"),
        "run-data": format!("/ui/runs/{done}?view=data"),
        "run-compare": format!("/ui/runs/{failed}/compare"),
        "skills": "/ui/skills",
        "skill": "/ui/skills/story",
        "skill-broken": "/ui/skills/broken",
        "skill-start": "/ui/skills/several/run",
        "schedules": "/ui/schedules",
        "schedule": "/ui/schedules/often",
        "tools": "/ui/tools",
        "tool": "/ui/tools/git_log",
        "personas": "/ui/personas",
        "persona": "/ui/personas/developer",
        "health": "/ui/health",
    });
    browse_in(&served, "pages", &json!({ "pages": pages, "windows": windows }));
}

#[test]
fn every_page_is_accessible_and_fits_on_a_desk() {
    looked_at(&json!([
        {"size": "wide", "scheme": "light"}, {"size": "wide", "scheme": "dark"}, {"size": "tablet", "scheme": "light"},
    ]));
}

#[test]
fn every_page_is_accessible_and_fits_on_a_phone() {
    looked_at(&json!([{"size": "phone", "scheme": "light"}, {"size": "phone", "scheme": "dark"}]));
}

#[test]
fn whoever_has_a_key_comes_in_and_goes_and_nobody_else() {
    let aa = project();
    let served = serve(&aa);
    let run = asking(&served, "story");
    browse(&served, "entry", &json!({ "run": run }), &json!({"key": ""}));
}

#[test]
fn a_run_page_shows_what_happens_while_it_does_and_nothing_moves() {
    let aa = project();
    let served = serve(&aa);
    let (run, asks) = (asking(&served, "story"), asking(&served, "form"));
    browse_in(&served, "live", &json!({ "run": run, "asks": asks }));
    let said = stands(&served, asks, "completed");
    assert_eq!(said["outputs"]["said"]["title"], "</textarea><script>alert(1)</script>", "{said}");
}

/// A tool that works once somebody is logged in, and a login.
const SERVICE: &str = "\
module: service
description: A service that wants a login
tools:
  - name: oc_get
    description: Gets the value
    effect: read
    input: {cluster: {type: string, default: stage}}
    run: [sh, -c, 'if [ -e \"in-$1\" ]; then printf value; else echo \"error: You must be logged in to the server (Unauthorized)\" >&2; exit 1; fi', sh, '{{ cluster }}']
";
const LOGIN: &str = "kube_login: {command: [sh, -c, 'touch \"in-$1\"', sh, '{cluster}'], check: [sh, -c, 'test -e \"in-$1\" && echo tester', sh, '{cluster}']}\n";
const HEALED: &str = "\
name: healed
description: Gets a value, and is mended
steps:
  - {name: get, tool: oc_get, on_error: auto_heal}
  - {name: flaky, tool: trace_flaky, args: {line: x}, retry: {attempts: 3, delay: 50ms}, needs: [get]}
";

#[test]
fn a_step_shows_what_healed_it_and_how_often_it_was_tried() {
    let aa = project().tools("service", SERVICE).skill("healed", HEALED).config(LOGIN);
    let served = serve(&aa);
    let run = ran(&served, "healed", &json!({}), "completed");
    browse_in(&served, "healed", &json!({ "run": run }));
}

#[test]
fn a_run_is_started_from_a_form_after_its_plan_was_shown() {
    let aa = project();
    browse_in(&serve(&aa), "start", &json!({}));
}

#[test]
fn runs_schedules_and_switches_are_steered() {
    let aa = project();
    let served = serve(&aa);
    let hangs = start(&served, "hang", &json!({}));
    let wrote = ran(&served, "write", &json!({}), "completed");
    ran(&served, "moody", &json!({"bad": false}), "completed");
    let failed = ran(&served, "moody", &json!({"bad": true}), "failed");
    browse_in(&served, "acts", &json!({ "hangs": hangs, "wrote": wrote, "failed": failed }));
    stands(&served, hangs, "cancelled");
    assert_eq!(aa.text("trace"), "x\n-x\n");
}

#[test]
fn all_of_it_works_without_a_mouse() {
    let aa = project();
    let served = serve(&aa);
    let run = ran(&served, "look", &json!({}), "completed");
    ran(&served, "look", &json!({}), "completed");
    browse_in(&served, "keyboard", &json!({ "run": run }));
}

/// A skill of so many steps, ten at a time.
fn long(steps: usize) -> String {
    let step = |at: usize| {
        let needs = at.checked_sub(10).map(|before| format!(", needs: [s{before}]")).unwrap_or_default();
        format!("  - {{name: s{at}, wait: 30ms{needs}}}\n")
    };
    let steps: String = (0..steps).map(step).collect();
    format!("name: long\ndescription: Takes many steps\nsteps:\n{steps}")
}

#[test]
fn thousands_of_runs_and_a_thousand_steps_are_no_trouble() {
    let aa = project().skill("long", &long(1000));
    let runs = 10_000;
    let served = serve(&aa);
    ran(&served, "look", &json!({"note": "first"}), "completed");
    super::support::copy_runs(&aa, runs);
    let big = start(&served, "long", &json!({}));
    browse_in(&served, "many", &json!({ "big": big, "runs": runs }));
}

/// What everybody may write who writes skills, tools, inputs and answers.
const HOSTILE: &str = "</script></svg></title><script>window.stolen = 1; alert(1)</script><img src=x onerror=alert(2)><b style='color:red'>x</b>\"'&";

#[test]
fn what_is_written_by_others_is_text() {
    let quoted = json!(HOSTILE).to_string();
    let tool = format!(
        "module: evil\ndescription: {quoted}\ntools:\n  - {{name: evil_say, description: {quoted}, effect: read, input: {{word: {{type: string, description: {quoted}}}}}, run: [echo, '{{{{ word }}}}']}}\n"
    );
    let fails = format!(
        "name: evil_fail\ndescription: {quoted}\nsteps: [{{name: break, tool: trace_fail, args: {{message: {quoted}}}}}]\n"
    );
    let aa = project().tools("evil", &tool).skill("evil_fail", &fails).skill("evil", &hostile_story(&quoted));
    let served = serve(&aa);
    let run = start(&served, "evil", &json!({"inputs": {"word": HOSTILE}}));
    waits(&served, run);
    let failed = ran(&served, "evil_fail", &json!({}), "failed");
    let pages = [
        "/ui".to_owned(),
        "/ui/runs".to_owned(),
        format!("/ui/runs?skill={}", "%3C%2Finput%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E%3Cb%3E"),
        format!("/ui/runs/{run}?step=gate"),
        format!("/ui/runs/{run}?step=first&view=timeline"),
        format!("/ui/runs/{run}?view=data"),
        format!("/ui/runs/{failed}?view=log&step=break"),
        format!("/ui/runs/{failed}/compare"),
        "/ui/skills/evil".to_owned(),
        "/ui/skills/evil/run".to_owned(),
        format!("/ui/skills/evil/run?like={run}"),
        "/ui/tools/evil_say".to_owned(),
        "/ui/tools".to_owned(),
        "/ui/%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
        "/ui/login?next=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
    ];
    browse_in(&served, "hostile", &json!({ "pages": pages }));
}

/// A skill that says and asks what could be taken for markup.
fn hostile_story(quoted: &str) -> String {
    format!(
        "name: evil\ndescription: {quoted}\ninputs: [{{name: word, type: string, default: {quoted}, description: {quoted}}}]\nsteps:\n  - {{name: first, description: {quoted}, tool: evil_say, args: {{word: '{{{{ inputs.word }}}}'}}}}\n  - {{name: gate, confirm: {{message: {quoted}, options: [{quoted}, 'no']}}, needs: [first]}}\noutputs: [{{name: said, value: '{{{{ first }}}}'}}]\n"
    )
}
