//! Attempts and redirects.

use std::time::{Duration, Instant};

use aa_spec::tool::ErrorKind;
use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::kit::{Module, Reply, Server, answer, json_reply, status};

fn method(method: &str, more: &str) -> String {
    format!("http: {{method: {method}, path: /x}}\n{more}")
}

#[tokio::test]
async fn a_busy_service_is_asked_again_as_it_wishes() {
    let date = (Utc::now() + TimeDelta::seconds(1)).to_rfc2822().replace("+0000", "GMT");
    let replies =
        [status(503, &format!("Retry-After: {date}")), status(429, "Retry-After: 1"), json_reply(&json!(1))];
    let server = Server::new(replies).await;
    let module = Module::tool(&server.base, "", &method("GET", ""));
    let start = Instant::now();
    assert_eq!(module.call(json!({})).await, Ok(json!(1)));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(server.lines().len(), 3);
    assert!(module.shown.lock().unwrap()[1].contains("status 429; trying again in 1000 ms"));
}

#[tokio::test]
async fn a_long_wait_is_not_waited_for() {
    let server = Server::new([status(429, "Retry-After: 3600")]).await;
    let module = Module::tool(&server.base, "", &method("GET", ""));
    assert_eq!(module.call(json!({})).await.unwrap_err().kind, ErrorKind::Transient);
    // Nor is one that would end after the deadline.
    let server = Server::new([status(503, "Retry-After: 30")]).await;
    let module = Module::tool(&server.base, "", &method("GET", ""));
    let mut context = module.context();
    context.deadline = Some(tokio::time::Instant::now() + Duration::from_secs(5));
    let start = Instant::now();
    let error = module.call_in(&context, "t", json!({})).await.unwrap_err();
    assert_eq!((error.kind, server.lines().len()), (ErrorKind::Transient, 1));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn only_what_is_harmless_is_repeated() {
    let keyed = "idempotency_key: {header: Idempotency-Key}";
    for (verb, more, attempts) in [
        ("GET", "", 3),
        ("PUT", "", 3),
        ("DELETE", "", 3),
        ("POST", "", 1),
        ("PATCH", "", 1),
        ("POST", "idempotent: true", 3),
        ("POST", keyed, 3),
    ] {
        for reply in [status(503, "Retry-After: 0"), Reply::Hangup] {
            let server = Server::new([reply]).await;
            let error =
                Module::tool(&server.base, "", &method(verb, more)).call(json!({})).await.unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Transient | ErrorKind::Network), "{error:?}");
            assert_eq!(server.lines().len(), attempts, "{verb} {more}");
            let keys: Vec<_> = server
                .asked()
                .iter()
                .filter_map(|asked| asked.headers.get("idempotency-key").cloned())
                .collect();
            assert!(more != keyed || keys == ["the-key"; 3], "{keys:?}");
        }
    }
    let server = Server::new([status(503, "Retry-After: 0")]).await;
    let module = Module::tool(&server.base, "retries: 4", "http: {path: /x, retries: 1}");
    assert!(module.call(json!({})).await.is_err());
    assert_eq!(server.lines().len(), 2, "the tool's own word counts");
}

