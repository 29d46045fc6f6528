//! Lists that come in pages.

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use super::kit::{Module, Reply, Server, answer, json_reply};

fn linked(next: &str, body: &Value) -> Reply {
    let headers = format!("Content-Type: application/json\nLink: {next}");
    Reply::Text(answer(200, &headers, &body.to_string()))
}

#[tokio::test]
async fn the_link_header_is_followed() {
    let server = Server::new([
        linked(
            r#"</i?page=1&q=a,b>; rel="first", </i?q=a,b&page=2>; title="a, b"; rel="last next""#,
            &json!([1, 2]),
        ),
        linked("<?page=3>;rel=next", &json!([])),
        linked(r#"</i?page=1>; rel="first""#, &json!([3])),
    ])
    .await;
    let keys = "input: {q: {default: 'a,b'}}
http: {path: /i, query: {q: '{{ q }}', per_page: 2}, paginate: {link: true}}
value: {each: result, value: 'n{{ item }}'}";
    let module = Module::tool(&server.base, "auth: {bearer: the-token}", keys);
    assert_eq!(module.call(json!({})).await, Ok(json!(["n1", "n2", "n3"])));
    assert_eq!(server.lines(), ["GET /i?q=a%2Cb&per_page=2", "GET /i?q=a,b&page=2", "GET /i?page=3"]);
    assert!(server.asked().iter().all(|asked| asked.headers["authorization"] == "Bearer the-token"));
}

#[tokio::test]
async fn what_proves_who_asks_stands_in_the_query_once() {
    let repeated = r"</i?key=the-key&page=2>; rel=next";
    let moved = Reply::Text(answer(302, "Location: /j?key=the-key&page=2", ""));
    let server = Server::new([linked(repeated, &json!([1])), moved, json_reply(&json!([2]))]).await;
    let service = "auth: {query: {name: key, value: the-key}}";
    let keys = "http: {path: /i, paginate: {link: true}}";
    assert_eq!(Module::tool(&server.base, service, keys).call(json!({})).await, Ok(json!([1, 2])));
    assert_eq!(
        server.lines(),
        ["GET /i?key=the-key", "GET /i?page=2&key=the-key", "GET /j?page=2&key=the-key"]
    );
}

#[tokio::test]
async fn the_next_page_must_be_on_the_same_host() {
    let other = Server::new([json_reply(&json!([]))]).await;
    let server = Server::new([linked(&format!("<{}/i>; rel=next", other.base), &json!([1]))]).await;
    let keys = "http: {path: /i, paginate: {link: true}}";
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert_eq!(
        error.message,
        format!("the next page of `{}/i` is on another host: `{}/i`", server.base, other.base)
    );
    assert_eq!(other.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn pages_have_numbers() {
    let pages = [json!([1, 2]), json!([3, 4]), json!([5])];
    let replies = || pages.iter().map(json_reply);
    let by_size = "input: {size: {type: integer, default: 2}}
http: {path: /i, query: {per: '{{ size }}'}, paginate: {page: {query: page, size: size}}}";
    let server = Server::new(replies()).await;
    assert_eq!(Module::tool(&server.base, "", by_size).call(json!({})).await, Ok(json!([1, 2, 3, 4, 5])));
    assert_eq!(server.lines(), ["GET /i?per=2&page=1", "GET /i?per=2&page=2", "GET /i?per=2&page=3"]);

    let by_word = "http: {path: /i, paginate: {page: {query: p, first: 0, more: 'page < 1'}}}\nvalue: {all: '{{ result }}', last: '{{ body }}'}";
    let server = Server::new(replies()).await;
    let value = Module::tool(&server.base, "", by_word).call(json!({})).await;
    assert_eq!(value, Ok(json!({"all": [1, 2, 3, 4], "last": [3, 4]})));
    assert_eq!(server.lines(), ["GET /i?p=0", "GET /i?p=1"]);

    let until_empty = "http: {path: /i, paginate: {page: {query: p}}}";
    let server = Server::new(replies().chain([json_reply(&json!([]))])).await;
    assert_eq!(Module::tool(&server.base, "", until_empty).call(json!({})).await, Ok(json!([1, 2, 3, 4, 5])));
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn pages_begin_after_so_many_items() {
    let page = |items: &[u8]| json_reply(&json!({"total": 3, "issues": items}));
    let keys = "http: {path: /s, paginate: {items: body.issues, offset: {query: startAt, more: 'count < body.total'}}}
value: {total: '{{ body.total }}', issues: '{{ result }}'}";
    let server = Server::new([page(&[1, 2]), page(&[3])]).await;
    let value = Module::tool(&server.base, "", keys).call(json!({})).await;
    assert_eq!(value, Ok(json!({"total": 3, "issues": [1, 2, 3]})));
    assert_eq!(server.lines(), ["GET /s?startAt=0", "GET /s?startAt=2"]);
    // A service that promises more and gives nothing would never end.
    let server = Server::new([page(&[1, 2]), page(&[])]).await;
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert_eq!(error.message, format!("the pages of `{}/s` go round in circles", server.base));
}

#[tokio::test]
async fn a_cursor_leads_to_the_next_page() {
    let page = |items: &[u8], next: Value| json_reply(&json!({"items": items, "next": next}));
    let server = Server::new([page(&[1], json!("a=b")), page(&[2], json!(""))]).await;
    let keys = "http: {path: /c, query: {cursor: start}, paginate: {items: body.items, cursor: {from: body.next, query: cursor}}}";
    assert_eq!(Module::tool(&server.base, "", keys).call(json!({})).await, Ok(json!([1, 2])));
    assert_eq!(server.lines(), ["GET /c?cursor=start", "GET /c?cursor=a%3Db"]);

    let server = Server::new([page(&[1], json!(7)), page(&[2], json!(null))]).await;
    let keys = "idempotent: true\nhttp: {method: POST, path: /c, json: {q: x}, paginate: {items: body.items, cursor: {from: body.next, json: after}}}";
    assert_eq!(Module::tool(&server.base, "", keys).call(json!({})).await, Ok(json!([1, 2])));
    let bodies: Vec<_> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies, [r#"{"q":"x"}"#, r#"{"q":"x","after":"7"}"#]);

    let server = Server::new([page(&[1], json!("/c?p=2")), page(&[2], json!("/c?p=2"))]).await;
    let keys = "http: {path: /c, paginate: {items: body.items, cursor: {from: body.next}}}";
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert_eq!(error.message, format!("the pages of `{}/c` go round in circles", server.base));
}

#[tokio::test]
async fn a_limit_of_the_caller_cuts_and_a_bound_does_not() {
    let endless = |number: usize| linked(&format!("</i?page={}>; rel=next", number + 2), &json!([1, 2, 3]));
    let keys = "input: {limit: {type: integer, optional: true}}
http: {path: /i, paginate: {link: true, limit: limit, most_pages: 3, most_items: 8}}";
    let server = Server::new((0..20).map(endless)).await;
    let module = Module::tool(&server.base, "", keys);
    assert_eq!(module.call(json!({"limit": 4})).await, Ok(json!([1, 2, 3, 1])));
    assert_eq!(server.lines().len(), 2, "no page too many is asked for");
    let error = module.call(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert_eq!(error.message, "`t` gives more than 8 items; ask for less, or raise `most_items`");
    let server = Server::new((0..20).map(endless)).await;
    let keys = keys.replace("most_items: 8", "most_items: 100");
    let error = Module::tool(&server.base, "", &keys).call(json!({})).await.unwrap_err();
    assert_eq!(error.message, "`t` gives more than 3 pages; ask for less, or raise `most_pages`");
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn items_must_be_a_list() {
    let server = Server::new([json_reply(&json!({"items": null}))]).await;
    let keys = "http: {path: /i, paginate: {link: true, items: body.itmes}}";
    let error = Module::tool(&server.base, "", keys).call(json!({})).await.unwrap_err();
    assert_eq!(error.message, format!("`body.itmes` of a page of `{}/i` is no list", server.base));
}
