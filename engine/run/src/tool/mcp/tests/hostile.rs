//! Whatever a server does, the call gets a clear error in time, and nothing else is affected.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::kit::*;

/// What a call comes to that goes wrong, and that the same server and another one work after it.
async fn wrong(era: &str, tool: &str, args: Value, time: Duration) -> (ErrorKind, String) {
    let world = World::new().server("s", &["--era", era], "").server("t", &[], "");
    let toolbox = world.toolbox();
    assert_eq!(call(&toolbox, "t_ok", json!({})).await.unwrap(), "ok");
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
    let began = Instant::now();
    let bad = calling(&toolbox, &format!("s_{tool}"), args).within(time);
    let (bad, other) = tokio::join!(bad.make(), call(&toolbox, "t_echo", json!({"text": "meanwhile"})));
    assert!(began.elapsed() < time + Duration::from_secs(5), "{tool} took {:?}", began.elapsed());
    assert_eq!(other.unwrap(), "meanwhile", "{tool}");
    assert_eq!(call(&toolbox, "t_ok", json!({})).await.unwrap(), "ok", "another server after {tool}");
    let error = bad.unwrap_err();
    (error.kind, error.message)
}

const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_server_that_never_answers() {
    let (kind, message) = wrong("older", "hang", json!({}), SHORT).await;
    assert_eq!((kind, message.as_str()), (ErrorKind::Timeout, "the server of `s` did not answer in time"));
}

