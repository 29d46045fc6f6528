//! What is remembered: kept, changed once, and there after an update of the format.

use rusqlite::Connection;

use super::*;

fn change(key: &str, id: Option<&str>) -> Change {
    Change { key: key.to_owned(), at: at(5), id: id.map(str::to_owned) }
}

/// Adds one to `n`, and answers with what was there.
async fn count(store: &Store, key: &str, id: Option<&str>) -> Value {
    let work = |before: Option<Map<String, Value>>| {
        let mut value = before.unwrap_or_default();
        let n = value.get("n").and_then(Value::as_u64).unwrap_or(0);
        value.insert("n".to_owned(), (n + 1).into());
        Ok::<_, String>(Changed { value: Some(value), answer: n.into() })
    };
    store.change_memory(change(key, id), work).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_was_changed_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.memory("a").unwrap(), None);
    assert_eq!(store.memory_entries().unwrap(), []);
    assert_eq!(count(&store, "b", None).await, json!(0));
    assert_eq!(count(&store, "a/ä", None).await, json!(0));
    assert_eq!(count(&store, "b", None).await, json!(1));
    drop(store);

    let store = open(folder.path());
    assert_eq!(store.memory("b").unwrap(), json!({"n": 2}).as_object().cloned());
    let entry = |key: &str| MemoryEntry { key: key.to_owned(), bytes: 7, updated_at: at(5) };
    assert_eq!(store.memory_entries().unwrap(), [entry("a/ä"), entry("b")]);
}

#[tokio::test]
async fn a_change_of_one_id_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for _ in 0..3 {
        assert_eq!(count(&store, "a", Some("x")).await, json!(0));
    }
    drop(store);
    let store = open(folder.path());
    assert_eq!(count(&store, "a", Some("x")).await, json!(0));
    assert_eq!(count(&store, "a", Some("y")).await, json!(1));
    assert_eq!(store.memory("a").unwrap(), json!({"n": 2}).as_object().cloned());
}

#[tokio::test]
async fn a_refused_change_leaves_everything_and_may_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    count(&store, "a", None).await;
    let refused = store.change_memory(change("a", Some("x")), |_| Err::<Changed, _>("no")).await.unwrap();
    assert_eq!(refused, Err("no"));
    assert_eq!(store.memory("a").unwrap(), json!({"n": 1}).as_object().cloned());
    assert_eq!(count(&store, "a", Some("x")).await, json!(1));
}

#[tokio::test]
async fn a_damaged_mapping_is_reported_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    count(&store, "a", None).await;
    let raw = Connection::open(folder.path().join("aa.db")).unwrap();
    raw.execute("update memory set json = '{\"n\": '", ()).unwrap();
    let error = store.memory("a").unwrap_err().to_string();
    assert!(error.contains("the memory `a` cannot be read"), "{error}");
    let work = |_| Ok::<_, String>(Changed { value: Some(Map::new()), answer: Value::Null });
    let error = store.change_memory(change("a", None), work).await.unwrap_err().to_string();
    assert!(error.contains("the memory `a` cannot be read"), "{error}");
    assert!(store.memory("a").is_err());
}

#[tokio::test]
async fn a_store_of_the_first_format_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    {
        let raw = Connection::open(folder.path().join("aa.db")).unwrap();
        raw.execute_batch(include_str!("../../../migrations/0001_runs_and_events.sql")).unwrap();
        raw.pragma_update(None, "user_version", 1).unwrap();
    }
    let store = open(folder.path());
    assert_eq!(count(&store, "a", None).await, json!(0));
    assert_eq!(create(&store, "s").await.run, RunId(1));
}

#[tokio::test]
async fn more_than_one_transaction_holds_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let filler = "x".repeat(2 << 20);
    let document = |n: usize| {
        let value = json!({"words": format!("zebra{n} stripes"), "filler": filler});
        (format!("k{n}"), value.as_object().unwrap().clone())
    };
    let imported = store.import_memory((0..5).map(document).collect(), at(1), false).await.unwrap();
    assert_eq!(imported.written.len(), 5);
    let find = |words: &str| Wanted { words: words.to_owned(), prefix: String::new(), limit: 10 };
    assert_eq!(store.search_memory(find("stripes")).await.unwrap().len(), 5);
    store.import_memory(vec![document(7), document(3)], at(2), false).await.unwrap();
    assert_eq!(store.search_memory(find("zebra7")).await.unwrap()[0].key, "k7");
    assert_eq!(store.search_memory(find("stripes")).await.unwrap().len(), 6);
}
