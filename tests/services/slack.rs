use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::Access;
use crate::support::services::Server;
use crate::support::services::slack::{APP, BOT, Slack};
use crate::support::{Aa, Running, eventually};

fn access<'a>(aa: &'a Aa, server: &Server<Slack>) -> Access<'a> {
    let url = format!("{}/api", server.url);
    Access {
        aa,
        env: vec![("SLACK_API_URL", url), ("SLACK_BOT_TOKEN", BOT.into()), ("SLACK_APP_TOKEN", APP.into())],
    }
}

/// What waits to be dealt with, as texts.
fn waiting(slack: &Access<'_>) -> Vec<String> {
    let pending = slack.call("slack_get_pending", &json!({"limit": 1000}));
    let items = pending["pending"].as_array().unwrap();
    assert_eq!(pending["count"], items.len());
    items.iter().map(|item| item["item"]["text"].as_str().unwrap().to_owned()).collect()
}

fn listen(slack: &Access<'_>) -> Running {
    slack.args(&["listen", "slack"]).start()
}

fn kill(running: Running) {
    running.signal(Signal::KILL);
    running.wait().killed();
}

#[test]
fn messages_are_sent_and_refused() {
    let aa = Aa::new();
    let server = Server::start(Slack::default());
    let slack = access(&aa, &server);
    let sent =
        slack.call("slack_send_message", &json!({"target": "C01", "text": "Hello <&>", "thread_ts": "1.2"}));
    assert_eq!(sent["channel"], "C01");
    assert_eq!(server.state().sent, [json!({"channel": "C01", "text": "Hello <&>", "thread_ts": "1.2"})]);
    slack.fails(
        "slack_send_message",
        &json!({"target": "C404", "text": "x"}),
        "not_found",
        "channel_not_found",
    );
    slack.fails("slack_get_user", &json!({"user_id": "U9"}), "not_found", "user_not_found");
    let reaction = |emoji: &str| json!({"channel_id": "C01", "timestamp": "1.2", "emoji": emoji});
    assert_eq!(slack.call("slack_add_reaction", &reaction("eyes")), json!({"added": false}));
    slack.fails("slack_add_reaction", &reaction("no-such"), "invalid", "invalid_name");
    slack.fails("slack_post_team", &json!({"text": "x"}), "invalid", "SLACK_TEAM_CHANNEL");
    let mut wrong = access(&aa, &server);
    wrong.env[1].1 = "xoxb-wrong".into();
    wrong.fails("slack_send_message", &json!({"target": "C01", "text": "x"}), "auth", "invalid_auth");
}

#[test]
fn polls_hear_everything_once_and_marks_last() {
    let aa = Aa::new();
    let server = Server::start(Slack::default());
    let slack = access(&aa, &server);
    server
        .state()
        .messages
        .push(json!({"type": "message", "user": "U01", "text": "long ago", "ts": "1000000000.000001"}));
    slack.args(&["listen", "slack", "--once"]).run().code(0).stderr_contains("nothing new");
    for text in ["one", "two", "three"] {
        server.state().say(text);
    }
    let bot = json!({"type": "message", "subtype": "bot_message", "bot_id": "B1", "text": "beep", "ts": "3000000000.000001"});
    server.state().messages.push(bot);
    slack
        .args(&["listen", "slack", "--once"])
        .run()
        .code(0)
        .stdout("1  C01  ute: one\n2  C01  ute: two\n3  C01  ute: three\n");
    slack.args(&["listen", "slack", "--once"]).run().code(0).stdout("");
    assert_eq!(waiting(&slack), ["one", "two", "three"]);
    let asked = server.asked();
    assert_eq!(
        asked.iter().filter(|asked| asked.ends_with("users.info")).count(),
        1,
        "people are remembered"
    );

    let pending = slack.call("slack_get_pending", &json!({"limit": 1}));
    let first = &pending["pending"][0];
    assert_eq!((&pending["count"], &first["person"]["real_name"]), (&json!(3), &json!("Ute")));
    let mark = json!({"id": first["id"], "response": "answered"});
    assert_eq!(slack.call("slack_respond_mark", &mark)["changed"], true);
    assert_eq!(slack.call("slack_respond_mark", &mark)["changed"], false);
    slack.fails("slack_respond_mark", &json!({"id": 99}), "not_found", "has the number 99");
    assert_eq!(waiting(&slack), ["two", "three"]);
}

