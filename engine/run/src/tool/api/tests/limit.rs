//! Time, size, budgets and the breaker.

use std::time::{Duration, Instant};

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::kit::{Module, Reply, Server, answer, json_reply, status};

#[tokio::test]
async fn a_silent_service_is_a_time_out_and_a_cancelled_call_ends() {
    let server = Server::new([Reply::Silence]).await;
    let module = Module::tool(&server.base, "timeout: 60ms", "http: {path: /x}");
    let error = module.call(json!({})).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message),
        (ErrorKind::Timeout, format!("GET `{}/x` took too long", server.base))
    );

    let module = Module::tool(&server.base, "", "http: {path: /x}");
    let mut context = module.context();
    context.deadline = Some(tokio::time::Instant::now() + Duration::from_millis(60));
    let error = module.call_in(&context, "t", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);

    let context = module.context();
    let cancel = context.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    let error = module.call_in(&context, "t", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn huge_answers_are_not_read() {
    let huge = "x".repeat(100_001);
    let server = Server::new([Reply::Text(answer(200, "", &huge))]).await;
    let error = Module::tool(&server.base, "", "http: {path: /x}").call(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("has more than 100000 bytes"), "{}", error.message);
    let page = json!(["x".repeat(90_000)]).to_string();
    let headers = "Content-Type: application/json";
    let server = Server::new([Reply::Text(answer(200, headers, &page))]).await;
    let keys = "http: {path: /x, paginate: {page: {query: p}}}";
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert!(error.message.contains("have more than 1600000 bytes"), "{}", error.message);
}

#[tokio::test]
async fn calls_at_once_are_bounded_over_all_tools() {
    let reply = Reply::Late(Duration::from_millis(60), answer(200, "", "ok"));
    let server = Server::new([reply]).await;
    let module = Module::tool(&server.base, "limits: {concurrent: 2}", "http: {path: /x}");
    let calls = (0..6).map(|_| module.call(json!({})));
    let start = Instant::now();
    for result in join_all(calls).await {
        assert_eq!(result, Ok(json!("ok")));
    }
    assert_eq!(server.most_under_way(), 2);
    assert!(start.elapsed() >= Duration::from_millis(180), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_rate_is_kept_after_a_burst() {
    let server = Server::new([json_reply(&json!(1))]).await;
    let service = "limits: {requests_per_second: 20, burst: 2}";
    let module = Module::tool(&server.base, service, "http: {path: /x}");
    let start = Instant::now();
    for result in join_all((0..6).map(|_| module.call(json!({})))).await {
        assert!(result.is_ok());
    }
    // Two at once, then one every 50 ms.
    assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
    let slow = Module::tool(&server.base, "limits: {requests_per_second: 0.01}", "http: {path: /x}");
    assert!(slow.call(json!({})).await.is_ok());
    let mut context = slow.context();
    context.deadline = Some(tokio::time::Instant::now() + Duration::from_secs(5));
    let error = slow.call_in(&context, "t", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("may be asked again only in") && error.message.contains("too late"));
}

#[tokio::test]
async fn a_pause_that_a_service_asks_for_holds_for_all() {
    let server = Server::new([status(429, "Retry-After: 1"), json_reply(&json!(1))]).await;
    let module = Module::tool(&server.base, "", "http: {path: /x, retries: 0}");
    assert_eq!(module.call(json!({})).await.unwrap_err().kind, ErrorKind::Transient);
    let start = Instant::now();
    assert!(module.call(json!({})).await.is_ok());
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_failing_service_is_left_alone_for_a_while() {
    let server = Server::new([status(500, "")]).await;
    let service = "retries: 0\nbreaker: {failures: 2, cool_down: 300ms}";
    let module = Module::tool(&server.base, service, "http: {path: /x}");
    for _ in 0..2 {
        assert!(module.call(json!({})).await.unwrap_err().message.contains("gave status 500"));
    }
    let error = module.call(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    let expected =
        format!("`{}` has failed 2 times in a row (status 500) and is left alone for 1 s", server.base);
    assert_eq!(error.message, expected);
    assert_eq!(server.lines().len(), 2, "it was not asked");
    // One attempt after the cool-down; it fails, so it is left alone again.
    tokio::time::sleep(Duration::from_millis(320)).await;
    assert!(module.call(json!({})).await.unwrap_err().message.contains("gave status 500"));
    assert!(module.call(json!({})).await.unwrap_err().message.contains("left alone"));
    assert_eq!(server.lines().len(), 3);
    // It is back.
    tokio::time::sleep(Duration::from_millis(320)).await;
    server.reply(json_reply(&json!("back")));
    assert_eq!(module.call(json!({})).await, Ok(json!("back")));
    assert_eq!(module.call(json!({})).await, Ok(json!("back")));
}

#[tokio::test]
async fn a_host_that_asks_for_a_long_pause_gets_it() {
    let server = Server::new([status(429, "Retry-After: 120")]).await;
    let module = Module::tool(&server.base, "", "http: {path: /x}");
    assert!(module.call(json!({})).await.unwrap_err().message.contains("gave status 429"));
    let error = module.call(json!({})).await.unwrap_err();
    assert!(error.message.contains("has asked to be left alone for 1"), "{error}");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn only_one_call_tries_whether_a_service_is_back() {
    let server = Server::new([status(503, "")]).await;
    let service = "retries: 0\nbreaker: {failures: 1, cool_down: 50ms}";
    let module = Module::tool(&server.base, service, "http: {path: /x}");
    assert!(module.call(json!({})).await.is_err());
    tokio::time::sleep(Duration::from_millis(80)).await;
    server.reply(Reply::Late(Duration::from_millis(50), answer(200, "", "back")));
    let results = join_all((0..4).map(|_| module.call(json!({})))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(server.lines().len(), 2);
    // A call that is cancelled while it tries lets another one try.
    assert!(module.call(json!({})).await.is_ok());
}

#[tokio::test]
async fn a_wrong_request_does_not_open_the_breaker() {
    let server = Server::new([status(404, "")]).await;
    let module = Module::tool(&server.base, "breaker: {failures: 2}", "http: {path: /x}");
    for _ in 0..5 {
        assert_eq!(module.call(json!({})).await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

async fn join_all<F: Future + Send>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = calls.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (call, slot) in pending.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = call.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
