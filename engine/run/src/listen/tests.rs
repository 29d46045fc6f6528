use std::sync::Mutex;

use aa_spec::source::Source;
use aa_spec::tool::{listener, recipe};
use serde_json::json;

use super::*;
use crate::store::{Claim, Durability, Marked, StoreOptions};

mod socket;
mod thread;

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
    /// Rooms that were opened later.
    later: Mutex<Vec<&'static str>>,
    /// Where its socket is.
    url: Mutex<String>,
    /// Whether everything but its socket takes forever.
    stuck: Mutex<bool>,
    /// Whether nobody gets replies.
    speechless: Mutex<bool>,
    /// What nobody gets the replies to.
    broken: Mutex<Vec<Value>>,
}

#[async_trait]
impl Asker for &Chat {
    async fn ask(&self, tool: &str, args: Map<String, Value>) -> Result<Value, StepError> {
        self.asked.lock().unwrap().push(format!("{tool} {}", Value::Object(args.clone())));
        let stuck = *self.stuck.lock().unwrap();
        match tool {
            "chat_open" => Ok(json!({"url": *self.url.lock().unwrap()})),
            _ if stuck => std::future::pending().await,
            "chat_rooms" => {
                let rooms: Vec<_> =
                    ["a", "b"].into_iter().chain(self.later.lock().unwrap().clone()).collect();
                Ok(json!({"rooms": rooms}))
            }
            "chat_user" if args["id"] == "u" => Ok(json!({"name": "Ute"})),
            "chat_user" => Err(odd("no such user")),
            "chat_messages" if args["room"] == "a" && *self.closed.lock().unwrap() => Err(odd("closed")),
            "chat_messages" => Ok(self.said(&args, &Value::Null)),
            "chat_replies" if self.broken.lock().unwrap().contains(&args["to"]) => Err(odd("no such thread")),
            "chat_replies" if *self.speechless.lock().unwrap() => Err(odd("no replies now")),
            "chat_replies" => {
                let to: u64 = args["to"].as_str().unwrap().parse().unwrap();
                Ok(self.said(&args, &to.into()))
            }
            "chat_tops" => Ok(self.tops(&args)),
            _ => panic!("{tool}"),
        }
    }
}

impl Chat {
    /// What was said in a room after a moment, on its own or below something; newest first, as
    /// services like it.
    fn said(&self, args: &Map<String, Value>, to: &Value) -> Value {
        let after: u64 = args["after"].as_str().unwrap().parse().unwrap();
        let wanted = |message: &&Value| {
            message["room"] == args["room"] && message["to"] == *to && message["at"].as_u64().unwrap() > after
        };
        let limit = args
            .get("limit")
            .and_then(Value::as_u64)
            .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let messages = self.messages.lock().unwrap();
        json!({"messages": messages.iter().rev().filter(wanted).take(limit).collect::<Vec<_>>()})
    }

    /// What was said in a room on its own, with when the last reply came.
    fn tops(&self, args: &Map<String, Value>) -> Value {
        let messages = self.messages.lock().unwrap();
        let latest = |top: &Value| {
            let replies = messages.iter().filter(|one| one["room"] == top["room"] && one["to"] == top["at"]);
            replies.filter_map(|one| one["at"].as_u64()).max()
        };
        let tops = messages.iter().filter(|one| one["room"] == args["room"] && one["to"].is_null());
        let tops: Vec<_> = tops.map(|top| json!({"at": top["at"], "latest": latest(top)})).collect();
        json!({"messages": tops})
    }

    fn reply(&self, room: &str, to: u64, at: u64, user: &str) {
        self.say(room, at, user);
        self.messages.lock().unwrap().last_mut().unwrap()["to"] = to.into();
    }

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
    listening(CHAT, folder, chat)
}

fn listening<'a>(module: &str, folder: &Path, chat: &'a Chat) -> Listener<&'a Chat> {
    let source = Source::new("chat.yaml", module);
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
async fn an_item_that_cannot_be_dealt_with_is_kept_and_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listening(&CHAT.replace("item.room ~ ':' ~ item.at", "item.text"), folder.path(), &chat);
    let nameless = json!({"room": "a", "at": 7, "user": "u"});
    chat.messages.lock().unwrap().push(nameless.clone());
    chat.say("a", 8, "u");
    let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
    assert_eq!(
        listener.once(&tell).await.unwrap_err().message,
        "an item has no key: `key: item.text` of the listener of `chat` gives none"
    );
    let kept: Vec<_> =
        listener.store.pending("chat", 9).unwrap().into_iter().map(|found| found.item).collect();
    let unread = json!({"unread": nameless, "error": "an item has no key: `key: item.text` of the listener of `chat` gives none"});
    assert_eq!(kept, [unread, json!({"text": "a8", "room": "a"})]);
    // The position is behind it.
    assert_eq!(once(&listener).await, (Ok(0), vec![]));
    assert!(chat.asked().contains(&r#"chat_messages {"room":"a","after":"8"}"#.to_owned()));
}

#[tokio::test]
async fn items_without_a_position_are_heard_once_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listening(&CHAT.replace("since: item.at", "since: item.when"), folder.path(), &chat);
    chat.say("a", 8, "u");
    let missing =
        Err(odd("an item has no position: `since: item.when` of the listener of `chat` gives none"));
    assert_eq!(once(&listener).await, (missing.clone(), vec!["a8".to_owned()]));
    assert_eq!(once(&listener).await, (missing, vec![]));
}

