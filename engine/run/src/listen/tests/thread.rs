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