#[test]
fn polls_hear_replies_and_claims_are_for_one() {
    let aa = Aa::new();
    let server = Server::start(Slack::default());
    let slack = access(&aa, &server);
    let listen = || slack.args(&["listen", "slack", "--once"]).run().code(0);
    server.state().say("old");
    server.state().reply("old", "an old reply");
    listen();
    let heard = waiting(&slack).len();
    server.state().reply("old", "one more");
    server.state().say("new");
    listen();
    listen();
    assert_eq!(waiting(&slack)[heard..], ["new", "one more"], "each once");
    server.state().reply("new", "yes");
    listen();
    assert_eq!(waiting(&slack)[heard..], ["new", "one more", "yes"]);
    server.asked();
    listen();
    let asked = server.asked();
    assert!(!asked.iter().any(|asked| asked.ends_with("replies")), "nothing is new: {asked:?}");

    // Two workers share what waits.
    let texts = |claimed: &Value| -> Vec<String> {
        let items = claimed["pending"].as_array().unwrap();
        items.iter().map(|item| item["item"]["text"].as_str().unwrap().to_owned()).collect()
    };
    let first = slack.call("slack_claim_pending", &json!({"limit": 2}));
    let second = slack.call("slack_claim_pending", &json!({"limit": 100}));
    let shared = [texts(&first), texts(&second)].concat();
    assert_eq!((texts(&first).len(), shared), (2, waiting(&slack)));
    assert_eq!(texts(&slack.call("slack_claim_pending", &json!({}))), [""; 0]);
    let pending = slack.call("slack_get_pending", &json!({}));
    assert!(pending["pending"][0]["claimed_until"].is_string(), "{pending}");
    let mark = json!({"id": first["pending"][0]["id"], "response": "answered"});
    assert_eq!(slack.call("slack_respond_mark", &mark)["changed"], true);
}

#[test]
fn a_socket_hears_everything_once_through_kills_cuts_and_renewals() {
    let aa = Aa::new();
    let server = Server::start(Slack::default());
    let slack = access(&aa, &server);
    server.state().socket = Some(server.url.clone());
    let connections = |count: u32| eventually("it connects", || server.state().connections >= count);
    let acknowledged = |count: usize| {
        eventually("everything is acknowledged", || {
            let acknowledged: std::collections::BTreeSet<_> =
                server.state().acknowledged.iter().cloned().collect();
            acknowledged.len() >= count
        });
    };

    let running = listen(&slack);
    connections(1);
    server.state().say("1");
    acknowledged(1);
    assert_eq!(waiting(&slack), ["1"], "what is acknowledged is on disk");

    server.state().refresh = true;
    connections(2);
    server.state().say("2");
    acknowledged(2);

    server.state().cut = true;
    server.state().say("3");
    connections(3);
    acknowledged(3);
    kill(running);

    server.state().say("4");
    let running = listen(&slack);
    acknowledged(4);
    // Killed while a crowd of messages comes in, several times.
    let mut running = running;
    for round in 0..3 {
        connections(4 + round);
        for number in 0..10 {
            server.state().say(&format!("{round}.{number}"));
        }
        std::thread::sleep(Duration::from_millis(9 * u64::from(round)));
        kill(running);
        running = listen(&slack);
    }
    acknowledged(34);
    running.signal(Signal::TERM);
    running.wait().code(0);
    let mut expected: Vec<String> = (1..5).map(|number: i32| number.to_string()).collect();
    expected.extend((0..3).flat_map(|round| (0..10).map(move |number: u32| format!("{round}.{number}"))));
    let mut heard = waiting(&slack);
    heard.sort();
    expected.sort();
    assert_eq!(heard, expected);
}

#[test]
fn without_socket_mode_polls_stand_in() {
    let aa = Aa::new();
    let server = Server::start(Slack::default());
    let mut slack = access(&aa, &server);
    let running = listen(&slack);
    eventually("it has looked once", || {
        server.asked().iter().any(|asked| asked.ends_with("conversations.history"))
    });
    // While one listens, another cannot.
    slack
        .args(&["listen", "slack", "--once"])
        .run()
        .code(1)
        .stderr_contains("another process listens for `slack` already");
    server.state().say("while there is no socket");
    eventually("a poll finds it", || !waiting(&slack).is_empty());
    running.signal(Signal::INT);
    running.wait().code(0).stderr_contains("not connected: ");

    // Nor need there be a token for it.
    slack.env.pop();
    let running = listen(&slack);
    server.state().say("and no token");
    eventually("a poll finds it", || waiting(&slack).len() == 2);
    running.signal(Signal::INT);
    running.wait().code(0).stderr_contains("SLACK_APP_TOKEN");
}

#[test]
fn what_listens_is_listed() {
    let aa = Aa::new();
    aa.args(["listen"]).run().code(0).stdout_contains("slack\n");
    aa.args(["listen", "slak"]).run().code(4).stderr_contains("did you mean `slack`?");
    let shown = aa.args(["tool", "show", "slack_get_pending", "--format", "json"]).run().code(0).json();
    assert_eq!((&shown["module"], &shown["effect"]), (&Value::from("slack"), &Value::from("read")));
}