#[tokio::test]
async fn what_was_said_in_a_new_source_since_the_last_look_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let module = CHAT.replace(r#"start: "5""#, r#"start: "{{ now().timestamp() }}""#);
    {
        let listener = listening(&module, folder.path(), &chat);
        let before = Utc::now().timestamp_millis();
        assert_eq!(once(&listener).await, (Ok(0), vec![]));
        assert!(listener.looked.load(Atomic::Relaxed) >= before);
        listener.looked.store(7000, Atomic::Relaxed);
        chat.later.lock().unwrap().push("c");
        chat.say("c", 6, "u");
        chat.say("c", 8, "u");
        assert_eq!(once(&listener).await, (Ok(1), vec!["c8".to_owned()]));
    }
    // Another process knows at least when a position moved.
    let moved = listening(&module, folder.path(), &chat).store.listener_moved("chat").unwrap().unwrap();
    chat.later.lock().unwrap().push("d");
    let after = u64::try_from(moved.timestamp()).unwrap() + 1;
    chat.say("d", after - 100, "u");
    chat.say("d", after, "u");
    let listener = listening(&module, folder.path(), &chat);
    assert_eq!(once(&listener).await, (Ok(1), vec![format!("d{after}")]));
}

#[tokio::test]
async fn whom_an_item_comes_from_may_be_added_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let heard = |person| vec![Heard { key: "k".to_owned(), item: json!({"text": "x"}), person }];
    assert_eq!(store.hear("chat", "a", heard(None), vec![], Utc::now()).await.unwrap().len(), 1);
    let ute = Some(json!({"name": "Ute"}));
    assert_eq!(store.hear("chat", "a", heard(ute.clone()), vec![], Utc::now()).await.unwrap(), []);
    assert_eq!(store.hear("chat", "a", heard(Some(json!(1))), vec![], Utc::now()).await.unwrap(), []);
    assert_eq!(store.pending("chat", 10).unwrap()[0].person, ute);
}

#[tokio::test]
async fn a_queue_that_nobody_empties_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listener(folder.path(), &chat);
    (0..=MANY).for_each(|at| chat.say("a", 10 + at, ""));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    listener.once(&tell).await.unwrap();
    chat.say("a", 5000, "");
    listener.once(&tell).await.unwrap();
    let mut trouble = Vec::new();
    while let Ok(tidings) = told.try_recv() {
        if let Tidings::Trouble(error) = tidings {
            trouble.push(error.message);
        }
    }
    assert_eq!(trouble, ["1001 items wait; nobody seems to mark them with `chat_respond_mark`"]);
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
    assert_eq!(store.hear("chat", "a", vec![again], vec![], Utc::now()).await.unwrap(), []);
    assert_eq!(store.pending("chat", 10).unwrap(), []);
}

#[tokio::test]
async fn what_one_claims_another_does_not_get_until_the_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listener(folder.path(), &chat);
    (6..9).for_each(|at| chat.say("a", at, "u"));
    once(&listener).await.0.unwrap();
    let start = Utc::now();
    let claim = async |by: Option<&str>, limit, minutes| {
        let at = start + TimeDelta::minutes(minutes);
        let claim = Claim { limit, by: by.map(str::to_owned), at, until: at + TimeDelta::minutes(10) };
        let claimed = listener.store.claim("chat", claim).await.unwrap();
        claimed.into_iter().map(|pending| pending.key).collect::<Vec<_>>()
    };
    assert_eq!(claim(Some("one"), 2, 0).await, ["a:6", "a:7"]);
    assert_eq!(claim(Some("one"), 2, 1).await, ["a:6", "a:7"], "the same call, made again");
    assert_eq!(claim(None, 9, 1).await, ["a:8"]);
    assert_eq!(claim(None, 9, 1).await, [""; 0]);
    let first = listener.store.pending("chat", 9).unwrap()[0].id;
    listener.store.mark("chat", first, None, Utc::now()).await.unwrap();
    assert_eq!(claim(Some("two"), 9, 12).await, ["a:7", "a:8"]);
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
