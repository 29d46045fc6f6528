//! What proves to a server on the web who asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::super::Review;
use super::kit::*;

/// Takes down the first lines of every request, and lets nobody in. Ends with the test's process.
fn gate() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mcp", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            // Answered before it was read whole, a request would look cut off.
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let _ = reader.read_exact(&mut vec![0; length.unwrap_or(0)]);
            kept.lock().unwrap().push(head);
            let _ = (&stream)
                .write_all(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (address, heads)
}

#[tokio::test]
async fn a_server_on_the_web_is_told_who_asks() {
    let cases = [
        (
            "{bearer: '{{ config.token }}'}",
            "\r\nauthorization: Bearer top-secret-token\r\n",
            "top-secret-token",
        ),
        (
            "{basic: {user: me, password: '{{ config.token }}'}}",
            "\r\nauthorization: Basic bWU6dG9wLXNlY3JldC10b2tlbg==\r\n",
            "bWU6dG9wLXNlY3JldC10b2tlbg==",
        ),
        (
            "{header: {name: X-Key, value: '{{ config.token }}'}}",
            "\r\nx-key: top-secret-token\r\n",
            "top-secret-token",
        ),
        (
            "{query: {name: key, value: '{{ config.token }}'}}",
            "POST /mcp?team=a&key=top-secret-token HTTP/1.1\r\n",
            "top-secret-token",
        ),
        (
            "[{bearer: '{{ config.other }}'}, {header: {name: X-Key, value: '{{ config.token }}'}}]",
            "\r\nx-key: top-secret-token\r\n",
            "top-secret-token",
        ),
    ];
    for (auth, sent, secret) in cases {
        let (address, heads) = gate();
        let text = format!(
            "module: s\ndescription: A server\nmcp: {{url: '{address}?team=a', auth: {auth}}}\n\
             config: {{token: {{env: SHOP_TOKEN, secret: true}}, other: {{optional: true}}}}\n"
        );
        let world = World::new().module("s", &text);
        let server = world.toolbox().server("s").unwrap();
        server.review().unwrap_err();
        let heads = heads.lock().unwrap().clone();
        assert!(!heads.is_empty() && heads.iter().all(|head| head.contains(sent)), "{auth}: {heads:?}");
        let hidden = hidden_by(&world).await;
        assert!(hidden.iter().any(|value| value == secret), "{auth}: {hidden:?}");
    }
}

/// What a call hides, though it does not get far.
async fn hidden_by(world: &World) -> Vec<String> {
    let toolbox = world.toolbox();
    let listing = json!({"description": "Says ok", "input": {"type": "object"}, "output": null, "hints": {}});
    let listing = vec![("ok".to_owned(), listing)];
    toolbox.server("s").unwrap().trust(Review { changes: Vec::new(), listing }).unwrap();
    let mut look = calling(&toolbox, "s_ok", json!({}));
    let hidden = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&hidden);
    look.context.conceal = Arc::new(move |_, value| {
        told.lock().unwrap().push(value.to_owned());
        Ok(())
    });
    look.make().await.unwrap_err();
    let hidden = hidden.lock().unwrap();
    hidden.clone()
}
