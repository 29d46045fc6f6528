//! What is sent, and what becomes of the answer.

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::kit::{Module, Reply, Server, answer, json_reply, status};

#[tokio::test]
async fn path_query_and_headers_are_encoded() {
    let server = Server::new([json_reply(&json!({"ok": true}))]).await;
    let keys = r#"input:
  project: {type: string}
  file: {type: string, default: "src/a b.rs"}
  labels: {type: array, optional: true}
  state: {type: string, optional: true}
  n: {type: integer, default: 3}
http:
  path: "/p/{project}/f/{+file}/raw-{n}"
  query: {state: "{{ state }}", label: "{{ labels }}", q: "x={{ n }}", fixed: true}
  headers: {X-Own: "n {{ n }}", X-None: "{{ state }}"}"#;
    let module = Module::tool(&format!("{}/api/", server.base), "headers: {X-All: a}", keys);
    let args = json!({"project": "group/sub?#%2F é", "labels": ["a b", "c&d"]});
    assert_eq!(module.call(args).await, Ok(json!({"ok": true})));
    let asked = &server.asked()[0];
    let path = "/api/p/group%2Fsub%3F%23%252F%20%C3%A9/f/src/a%20b.rs/raw-3";
    assert_eq!(asked.line, format!("GET {path}?label=a+b&label=c%26d&q=x%3D3&fixed=true"));
    assert_eq!((asked.headers["x-own"].as_str(), asked.headers["x-all"].as_str()), ("n 3", "a"));
    assert!(!asked.headers.contains_key("x-none"), "null leaves a header out");
}

#[tokio::test]
async fn a_value_cannot_leave_its_place_in_the_path() {
    let server = Server::new([status(200, "")]).await;
    let keys = "input: {a: {}}\nhttp: {path: '/x/{a}/y'}";
    let rest = "input: {a: {}}\nhttp: {path: '/x/{+a}'}";
    for (keys, value, part) in [
        (keys, json!(".."), "would leave its place"),
        (keys, json!("."), "would leave its place"),
        (rest, json!("a/../../admin"), "would leave its place"),
        (keys, json!(""), "must be text or a number"),
        (keys, json!(null), "must be text or a number"),
        (keys, json!(["a"]), "must be text or a number"),
    ] {
        let error = Module::tool(&server.base, "", keys).call(json!({"a": value})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(part), "{}", error.message);
    }
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn json_forms_and_text_are_sent() {
    let server = Server::new([Reply::Text(answer(204, "", ""))]).await;
    let input = "input: {a: {type: string, default: 'x&y=ü'}, n: {type: integer, optional: true}, l: {default: [1, 2]}}";
    let cases = [
        (
            "json: {a: '{{ a }}', n: '{{ n }}', l: '{{ l }}', in: {n: '{{ n }}', t: 'n{{ l | length }}'}, x: null}",
            "application/json",
            r#"{"a":"x&y=ü","l":[1,2],"in":{"t":"n2"},"x":null}"#,
        ),
        (
            "form: {a: '{{ a }}', n: '{{ n }}', l: '{{ l }}'}",
            "application/x-www-form-urlencoded",
            "a=x%26y%3D%C3%BC&l=1&l=2",
        ),
        ("body: 'say {{ a }}'", "text/plain; charset=utf-8", "say x&y=ü"),
        ("body: '<a/>'\n  headers: {Content-Type: text/xml}", "text/xml", "<a/>"),
    ];
    for (number, (body, kind, sent)) in cases.iter().enumerate() {
        let keys = format!("{input}\nhttp:\n  method: POST\n  path: /x\n  {body}");
        assert_eq!(Module::tool(&server.base, "", &keys).call(json!({})).await, Ok(json!(null)), "{body}");
        let asked = &server.asked()[number];
        assert_eq!((asked.line.as_str(), asked.body.as_str()), ("POST /x", *sent));
        assert_eq!(asked.headers["content-type"], *kind);
    }
}

#[tokio::test]
async fn files_are_sent_in_a_form() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.txt"), "line\n".repeat(50_000)).unwrap();
    let server = Server::new([json_reply(&json!(1))]).await;
    let keys = "input: {path: {type: string}, note: {type: string, optional: true}}
http:
  method: POST
  path: /upload
  multipart: {title: 'a \"b\"', note: '{{ note }}', log: {file: '{{ path }}', type: text/x-log, name: build.log}}";
    let module = Module::tool(&server.base, "", keys);
    let mut context = module.context();
    context.folder = folder.path().to_owned();
    module.call_in(&context, "t", json!({"path": "log.txt"})).await.unwrap();
    let asked = &server.asked()[0];
    assert!(asked.headers["content-type"].starts_with("multipart/form-data; boundary="));
    assert!(asked.headers.contains_key("content-length"), "the length is known without reading the files");
    for part in ["name=\"title\"\r\n\r\na \"b\"\r\n", "filename=\"build.log\"", "text/x-log", "line\nline\n"]
    {
        assert!(asked.body.contains(part), "{part}: {}", &asked.body[..500]);
    }
    assert!(!asked.body.contains("note"), "null leaves a part out");
    let gone = module.call_in(&context, "t", json!({"path": "none.txt"})).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::Invalid);
    assert!(gone.message.ends_with("none.txt`: no such file or directory"), "{}", gone.message);
}

