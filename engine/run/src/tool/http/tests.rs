//! The HTTP tools against a real server on a free loopback port.

use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::tool::{Tool, native};

/// A server that gives prepared answers in turn, the last one for ever, and keeps what it was asked.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone, Debug, Default)]
struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Server {
    async fn new(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<_> = answers.iter().map(|answer| answer.replace('\n', "\r\n")).collect();
        let seen = asked.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                let asked = read(&mut stream).await;
                seen.lock().unwrap().push(asked);
                // A client that has read enough hangs up.
                let _hung_up = stream.write_all(answers[number.min(answers.len() - 1)].as_bytes()).await;
                let _hung_up = stream.shutdown().await;
            }
        });
        Self { base, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Asked {
    let mut asked = Asked::default();
    stream.read_line(&mut asked.line).await.unwrap();
    asked.line = asked.line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        asked.headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    asked.body = String::from_utf8(body).unwrap();
    asked
}

fn ok(kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\nContent-Type: {kind}\nContent-Length: {}\nX-One: 1\nX-One: 2\n\n{body}",
        body.len()
    )
}

fn status(code: u16, headers: &str) -> String {
    format!("HTTP/1.1 {code} Said\n{headers}Content-Length: 4\n\nwhy?")
}

fn tools() -> BTreeMap<String, Arc<dyn Tool>> {
    let web = Arc::new(Web::new(None, None, 10_000));
    let tools = [
        native::tool(HttpRequest(web.clone())),
        native::tool(HttpGet(web.clone())),
        native::tool(HttpWait(web)),
    ];
    tools.map(|tool| (tool.spec().name.clone(), tool)).into()
}

async fn call(tool: &str, args: Value) -> Result<Value, ToolError> {
    let mut context = CallContext::detached("/");
    context.idempotency_key = "the-key".into();
    let Value::Object(args) = args else { panic!("arguments are an object") };
    tools()[tool].call(&context, args).await
}

