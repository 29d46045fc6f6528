//! What is said on a socket.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::*;

const SOCKET: &str = r#"
  socket:
    open: chat_open
    url: result.url
    ack: {if: message.id, json: {id: "{{ message.id }}"}}
    item: message.item
    source: item.room
"#;

#[tokio::test]
async fn odd_messages_and_slow_polls_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    *chat.url.lock().unwrap() = format!("ws://{}", port.local_addr().unwrap());
    *chat.stuck.lock().unwrap() = true;
    let open = "tools:\n  - {name: chat_open, description: Opens a socket, effect: write, run: [x]}";
    let module = CHAT.replace("tools:", open).replace("item.room ~ ':' ~ item.at", "item.text");
    let listener = listening(&format!("{module}{SOCKET}"), folder.path(), &chat);
    let odd = json!({"room": "a", "at": 6, "user": "u"});
    let service = async {
        let mut socket = accept_async(port.accept().await.unwrap().0).await.unwrap();
        let mut answers = Vec::new();
        let good = json!({"room": "a", "at": 7, "user": "u", "text": "a7"});
        for (id, item) in [("1", odd.clone()), ("2", good)] {
            let message = json!({"id": id, "item": item}).to_string();
            socket.send(Message::text(message)).await.unwrap();
            answers.push(socket.next().await.unwrap().unwrap().to_text().unwrap().to_owned());
        }
        answers
    };
    let (tell, mut told) = unbounded_channel();
    let answers = tokio::select! {
        () = listener.run(&tell) => unreachable!("it listens until it is stopped"),
        answers = tokio::time::timeout(Duration::from_secs(20), service) => answers.unwrap(),
    };
    assert_eq!(answers, [r#"{"id":"1"}"#, r#"{"id":"2"}"#]);
    let waiting = listener.store.pending("chat", 9).unwrap();
    let items: Vec<_> = waiting.into_iter().map(|pending| pending.item).collect();
    let unread = json!({"unread": odd, "error": "an item has no key: `key: item.text` of the listener of `chat` gives none"});
    assert_eq!(items, [unread, json!({"text": "a7", "room": "a"})]);
    assert_eq!(
        told.try_recv().unwrap(),
        Tidings::Trouble(super::odd(
            "an item has no key: `key: item.text` of the listener of `chat` gives none"
        ))
    );
    let asked = chat.asked();
    assert!(asked.iter().any(|call| call.starts_with("chat_rooms")), "a poll runs beside: {asked:?}");
}
