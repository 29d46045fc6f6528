//! The three kinds of stdio, each with a client at the other end that speaks plain lines.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Seek, Write, pipe};
use std::os::unix::net::UnixStream;

use aa_run::persona::Choice;
use aa_run::settings::{Settings, Surroundings};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::*;

const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"0"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"ping"}
"#;

/// Serves what comes from `input`, to its end.
async fn serve_on(input: impl AsyncRead + Send + Unpin + 'static, output: Writer) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().display().to_string();
    let surroundings = Surroundings {
        folder: folder.path().to_owned(),
        environment: [("HOME".to_owned(), home)].into(),
        store: None,
    };
    let engine = Engine::new(Settings::resolve(&surroundings).unwrap());
    let options = Options { choice: Choice::Tools(Vec::new()), ..Options::default() };
    Box::pin(serve_over(&engine, &options, (input, output), std::future::pending())).await.unwrap();
}

/// Answers come in any order, so by id.
fn answers(output: impl std::io::Read) -> BTreeMap<u64, Value> {
    let lines = BufReader::new(output).lines().map(Result::unwrap);
    let parsed = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    parsed.map(|answer| (answer["id"].as_u64().unwrap(), answer["result"].clone())).collect()
}

fn assert_greeted(answers: &BTreeMap<u64, Value>) {
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[&1]["serverInfo"]["name"], "aa");
    assert_eq!(answers[&2], serde_json::json!({}));
}

#[tokio::test]
async fn pipes_are_polled() {
    let ((input, mut to), (from, output)) = (pipe().unwrap(), pipe().unwrap());
    to.write_all(HELLO.as_bytes()).unwrap();
    let (reader, writer) = (Reader::of(&input).unwrap(), Writer::of(&output).unwrap());
    assert!(matches!((&reader, &writer), (Reader::Pipe(_), Writer::Pipe(_))));
    // What others do with the same descriptors waits as before.
    let waits = |fd: &dyn Fn() -> rustix::io::Result<rustix::fs::OFlags>| {
        !fd().unwrap().contains(rustix::fs::OFlags::NONBLOCK)
    };
    assert!(waits(&|| rustix::fs::fcntl_getfl(&input)) && waits(&|| rustix::fs::fcntl_getfl(&output)));
    drop((to, input, output));
    Box::pin(serve_on(reader, writer)).await;
    assert_greeted(&answers(from));
}

#[tokio::test]
async fn sockets_are_polled() {
    let ((input, mut to), (from, output)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    to.write_all(HELLO.as_bytes()).unwrap();
    let (reader, writer) = (Reader::of(&input).unwrap(), Writer::of(&output).unwrap());
    assert!(matches!((&reader, &writer), (Reader::Socket(_), Writer::Socket(_))));
    drop((to, input, output));
    Box::pin(serve_on(reader, writer)).await;
    assert_greeted(&answers(from));
}

#[tokio::test]
async fn files_are_read_by_a_thread() {
    let (mut input, mut output) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    input.write_all(HELLO.as_bytes()).unwrap();
    input.rewind().unwrap();
    let (reader, writer) = (Reader::of(&input).unwrap(), Writer::of(&output).unwrap());
    assert!(matches!((&reader, &writer), (Reader::Other(_), Writer::Other(_))));
    Box::pin(serve_on(reader, writer)).await;
    output.rewind().unwrap();
    assert_greeted(&answers(output));
}

#[tokio::test]
async fn a_line_without_end_is_not_kept() {
    let ((input, mut to), (from, output)) = (pipe().unwrap(), pipe().unwrap());
    let (reader, writer) = (Reader::of(&input).unwrap(), Writer::of(&output).unwrap());
    drop((input, output));
    let most = Options::default().message_bytes;
    let sent = std::thread::spawn(move || {
        to.write_all(&vec![b' '; 2 * most]).unwrap();
        to.write_all(format!("\n{HELLO}").as_bytes()).unwrap();
    });
    Box::pin(serve_on(reader, writer)).await;
    sent.join().unwrap();
    let mut from = BufReader::new(from);
    let mut first = String::new();
    from.read_line(&mut first).unwrap();
    assert!(first.contains("\"error\"") && !first.contains("\"id\""), "{first}");
    assert_greeted(&answers(from));
}

#[tokio::test]
async fn messages_come_in_pieces_of_any_size() {
    for piece in 1..8 {
        let ((input, mut to), (from, output)) = (tokio::io::duplex(piece), pipe().unwrap());
        let writer = Writer::of(&output).unwrap();
        drop(output);
        let sent = tokio::spawn(async move { to.write_all(HELLO.as_bytes()).await.unwrap() });
        Box::pin(serve_on(input, writer)).await;
        sent.await.unwrap();
        assert_greeted(&answers(from));
    }
}

#[tokio::test]
async fn of_two_requests_of_one_identifier_the_second_is_refused() {
    use rmcp::transport::Transport;
    use tokio::io::AsyncReadExt;

    let ping = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n";
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let input = std::io::Cursor::new(ping.repeat(2).into_bytes());
    let mut lines = Lines::new((input, ours), 4096, CancellationToken::new());
    assert!(lines.receive().await.is_some());
    assert!(lines.receive().await.is_none(), "the second is answered, and then there is the end");
    drop(lines);
    let mut said = String::new();
    theirs.read_to_string(&mut said).await.unwrap();
    let refused: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&2.into(), &(-32600).into()), "{said}");
}
