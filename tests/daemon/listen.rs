//! Listeners that the daemon runs, against a server that speaks as Slack does.

use serde_json::{Value, json};

use super::{Daemon, allowing, daemon, project, running, status};
use crate::support::services::Server;
use crate::support::services::slack::{APP, BOT, Slack};
use crate::support::{Aa, Call, eventually};

/// A Slack, and a project that listens to it.
fn world(config: &str) -> (Server<Slack>, Aa) {
    let server = Server::start(Slack::default());
    server.state().socket = Some(server.url.clone());
    (server, project(config))
}

fn with(server: &Server<Slack>, call: Call) -> Call {
    let call = call.env("SLACK_API_URL", format!("{}/api", server.url));
    call.env("SLACK_BOT_TOKEN", BOT).env("SLACK_APP_TOKEN", APP)
}

fn start<'a>(aa: &'a Aa, server: &Server<Slack>) -> Daemon<'a> {
    with(server, aa.args(["daemon", "start", "--listen", "127.0.0.1:0"])).run().code(0);
    running(aa)
}

/// How the listener stands, by what the daemon says of itself.
fn stands(aa: &Aa) -> Value {
    status(aa)["daemon"]["health"]["listeners"]["slack"]["state"].clone()
}

fn waiting(aa: &Aa) -> u64 {
    let pending = aa.args(["tool", "call", "slack_get_pending"]).run().code(0).json();
    pending["count"].as_u64().unwrap()
}

fn switch(aa: &Aa, to: &str) {
    aa.args(["config", "service", to, "slack"]).run().code(0);
}

fn configure(aa: &Aa, text: &str) {
    std::fs::write(aa.home().join("config/aa-workflow/config.yaml"), allowing(text)).unwrap();
}

#[test]
fn what_is_configured_is_heard_by_one_process_and_switched_while_it_runs() {
    let (server, aa) = world("listen: [slack]\n");
    let it = start(&aa, &server);
    eventually("it listens", || stands(&aa) == "ok" && server.state().connections == 1);
    server.state().say("one");
    eventually("it is heard", || waiting(&aa) == 1);
    with(&server, aa.args(["listen", "slack", "--once"]))
        .run()
        .code(1)
        .stderr_contains("another process listens");
    daemon(&aa, &["status"]).code(0).stdout_contains("listener   slack: ok");
    assert_eq!(it.get("/readyz").message()["listeners"], json!({"slack": "ok"}));

    switch(&aa, "disable");
    eventually("it is off", || stands(&aa) == "off");
    // Whoever has switched it off may listen by hand then, and is refused by the same switch.
    with(&server, aa.args(["listen", "slack", "--once"])).run().code(1).stderr_contains("`slack` is off");
    server.state().say("two");
    assert_eq!(it.get("/readyz").status, 200);
    switch(&aa, "enable");
    eventually("what was missed is heard", || waiting(&aa) == 2);
    eventually("it listens again", || stands(&aa) == "ok");

    // It ends with the daemon, and another one takes over.
    daemon(&aa, &["stop"]).code(0);
    daemon(&aa, &["logs", "-n", "500"]).code(0).stdout_contains("the listener has ended");
    server.state().say("three");
    with(&server, aa.args(["listen", "slack", "--once"])).run().code(0).stdout_contains("three");
}

#[test]
fn what_fails_is_said_tried_again_and_leaves_it_ready() {
    let (server, aa) = world("listen: [slack, slak]\n");
    let it = start(&aa, &server);
    let health = || status(&aa)["daemon"]["health"]["listeners"].clone();
    eventually("a wrong name is said", || {
        health()["slak"]["why"].to_string().contains("did you mean `slack`?")
    });
    aa.args(["doctor"]).run().stdout_contains("`listen`: there is no module `slak` that listens");
    eventually("it listens", || stands(&aa) == "ok");
    server.state().out_of_order = true;
    server.state().cut = true;
    eventually("that it fails is said", || health()["slack"]["why"].to_string().contains("fatal_error"));
    assert_eq!(it.get("/readyz").status, 200);
    assert!(it.get("/metrics").body.contains("\naa_listeners_failing 2\n"));
    daemon(&aa, &["logs", "-n", "500"]).code(0).stdout_contains("listening fails");
    server.state().out_of_order = false;
    eventually("it works again", || stands(&aa) == "ok");

    configure(&aa, "");
    eventually("nothing listens any more", || health() == json!({}));
    assert!(it.get("/metrics").body.contains("\naa_listeners_failing 0\n"));
    server.state().say("in vain");
    configure(&aa, "listen: [slack]\n");
    eventually("it listens once more", || waiting(&aa) == 1);
}

#[test]
fn a_listener_is_taken_over_when_its_process_ends_and_a_project_listens_to_nothing() {
    let (server, aa) = world("listen: [slack]\n");
    let first = with(&server, aa.args(["listen", "slack"])).start();
    eventually("it listens", || server.state().connections == 1);
    let it = start(&aa, &server);
    eventually("another has it", || stands(&aa) == "elsewhere");
    assert_eq!(it.get("/readyz").message()["listeners"], json!({"slack": "elsewhere"}));
    first.signal(rustix::process::Signal::KILL);
    first.wait().killed();
    eventually("the daemon has it", || stands(&aa) == "ok");

    let cloned = project("").config("listen: [slack]\n");
    let it = super::start(&cloned);
    assert_eq!(status(&cloned)["daemon"]["health"]["listeners"], json!({}));
    cloned.args(["config", "check"]).run().stderr_contains("listen");
    drop(it);
}
