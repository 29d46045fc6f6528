use std::sync::Mutex;

use aa_spec::source::Source;
use aa_spec::tool::{listener, recipe};
use serde_json::json;

use super::*;
use crate::store::{Durability, Marked, StoreOptions};

const CHAT: &str = r#"
module: chat
description: A chat
tools:
  - {name: chat_rooms, description: Rooms, effect: read, run: [x]}
  - {name: chat_messages, description: Messages, effect: read, input: {room: {type: string}, after: {type: string}}, run: [x]}
  - {name: chat_user, description: A user, effect: read, input: {id: {type: string}}, run: [x]}
listener:
  key: "item.room ~ ':' ~ item.at"
  if: not item.bot
  value: {text: "{{ item.text }}", room: "{{ source }}"}
  person: {id: item.user, tool: chat_user, args: {id: "{{ id }}"}}
  poll:
    sources: {tool: chat_rooms, items: result.rooms}
    tool: chat_messages
    args: {room: "{{ source }}", after: "{{ since }}"}
    items: result.messages
    since: item.at
    start: "5"
"#;

/// A chat of two rooms, one of which is out of order at first.
#[derive(Default)]
struct Chat {
    asked: Mutex<Vec<String>>,
    messages: Mutex<Vec<Value>>,
    closed: Mutex<bool>,
}

#[async_trait]
impl Asker for &Chat {
    async fn ask(&self, tool: &str, args: Map<String, Value>) -> Result<Value, StepError> {
        self.asked.lock().unwrap().push(format!("{tool} {}", Value::Object(args.clone())));
        match tool {
            "chat_rooms" => Ok(json!({"rooms": ["a", "b"]})),
            "chat_user" if args["id"] == "u" => Ok(json!({"name": "Ute"})),
            "chat_user" => Err(odd("no such user")),
            "chat_messages" if args["room"] == "a" && *self.closed.lock().unwrap() => Err(odd("closed")),
            "chat_messages" => {
                let after: u64 = args["after"].as_str().unwrap().parse().unwrap();
                let wanted = |message: &&Value| {
                    message["room"] == args["room"] && message["at"].as_u64().unwrap() > after
                };
                let messages = self.messages.lock().unwrap();
                // Newest first, as services like it.
                let found: Vec<Value> = messages.iter().rev().filter(wanted).cloned().collect();
                Ok(json!({"messages": found}))
            }
            _ => panic!("{tool}"),
        }
    }
}

impl Chat {
    fn say(&self, room: &str, at: u64, user: &str) {
        let message = json!({"room": room, "at": at, "user": user, "text": format!("{room}{at}")});
        self.messages.lock().unwrap().push(message);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn store(folder: &Path) -> Store {
    let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
    Store::open(folder, options).unwrap()
}

fn listener<'a>(folder: &Path, chat: &'a Chat) -> Listener<&'a Chat> {
    let source = Source::new("chat.yaml", CHAT);
    let module = recipe::check(&source).0.unwrap();
    let recipe = listener::compile(&module, &source).unwrap().unwrap();
    Listener::new("chat", recipe, (store(folder), folder), chat, Arc::new(Web::new(None, None, 1000)))
        .unwrap()
}

async fn once(listener: &Listener<&Chat>) -> (Result<usize, StepError>, Vec<String>) {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let result = listener.once(&tell).await;
    let mut heard = Vec::new();
    while let Ok(tidings) = told.try_recv() {
        let Tidings::Heard(pending) = tidings else { panic!("{tidings:?}") };
        heard.push(pending.item["text"].as_str().unwrap().to_owned());
    }
    (result, heard)
}

#[tokio::test]
async fn every_item_is_heard_once_in_order_and_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    chat.say("a", 3, "u");
    {
        let listener = listener(folder.path(), &chat);
        assert_eq!(once(&listener).await, (Ok(0), vec![]), "what was before the start is not new");
        chat.say("a", 10, "u");
        chat.say("a", 9, "u");
        chat.say("b", 7, "nobody");
        assert_eq!(once(&listener).await.1, ["a9", "a10", "b7"]);
        assert_eq!(once(&listener).await.1, [""; 0]);
    }
    chat.say("a", 11, "u");
    chat.asked();
    let listener = listener(folder.path(), &chat);
    assert_eq!(once(&listener).await, (Ok(1), vec!["a11".to_owned()]));
    let asked = chat.asked();
    assert!(asked.contains(&r#"chat_messages {"room":"a","after":"10"}"#.to_owned()), "{asked:?}");
    assert!(!asked.iter().any(|call| call.starts_with("chat_user")), "{asked:?}");

    let waiting = listener.store.pending("chat", 10).unwrap();
    let shown: Vec<_> = waiting.iter().map(|item| (item.key.as_str(), item.person.clone())).collect();
    let ute = Some(json!({"name": "Ute"}));
    let expected = [("a:9", ute.clone()), ("a:10", ute.clone()), ("b:7", None), ("a:11", ute)];
    assert_eq!(shown, expected);
    assert_eq!(waiting[0].item, json!({"text": "a9", "room": "a"}));
}

#[tokio::test]
async fn a_source_that_fails_keeps_its_position_and_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listener(folder.path(), &chat);
    chat.say("a", 6, "u");
    chat.say("b", 6, "u");
    *chat.closed.lock().unwrap() = true;
    let (result, heard) = once(&listener).await;
    assert_eq!((result.unwrap_err().message.as_str(), &heard[..]), ("closed", &["b6".to_owned()][..]));
    *chat.closed.lock().unwrap() = false;
    assert_eq!(once(&listener).await.1, ["a6"]);
}

#[tokio::test]
async fn what_is_marked_waits_no_more_and_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listener(folder.path(), &chat);
    chat.say("a", 6, "u");
    once(&listener).await.0.unwrap();
    let store = &listener.store;
    let id = store.pending("chat", 10).unwrap()[0].id;
    let mark = |id| store.mark("chat", id, Some("done".to_owned()), Utc::now());
    assert_eq!(store.mark("other", id, None, Utc::now()).await.unwrap(), Marked::Unknown);
    assert_eq!(mark(id).await.unwrap(), Marked::Now);
    assert_eq!(mark(id).await.unwrap(), Marked::Before);
    assert_eq!(mark(id + 1).await.unwrap(), Marked::Unknown);
    assert_eq!(store.count_pending("chat").unwrap(), 0);
    // The same again, as a socket may bring it.
    let again = Heard { key: "a:6".to_owned(), item: json!({}), person: None };
    assert_eq!(store.hear("chat", "a", vec![again], None, Utc::now()).await.unwrap(), []);
    assert_eq!(store.pending("chat", 10).unwrap(), []);
}

#[tokio::test]
async fn there_is_one_listener_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Lock::take(folder.path(), "chat").unwrap();
    let error = Lock::take(folder.path(), "chat").unwrap_err();
    assert_eq!(error.message, "another process listens for `chat` already");
    Lock::take(folder.path(), "other").unwrap();
    drop(first);
    Lock::take(folder.path(), "chat").unwrap();
}

#[test]
fn positions_are_compared_exactly() {
    assert_eq!(order("1700000000.000100", "1700000000.000200"), Ordering::Less);
    assert_eq!(order("9", "10"), Ordering::Less);
    assert_eq!(order("2026-01-02", "2026-01-10T00"), Ordering::Less);
}
