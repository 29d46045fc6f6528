use super::*;

fn module() -> String {
    let threads = r#"
    threads:
      tool: chat_tops
      args: {room: "{{ source }}"}
      id: item.at
      since: item.latest
      replies: {tool: chat_replies, args: {room: "{{ source }}", to: "{{ thread }}", after: "{{ since }}"}}
"#;
    let tools = "tools:
  - {name: chat_tops, description: Tops, effect: read, input: {room: {type: string}}, run: [x]}
  - {name: chat_replies, description: Replies, effect: read, input: {room: {type: string}, to: {type: string}, after: {type: string}}, run: [x]}
";
    CHAT.replacen("tools:\n", tools, 1).trim_end().to_owned() + threads
}

#[tokio::test]
async fn replies_are_heard_once_over_restarts_whatever_else_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    chat.say("a", 1, "u");
    chat.reply("a", 1, 2, "u");
    {
        let listener = listening(&module(), folder.path(), &chat);
        assert_eq!(once(&listener).await, (Ok(0), vec![]), "what was before the start is not new");
        chat.reply("a", 1, 8, "u");
        chat.say("a", 9, "u");
        assert_eq!(once(&listener).await.1, ["a9", "a8"]);
        assert_eq!(once(&listener).await.1, [""; 0]);
    }
    chat.reply("a", 1, 12, "u");
    chat.asked();
    let listener = listening(&module(), folder.path(), &chat);
    assert_eq!(once(&listener).await.1, ["a12"]);
    let asked = chat.asked();
    let replies: Vec<_> = asked.iter().filter(|call| call.starts_with("chat_replies")).collect();
    assert_eq!(replies, [r#"chat_replies {"room":"a","to":"1","after":"8"}"#]);
    assert_eq!(listener.store.pending("chat", 9).unwrap()[2].source, "a");
}

#[tokio::test]
async fn more_threads_than_one_look_can_see_are_seen_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    (100..130).for_each(|at| chat.say("a", at, "u"));
    let listener = listening(&module(), folder.path(), &chat);
    assert_eq!(once(&listener).await.0, Ok(30));
    (100..130).for_each(|to| chat.reply("a", to, to + 100, "u"));
    chat.say("a", 300, "u");
    assert_eq!(once(&listener).await.0, Ok(21));
    assert_eq!(once(&listener).await.0, Ok(10), "the source has not moved past them");
    assert_eq!(once(&listener).await.0, Ok(0));
    assert_eq!(listener.store.listener_position("chat", "a").unwrap().as_deref(), Some("300"));
}

#[tokio::test]
async fn threads_that_cannot_be_seen_are_told_of_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listening(&module(), folder.path(), &chat);
    chat.say("b", 6, "u");
    assert_eq!(once(&listener).await.1, ["b6"]);
    chat.reply("b", 6, 7, "u");
    chat.say("b", 8, "u");
    *chat.speechless.lock().unwrap() = true;
    assert_eq!(once(&listener).await, (Err(odd("no replies now")), vec!["b8".to_owned()]));
    *chat.speechless.lock().unwrap() = false;
    assert_eq!(once(&listener).await, (Ok(1), vec!["b7".to_owned()]));
}

#[tokio::test]
async fn a_thread_that_cannot_be_seen_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let listener = listening(&module(), folder.path(), &chat);
    (6..9).for_each(|at| chat.say("b", at, "u"));
    assert_eq!(once(&listener).await.0, Ok(3));
    (6..9).for_each(|to| chat.reply("b", to, to + 10, "u"));
    chat.broken.lock().unwrap().push("6".into());
    let (result, heard) = once(&listener).await;
    assert_eq!((result, &heard[..]), (Err(odd("no such thread")), &["b17".to_owned(), "b18".to_owned()][..]));
    chat.broken.lock().unwrap().clear();
    assert_eq!(once(&listener).await, (Ok(1), vec!["b16".to_owned()]));
}

#[tokio::test]
async fn the_position_of_a_thread_is_kept_as_long_as_its_source_is_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let heard = |key: &str| vec![Heard { key: key.to_owned(), item: json!({}), person: None }];
    let places = |all: &[(&str, &str)]| -> Positions {
        all.iter().map(|(place, at)| ((*place).to_owned(), (*at).to_owned())).collect()
    };
    let positions = places(&[("a", "10"), ("a\u{1f}1", "12"), ("a\u{1f}2", "8")]);
    let long_ago = Utc::now() - chrono::TimeDelta::days(40);
    store.hear("chat", "a", heard("x"), positions, long_ago).await.unwrap();
    store.hear("chat", "b", heard("y"), places(&[("b", "1")]), Utc::now()).await.unwrap();
    let position = |place: &str| store.listener_position("chat", place).unwrap();
    assert_eq!(position("a\u{1f}1").as_deref(), Some("12"), "else it would begin at 10 again");
    assert_eq!(position("a\u{1f}2"), None);
}

#[tokio::test]
async fn more_than_a_look_asks_for_is_asked_for_and_beyond_that_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let chat = Chat::default();
    let module = CHAT.replace(r#"after: "{{ since }}"}"#, r#"after: "{{ since }}", limit: 2}"#);
    let module = module.replace("after: {type: string}}", "after: {type: string}, limit: {type: integer}}");
    let listener = listening(&module, folder.path(), &chat);
    chat.say("a", 6, "u");
    assert_eq!(once(&listener).await.0, Ok(1));
    (7..16).for_each(|at| chat.say("a", at, "u"));
    let (result, heard) = once(&listener).await;
    assert_eq!((result, heard.len(), heard[0].as_str()), (Ok(9), 9, "a7"));
    (20..40).for_each(|at| chat.say("a", at, "u"));
    let (result, heard) = once(&listener).await;
    assert!(result.unwrap_err().message.contains("older ones may be missing"));
    assert_eq!((heard.len(), heard[9].as_str()), (10, "a39"));
}