#[tokio::test]
async fn a_json_body_is_a_value() {
    let server = Server::new(&[&ok("application/json; charset=utf-8", r#"{"a": [1, "ü"]}"#)]).await;
    let url = format!("{}/path?x=1", server.base);
    let response =
        call("http_get", json!({"url": url, "query": {"q": "a b&c", "n": [1, true]}})).await.unwrap();
    assert_eq!(response["status"], 200);
    assert_eq!(response["body"], json!({"a": [1, "ü"]}));
    assert_eq!(response["headers"]["x-one"], "1, 2");
    assert_eq!(response["url"], format!("{}/path", server.base));
    assert_eq!(server.asked()[0].line, "GET /path?x=1&n=1&n=true&q=a+b%26c");
}

#[tokio::test]
async fn any_other_body_is_text_and_none_is_null() {
    let server = Server::new(&[&ok("text/plain", "{}"), "HTTP/1.1 204 No Content\n\n"]).await;
    let args = json!({ "url": server.base });
    assert_eq!(call("http_get", args.clone()).await.unwrap()["body"], "{}");
    assert_eq!(call("http_get", args).await.unwrap()["body"], Value::Null);
}

#[tokio::test]
async fn json_is_sent() {
    let server = Server::new(&[&ok("text/plain", "")]).await;
    let args = json!({
        "method": "POST", "url": server.base, "json": {"a": null}, "headers": {"Authorization": "Bearer x"},
        "idempotency_header": "Idempotency-Key",
    });
    call("http_request", args).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!((asked.line.as_str(), asked.body.as_str()), ("POST /", r#"{"a":null}"#));
    let expected =
        [("content-type", "application/json"), ("authorization", "Bearer x"), ("idempotency-key", "the-key")];
    for (name, value) in expected {
        assert_eq!(asked.headers[name], value);
    }
}

#[tokio::test]
async fn text_is_sent_with_its_own_type() {
    let server = Server::new(&[&ok("text/plain", "")]).await;
    let args = json!({"method": "PUT", "url": server.base, "body": "a: 1", "headers": {"content-type": "text/yaml"}});
    call("http_request", args).await.unwrap();
    assert_eq!(
        (server.asked()[0].body.as_str(), server.asked()[0].headers["content-type"].as_str()),
        ("a: 1", "text/yaml")
    );
}

#[tokio::test]
async fn a_status_has_a_kind() {
    let cases = [
        (400, ErrorKind::Invalid),
        (401, ErrorKind::Auth),
        (403, ErrorKind::Auth),
        (404, ErrorKind::NotFound),
        (408, ErrorKind::Timeout),
        (409, ErrorKind::Permanent),
        (429, ErrorKind::Transient),
        (500, ErrorKind::Transient),
        (501, ErrorKind::Permanent),
        (503, ErrorKind::Transient),
    ];
    for (code, kind) in cases {
        let server = Server::new(&[&status(code, "")]).await;
        let url = format!("{}/x?token=hidden", server.base);
        let error = call("http_get", json!({"url": url, "retries": 0})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert_eq!(error.message, format!("GET `{}/x` gave status {code}", server.base));
        assert_eq!((&error.details["status"], &error.details["body"]), (&json!(code), &json!("why?")));
        assert!(!error.details.to_string().contains("hidden"), "{}", error.details);
    }
}

#[tokio::test]
async fn an_expected_status_is_no_error() {
    let server = Server::new(&[&status(404, "")]).await;
    let args = json!({"url": server.base, "expect": [200, 404]});
    assert_eq!(call("http_get", args).await.unwrap()["status"], 404);
    let server = Server::new(&[&ok("text/plain", "")]).await;
    assert!(call("http_get", json!({"url": server.base, "expect": [201]})).await.is_err());
}

#[tokio::test]
async fn json_may_begin_with_the_mark_of_its_encoding() {
    let server = Server::new(&[&ok("application/json", "\u{feff}[1]")]).await;
    assert_eq!(call("http_get", json!({"url": server.base})).await.unwrap()["body"], json!([1]));
}

#[tokio::test]
async fn a_busy_service_is_asked_again_as_it_wishes() {
    let server =
        Server::new(&[&status(503, "Retry-After: 0\n"), &status(429, ""), &ok("text/plain", "well")]).await;
    let response = call("http_get", json!({"url": server.base})).await.unwrap();
    assert_eq!((&response["body"], server.asked().len()), (&json!("well"), 3));
}

#[tokio::test]
async fn a_service_that_wants_a_long_wait_is_left_alone() {
    let server = Server::new(&[&status(503, "Retry-After: 3600\n")]).await;
    assert_eq!(call("http_get", json!({"url": server.base})).await.unwrap_err().kind, ErrorKind::Transient);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_post_is_repeated_only_with_a_key() {
    let cases = [(json!({}), 1), (json!({"idempotency_header": "Idempotency-Key"}), 3)];
    for (more, attempts) in cases {
        let server = Server::new(&[&status(503, "Retry-After: 0\n")]).await;
        let mut args = json!({"method": "POST", "url": server.base});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(call("http_request", args).await.is_err());
        assert_eq!(server.asked().len(), attempts);
    }
}

#[tokio::test]
async fn nobody_there_is_a_network_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = call("http_get", json!({"url": url, "retries": 0})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network);
    assert!(
        error.message.starts_with(&format!("cannot reach `{url}`: connection refused")),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_slow_service_is_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let error = call("http_get", json!({"url": url, "timeout": "50ms"})).await.unwrap_err();
    assert_eq!((error.kind, error.message), (ErrorKind::Timeout, format!("GET `{url}` took too long")));
}

#[tokio::test]
async fn a_cancelled_request_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let context = CallContext::detached("/");
    context.cancel.cancel();
    let args = json!({"url": format!("http://{}/", listener.local_addr().unwrap())});
    let error = tools()["http_get"].call(&context, args.as_object().unwrap().clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_what_they_say() {
    let large = "x".repeat(10_001);
    let cases = [
        (ok("text/plain", &large), "has more than 10000 bytes"),
        (ok("application/problem+json", "{"), "says that it is JSON and is not"),
    ];
    for (answer, message) in cases {
        let server = Server::new(&[&answer]).await;
        let error = call("http_get", json!({"url": server.base})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Permanent);
        assert!(error.message.contains(message), "{}", error.message);
    }
}

#[tokio::test]
async fn redirects_are_followed_or_not() {
    let target = Server::new(&[&ok("text/plain", "there")]).await;
    let redirect = status(302, &format!("Location: {}/x\n", target.base));
    let server = Server::new(&[&redirect]).await;
    let response = call("http_get", json!({"url": server.base})).await.unwrap();
    assert_eq!(
        (&response["body"], &response["url"]),
        (&json!("there"), &json!(format!("{}/x", target.base)))
    );
    let args = json!({"url": server.base, "follow_redirects": false, "expect": [302]});
    assert_eq!(call("http_get", args).await.unwrap()["status"], 302);
}

#[tokio::test]
async fn what_says_who_asks_goes_to_no_other_host() {
    let target = Server::new(&[&ok("text/plain", "there")]).await;
    for code in [302, 307] {
        let server = Server::new(&[&status(code, &format!("Location: {}/x\n", target.base))]).await;
        let headers = json!({"X-Api-Key": "k123", "Authorization": "Bearer x", "Accept": "text/plain"});
        call("http_get", json!({"url": server.base, "headers": headers})).await.unwrap();
        let asked = target.asked().pop().unwrap();
        assert!(!asked.headers.contains_key("x-api-key") && !asked.headers.contains_key("authorization"));
        assert_eq!(asked.headers["accept"], "text/plain");
    }
}

#[tokio::test]
async fn a_change_is_sent_on_to_whom_it_was_sent() {
    let headers = json!({"X-Api-Key": "k123"});
    let request = |base: &str| json!({"method": "POST", "url": base, "json": 1, "headers": headers});
    for (code, line, bodies) in [(303, "GET /x", ["1", ""]), (307, "POST /x", ["1", "1"])] {
        let server = Server::new(&[&status(code, "Location: /x\n"), &ok("text/plain", "there")]).await;
        assert_eq!(call("http_request", request(&server.base)).await.unwrap()["body"], "there");
        let asked = server.asked();
        assert_eq!(asked[1].line, line, "{code}");
        assert_eq!([asked[0].body.as_str(), asked[1].body.as_str()], bodies, "{code}");
        assert_eq!(asked[1].headers["x-api-key"], "k123");
    }
    // Where it was worked on, the answer may lie elsewhere; what is to be worked on does not go there.
    let target = Server::new(&[&ok("text/plain", "there")]).await;
    let elsewhere = |code| status(code, &format!("Location: {}/x\n", target.base));
    let server = Server::new(&[&elsewhere(303)]).await;
    assert_eq!(call("http_request", request(&server.base)).await.unwrap()["body"], "there");
    assert!(!target.asked()[0].headers.contains_key("x-api-key"));
    let server = Server::new(&[&elsewhere(307)]).await;
    let error = call("http_request", request(&server.base)).await.unwrap_err();
    assert!(error.message.contains("to another host"), "{error}");
    // It was not worked on there, and a page is not what was wanted.
    let server = Server::new(&[&elsewhere(302)]).await;
    let error = call("http_request", request(&server.base)).await.unwrap_err();
    assert!(error.message.contains("gave status 302"), "{error}");
    assert_eq!(target.asked().len(), 1);
    let round = Server::new(&[status(307, "Location: /x\n").as_str(); 20]).await;
    let error = call("http_request", json!({"method": "POST", "url": round.base})).await.unwrap_err();
    assert!(error.message.contains("too many redirects"), "{error}");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let cases = [
        (json!({"url": "nonsense"}), "`url` is no URL: relative URL without a base"),
        (json!({"url": "file:///etc/passwd"}), "`url` begins with `file:`, not with `http:` or `https:`"),
        (json!({"url": "http://x", "timeout": "soon"}), "`soon` is not a duration"),
        (json!({"url": "http://x", "headers": {"a b": "1"}}), "header `a b`: its name is not possible"),
        (json!({"url": "http://x", "headers": {"a": "1\n2"}}), "header `a`: its value is not possible"),
    ];
    for (args, message) in cases {
        let error = call("http_get", args).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(message), "{}", error.message);
    }
    let both = json!({"url": "http://x", "json": 1, "body": "1"});
    assert_eq!(
        call("http_request", both).await.unwrap_err().message,
        "`json` and `body` cannot both be given"
    );
}

#[tokio::test]
async fn waiting_ends_when_the_service_is_healthy() {
    let answers = [
        status(503, ""),
        ok("application/json", r#"{"ready":false}"#),
        ok("application/json", r#"{"ready":true}"#),
    ];
    let server = Server::new(&answers.each_ref().map(String::as_str)).await;
    let args = json!({"url": server.base, "interval": "1ms", "contains": "\"ready\":true"});
    let healthy = call("http_wait", args).await.unwrap();
    assert_eq!((&healthy["attempts"], &healthy["body"]), (&json!(3), &json!({"ready": true})));
}

#[tokio::test]
async fn waiting_has_an_end() {
    let server = Server::new(&[&status(503, "")]).await;
    let error = call("http_wait", json!({"url": server.base, "timeout": "60ms", "interval": "5ms"}))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.starts_with("not healthy within 60ms: GET"), "{}", error.message);
    assert_eq!(error.details["status"], 503);
}