#[tokio::test]
async fn what_was_certainly_not_done_is_repeated() {
    let busy = || status(429, "Retry-After: 0");
    let server = Server::new([busy(), json_reply(&json!("made"))]).await;
    let made = Module::tool(&server.base, "", &method("POST", "")).call(json!({})).await;
    assert_eq!((made, server.lines().len()), (Ok(json!("made")), 2));
    let server = Server::new([busy()]).await;
    assert!(Module::tool(&server.base, "", &method("POST", "")).call(json!({})).await.is_err());
    assert_eq!(server.lines().len(), 3, "no more often than it says");
    // It was done, and what came after it is refused.
    let seen = Reply::Text(answer(303, "Location: /seen", ""));
    let server = Server::new([seen, busy()]).await;
    assert!(Module::tool(&server.base, "", &method("POST", "")).call(json!({})).await.is_err());
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn redirects_are_followed_with_care() {
    let moved = |code: u16, to: &str| Reply::Text(answer(code, &format!("Location: {to}"), ""));
    let service = "auth: {header: {name: X-Token, value: the-token}}\nheaders: {X-All: a}";
    // On the same host, credentials and all.
    let server = Server::new([moved(302, "/there?a=1"), json_reply(&json!("there"))]).await;
    let module = Module::tool(&server.base, service, "http: {path: /x, headers: {X-Own: o}}");
    assert_eq!(module.call(json!({})).await, Ok(json!("there")));
    assert_eq!(server.lines(), ["GET /x", "GET /there?a=1"]);
    assert!(server.asked().iter().all(|asked| asked.headers["x-token"] == "the-token"));
    // To another host without them.
    let other = Server::new([json_reply(&json!("other"))]).await;
    let server = Server::new([moved(307, &format!("{}/there", other.base))]).await;
    let module =
        Module::tool(&server.base, service, "http: {path: /x, headers: {X-Own: o, Accept: text/plain}}");
    assert_eq!(module.call(json!({})).await, Ok(json!("other")));
    let asked = &other.asked()[0];
    assert!(["x-token", "x-all", "x-own"].iter().all(|name| !asked.headers.contains_key(*name)), "{asked:?}");
    assert_eq!(asked.headers["accept"], "text/plain");
    // Never with something to change.
    let module = Module::tool(&server.base, service, "http: {method: POST, path: /x, json: 1}");
    let error = module.call(json!({})).await.unwrap_err();
    assert!(error.message.contains("to another host") && error.kind == ErrorKind::Permanent, "{error:?}");
    assert_eq!(other.lines().len(), 1);
}

#[tokio::test]
async fn what_is_sent_goes_along_only_where_it_should() {
    let moved = |code: u16, to: &str| Reply::Text(answer(code, &format!("Location: {to}"), ""));
    for (code, lines, bodies) in
        [(303, ["POST /x", "GET /y"], ["1", ""]), (308, ["POST /x", "POST /y"], ["1", "1"])]
    {
        let server = Server::new([moved(code, "/y"), json_reply(&json!(2))]).await;
        let module = Module::tool(&server.base, "", "http: {method: POST, path: /x, json: 1}");
        assert_eq!(module.call(json!({})).await, Ok(json!(2)));
        assert_eq!(server.lines(), lines);
        assert_eq!(server.asked().into_iter().map(|asked| asked.body).collect::<Vec<_>>(), bodies);
    }
    for (reply, keys, part) in [
        (moved(302, "/y"), "http: {method: POST, path: /x}", "gave status 302"),
        (moved(302, "/y"), "http: {path: /x, redirects: false}", "gave status 302"),
        (moved(302, "/x"), "http: {path: /x}", "too many redirects"),
        (moved(302, "file:///etc/passwd"), "http: {path: /x}", "to what is no web address"),
    ] {
        let server = Server::new([reply]).await;
        let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
        assert!(error.message.contains(part), "{}", error.message);
    }
}

#[tokio::test]
async fn what_is_sent_does_not_go_to_another_host() {
    let other = Server::new([json_reply(&json!("other"))]).await;
    let moved = format!("Location: {}/there", other.base);
    let server = Server::new([Reply::Text(answer(302, &moved, ""))]).await;
    let module = Module::tool(&server.base, "", "http: {path: /x, json: {token: mine}}");
    assert_eq!(module.call(json!({})).await, Ok(json!("other")));
    assert_eq!(server.asked()[0].body, r#"{"token":"mine"}"#);
    assert_eq!(other.asked()[0].body, "");
}

#[tokio::test]
async fn an_empty_key_makes_nothing_repeatable() {
    let keys = "input: {id: {type: string, optional: true}}
idempotency_key: {arg: id}
http: {method: POST, path: /x, json: {id: '{{ id }}'}}";
    for (own, args, attempts) in [
        ("", json!({}), 1),
        ("", json!({"id": ""}), 1),
        ("the-key", json!({"id": ""}), 1),
        ("", json!({"id": "mine"}), 3),
        ("the-key", json!({}), 3),
    ] {
        let server = Server::new([status(503, "Retry-After: 0")]).await;
        let module = Module::tool(&server.base, "", keys);
        let mut context = module.context();
        context.idempotency_key = own.to_owned();
        assert!(module.call_in(&context, "t", args.clone()).await.is_err());
        assert_eq!(server.lines().len(), attempts, "{own} {args}");
    }
}

#[tokio::test]
async fn the_key_is_only_of_the_request_that_changes_something() {
    let server = Server::new([json_reply(&json!({"id": 7}))]).await;
    let keys = "idempotency_key: {header: Idempotency-Key}
http: {first: [{as: one, method: POST, path: /find, value: body.id}], method: POST, path: '/do/{one}'}";
    Module::tool(&server.base, "", keys).call(json!({})).await.unwrap();
    let keyed: Vec<_> = server
        .asked()
        .into_iter()
        .map(|asked| (asked.line, asked.headers.get("idempotency-key").cloned()))
        .collect();
    let expected = [("POST /find".to_owned(), None), ("POST /do/7".to_owned(), Some("the-key".to_owned()))];
    assert_eq!(keyed, expected);
}