#[tokio::test]
async fn a_server_that_ignores_that_it_is_called_off() {
    let toolbox = World::new().server("s", &[], "  timeout: 500ms\n").toolbox();
    let error = call(&toolbox, "s_hang", json!({})).await.unwrap_err();
    assert_eq!(error.message, "the server of `s` did not answer in time");
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_server_that_dies() {
    let (kind, message) = wrong("newer", "die", json!({}), PATIENCE).await;
    let expected = "the server of `s` ended during the call (exit code 3): out of cheese";
    assert_eq!((kind, message.as_str()), (ErrorKind::Network, expected), "nobody knows what it has done");
}

#[tokio::test]
async fn a_server_that_prints_text_for_ever() {
    let (kind, message) = wrong("older", "flood_stdout", json!({}), PATIENCE).await;
    let expected = "the server of `s` ended during the call: \
                    it prints text that is no message of the protocol to its standard output";
    assert_eq!((kind, message.as_str()), (ErrorKind::Permanent, expected));
}

#[tokio::test]
async fn a_server_that_sends_notifications_for_ever() {
    let (kind, _) = wrong("older", "flood_notes", json!({}), Duration::from_secs(3)).await;
    assert_eq!(kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn a_server_that_floods_its_standard_error() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    assert_eq!(call(&toolbox, "s_flood_stderr", json!({})).await.unwrap(), "flooding");
    for _ in 0..20 {
        assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_server_that_sends_no_json() {
    for (era, how, expected) in [
        ("older", "broken", "it sent a line that is no JSON: `{\"jsonrpc\": \"2.0\", \"id\": "),
        ("newer", "nameless", "it sent a line that is no JSON: `{\"jsonrpc\": \"2.0\", \"id\": oops"),
        ("older", "batch", "it sent several answers as one message"),
        ("older", "error", "Parse error"),
    ] {
        let (kind, message) = wrong(era, "garbage", json!({"how": how}), PATIENCE).await;
        assert_eq!(kind, ErrorKind::Permanent, "{how}");
        assert!(message.starts_with(&format!("the server of `s` fails: {expected}")), "{how}: {message}");
    }
}

#[tokio::test]
async fn text_beside_answers_fails_nothing_and_is_named_when_there_is_none() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    let silent = calling(&toolbox, "s_garbage", json!({"how": "text"})).within(SHORT);
    let error = silent.make().await.unwrap_err();
    let expected =
        "the server of `s` did not answer in time; it sent a line that is no JSON: `Traceback: oops`";
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Timeout, expected));
    // Two calls are under way, and it cannot be told which one is meant.
    let hanging = calling(&toolbox, "s_hang", json!({})).within(SHORT);
    let nameless = calling(&toolbox, "s_garbage", json!({"how": "nameless"})).within(SHORT);
    let (hanging, nameless) = tokio::join!(hanging.make(), nameless.make());
    for error in [hanging.unwrap_err(), nameless.unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(error.message.contains("; it sent a line that is no JSON: `{"), "{error}");
    }
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_server_whose_answer_is_none() {
    let (kind, message) = wrong("newer", "malformed", json!({}), PATIENCE).await;
    let expected = "the server of `s` answers something else than it was asked";
    assert_eq!((kind, message.as_str()), (ErrorKind::Permanent, expected));
}

#[tokio::test]
async fn a_result_of_50_mb() {
    for last in [true, false] {
        let toolbox = World::new().server("s", &[], "").toolbox();
        let error = call(&toolbox, "s_big", json!({"last": last})).await.unwrap_err();
        assert_eq!(error.message, "the server of `s` fails: it sent a message of more than 16 MiB");
        assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok", "on the same connection");
    }
}

#[tokio::test]
async fn servers_that_do_not_start() {
    let cases = [
        ("hang", "the server of `s` did not answer within 1s of its start"),
        ("die", "the server of `s` ended before it was ready (exit code 1): no licence found"),
        ("noise", "the server of `s` ended before it was ready: it prints text that is no message"),
    ];
    for (start, expected) in cases {
        let more = "  start_timeout: 1s\n";
        let text = format!(
            "module: s\ndescription: A server\nmcp:\n  command: {}\n{more}",
            json!(["python3", SERVER, "--start", start])
        );
        let toolbox = World::new().module("s", &text).toolbox();
        let began = Instant::now();
        assert!(met(&toolbox, "s_ok").is_none(), "{start}");
        let problems = toolbox.problems("s_ok");
        assert!(problems[0].message.starts_with(expected), "{start}: {}", problems[0].message);
        assert!(met(&toolbox, "s_fail").is_none(), "{start}");
        assert!(began.elapsed() < Duration::from_secs(10), "it is not started for every name");
    }
    let missing =
        World::new().module("s", "module: s\ndescription: A server\nmcp: {command: [no-such-server]}\n");
    let toolbox = missing.toolbox();
    assert!(met(&toolbox, "s_ok").is_none());
    assert_eq!(toolbox.problems("s_ok")[0].message, "there is no command `no-such-server`");
}

#[tokio::test]
async fn a_server_that_dies_is_started_again_at_growing_intervals() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
    for _ in 0..3 {
        assert_eq!(call(&toolbox, "s_die", json!({})).await.unwrap_err().kind, ErrorKind::Network);
    }
    let (began, next) = (Instant::now(), calling(&toolbox, "s_ok", json!({})));
    let lines = next.lines.clone();
    assert_eq!(next.make().await.unwrap(), "ok");
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(
        lines.lock().unwrap()[0].starts_with("the server of `s` has failed; starting it again in"),
        "{lines:?}"
    );
    let impatient = calling(&toolbox, "s_die", json!({})).make().await;
    assert!(impatient.is_err());
    let began = Instant::now();
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
    assert!(began.elapsed() < Duration::from_secs(5), "it was useful in between");
}

#[tokio::test]
async fn a_server_that_is_there_and_says_nothing_is_started_again() {
    let more = "  timeout: 300ms\n  tools: {look: {result: json}}\n";
    let toolbox = World::new().server("s", &[], more).toolbox();
    let before = call(&toolbox, "s_look", json!({})).await.unwrap()["pid"].clone();
    for _ in 0..3 {
        assert_eq!(call(&toolbox, "s_hang", json!({})).await.unwrap_err().kind, ErrorKind::Timeout);
    }
    let after = call(&toolbox, "s_look", json!({})).await.unwrap()["pid"].clone();
    assert_ne!(before, after);
}