#[tokio::test]
async fn the_answer_becomes_a_value() {
    let body = r#"{"total": 2, "users": [{"id": 1, "name": {"first": "A"}}, {"id": 2, "name": null}]}"#;
    let server =
        Server::new([Reply::Text(answer(200, "Content-Type: application/json\nX-Page: 7", body))]).await;
    let cases = [
        ("", serde_json::from_str(body).unwrap()),
        ("result: text", json!(body)),
        (
            "value: {each: body.users, value: {id: '{{ item.id }}', first: '{{ item.name.first }}'}}",
            json!([{"id": 1, "first": "A"}, {"id": 2, "first": null}]),
        ),
        (
            "value: {total: '{{ result.total }}', ids: {each: result.users, if: item.name, value: '{{ item.id }}'}, page: '{{ headers[\"x-page\"] }}', status: '{{ status }}', a: '{{ a }}'}",
            json!({"total": 2, "ids": [1], "page": "7", "status": 200, "a": "x"}),
        ),
    ];
    for (keys, expected) in cases {
        let keys = format!("input: {{a: {{default: x}}}}\nhttp: {{path: /}}\n{keys}");
        assert_eq!(Module::tool(&server.base, "", &keys).call(json!({})).await, Ok(expected), "{keys}");
    }
    let unfit = "http: {path: /}\noutput: {type: object, properties: {total: {type: string}}}";
    let error = Module::tool(&server.base, "", unfit).call(json!({})).await.unwrap_err();
    assert!(error.message.starts_with("the result of `t` is not what it declares"), "{}", error.message);
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_an_error() {
    for (headers, body, part) in [
        ("Content-Type: application/json", "{", "says that it is JSON and is not"),
        ("Content-Type: text/plain", "a\u{1}\u{7f}", ""),
    ] {
        let server = Server::new([Reply::Text(answer(200, headers, body))]).await;
        let result = Module::tool(&server.base, "", "http: {path: /}").call(json!({})).await;
        match part {
            "" => assert_eq!(result, Ok(json!(body))),
            part => assert!(result.unwrap_err().message.contains(part)),
        }
    }
}

#[tokio::test]
async fn a_failure_has_the_kind_of_its_status_and_the_words_of_the_service() {
    let cases = [
        (401, r#"{"message": "401 Unauthorized"}"#, ErrorKind::Auth, ": 401 Unauthorized"),
        (
            404,
            r#"{"errorMessages": ["Issue does not exist"], "errors": {}}"#,
            ErrorKind::NotFound,
            ": Issue does not exist",
        ),
        (
            400,
            r#"{"status": "error", "errorType": "bad_data", "error": "parse error"}"#,
            ErrorKind::Invalid,
            ": parse error",
        ),
        (
            422,
            r#"{"errors": [{"message": "too long"}, {"message": "too odd"}]}"#,
            ErrorKind::Invalid,
            ": too long; too odd",
        ),
        (500, r#"{"error": {"type": "x", "reason": "no shards"}}"#, ErrorKind::Transient, ": no shards"),
        (409, "plain words\nmore", ErrorKind::Transient, ": plain words"),
        (502, "<html><body>Bad gateway</body></html>", ErrorKind::Transient, ""),
        (418, r#"{"message": {"title": ["is missing"]}}"#, ErrorKind::Permanent, ": is missing"),
    ];
    for (code, body, kind, words) in cases {
        let json = if body.starts_with('{') { "Content-Type: application/json" } else { "" };
        let server = Server::new([Reply::Text(answer(code, json, body))]).await;
        let service = "retries: 0\nkinds: {409: transient}";
        let error = Module::tool(&server.base, service, "http: {path: /x, query: {q: hidden}}")
            .call(json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert_eq!(error.message, format!("GET `{}/x` gave status {code}{words}", server.base));
        assert_eq!((&error.details["status"], &error.details["body"]), (&json!(code), &json!(body)));
    }
}

#[tokio::test]
async fn a_service_may_fail_with_a_good_status() {
    let service = "failure: {when: not body.ok, message: body.error, kinds: {channel_not_found: not_found, ratelimited: transient}}
errors: []";
    let service = service.replace("\nerrors: []", "");
    let keys =
        "http: {path: /}\nerrors: [{match: 'is_(locked|down)', kind: transient, hint: ask again later}]";
    for (said, kind, hint) in [
        ("channel_not_found", ErrorKind::NotFound, json!(null)),
        ("is_locked", ErrorKind::Transient, json!("ask again later")),
        ("odd", ErrorKind::Permanent, json!(null)),
    ] {
        let server = Server::new([json_reply(&json!({"ok": false, "error": said}))]).await;
        let error = Module::tool(&server.base, &service, keys).call(json!({})).await.unwrap_err();
        assert_eq!((error.kind, &error.details["hint"]), (kind, &hint), "{said}");
        assert_eq!(error.message, format!("GET `{}/` failed: {said}", server.base));
    }
    let server = Server::new([json_reply(&json!({"ok": true}))]).await;
    assert!(Module::tool(&server.base, &service, keys).call(json!({})).await.is_ok());
}

#[tokio::test]
async fn an_error_rule_wins_over_a_good_status() {
    let page = "<html>Session expired</html>";
    let keys = |rule: &str| {
        format!(
            "http: {{path: /, ok: [200, 404]}}\nresult: text\nerrors: [{{match: expired, kind: auth{rule}}}]"
        )
    };
    for (code, rule, expected) in [
        (404, "", Err(ErrorKind::Auth)),
        // What a success gives is data, which may speak of anything.
        (200, "", Ok(json!(page))),
        (200, ", always: true", Err(ErrorKind::Auth)),
        (404, ", always: true", Err(ErrorKind::Auth)),
    ] {
        let server = Server::new([Reply::Text(answer(code, "Content-Type: text/html", page))]).await;
        let result = Module::tool(&server.base, "", &keys(rule)).call(json!({})).await;
        assert_eq!(result.map_err(|error| error.kind), expected, "{code}{rule}");
    }
    // An error page where JSON belongs is the error that it is, not a text that is no JSON.
    let server = Server::new([Reply::Text(answer(200, "Content-Type: application/json", page))]).await;
    let keys = "http: {path: /}\nerrors: [{match: expired, kind: auth, always: true, hint: log in}]";
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert_eq!((error.kind, &error.details["hint"]), (ErrorKind::Auth, &json!("log in")));
}

#[tokio::test]
async fn an_expected_status_is_a_success() {
    let server = Server::new([Reply::Text(answer(404, "", "gone"))]).await;
    let keys = "http: {path: /, ok: [200, 404]}\nvalue: {found: '{{ status == 200 }}'}";
    assert_eq!(Module::tool(&server.base, "", keys).call(json!({})).await, Ok(json!({"found": false})));
}

#[tokio::test]
async fn a_url_can_be_anywhere() {
    let server = Server::new([json_reply(&json!([]))]).await;
    let keys = format!(
        "input: {{q: {{type: string}}}}\nhttp: {{url: '{}/a', query: {{q: '{{{{ q }}}}'}}}}",
        server.base
    );
    let module = Module::tool("https://elsewhere.invalid", "auth: {bearer: not-for-others}", &keys);
    module.call(json!({"q": "1"})).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "GET /a?q=1");
    assert!(!asked.headers.contains_key("authorization"), "credentials stay with the service");
}

#[tokio::test]
async fn wrong_places_are_refused() {
    for (base, part) in [
        ("ftp://x", "not with `http:` or `https:`"),
        ("nonsense", "is no URL"),
        ("http://user:pass@127.0.0.1:1", "holds a user or a password"),
    ] {
        let error = Module::tool(base, "", "http: {path: /}").call(json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(part), "{}", error.message);
        assert!(!error.message.contains("pass@"), "{}", error.message);
    }
}
