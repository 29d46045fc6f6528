//! What is remembered: kept, changed once, and there after an update of the format.

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::caller::MAIN;
use crate::store::database::MIGRATIONS;

fn change(tenant: &str, key: &str, id: Option<&str>) -> Change {
    Change { tenant: tenant.to_owned(), key: key.to_owned(), at: at(5), id: id.map(str::to_owned) }
}

async fn count(store: &Store, key: &str, id: Option<&str>) -> Value {
    count_for(store, MAIN, key, id).await
}

/// Adds one to `n`, and answers with what was there.
async fn count_for(store: &Store, tenant: &str, key: &str, id: Option<&str>) -> Value {
    let work = |before: Option<Map<String, Value>>| {
        let mut value = before.unwrap_or_default();
        let n = value.get("n").and_then(Value::as_u64).unwrap_or(0);
        value.insert("n".to_owned(), (n + 1).into());
        Ok::<_, String>(Changed { value: Some(value), answer: n.into() })
    };
    store.change_memory(change(tenant, key, id), work).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_was_changed_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.memory(MAIN, "a").unwrap(), None);
    assert_eq!(store.memory_entries(MAIN).unwrap(), []);
    assert_eq!(count(&store, "b", None).await, json!(0));
    assert_eq!(count(&store, "a/ä", None).await, json!(0));
    assert_eq!(count(&store, "b", None).await, json!(1));
    drop(store);

    let store = open(folder.path());
    assert_eq!(store.memory(MAIN, "b").unwrap(), json!({"n": 2}).as_object().cloned());
    let entry = |key: &str| MemoryEntry { key: key.to_owned(), bytes: 7, updated_at: at(5) };
    assert_eq!(store.memory_entries(MAIN).unwrap(), [entry("a/ä"), entry("b")]);
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
    assert_eq!(store.memory(MAIN, "a").unwrap(), json!({"n": 2}).as_object().cloned());
}

#[tokio::test]
async fn a_refused_change_leaves_everything_and_may_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    count(&store, "a", None).await;
    let refused =
        store.change_memory(change(MAIN, "a", Some("x")), |_| Err::<Changed, _>("no")).await.unwrap();
    assert_eq!(refused, Err("no"));
    assert_eq!(store.memory(MAIN, "a").unwrap(), json!({"n": 1}).as_object().cloned());
    assert_eq!(count(&store, "a", Some("x")).await, json!(1));
}

#[tokio::test]
async fn a_damaged_mapping_is_reported_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    count(&store, "a", None).await;
    let raw = Connection::open(folder.path().join("aa.db")).unwrap();
    raw.execute("update memory set json = '{\"n\": '", ()).unwrap();
    let error = store.memory(MAIN, "a").unwrap_err().to_string();
    assert!(error.contains("the memory `a` cannot be read"), "{error}");
    let work = |_| Ok::<_, String>(Changed { value: Some(Map::new()), answer: Value::Null });
    let error = store.change_memory(change(MAIN, "a", None), work).await.unwrap_err().to_string();
    assert!(error.contains("the memory `a` cannot be read"), "{error}");
    assert!(store.memory(MAIN, "a").is_err());
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

/// A store of format 13, with what was remembered, changed and indexed before tenants had memories of their own.
fn old_store(folder: &Path) {
    let raw = Connection::open(folder.join("aa.db")).unwrap();
    for migration in &MIGRATIONS[..13] {
        raw.execute_batch(migration).unwrap();
    }
    raw.execute_batch(
        "insert into memory values ('a', '{\"n\":1,\"notes\":\"zebra\"}', 5000), ('b', '{\"n\":7}', 6000);
         insert into memory_changes values ('x', 'a', 5000, '0');
         delete from memory_stale where key = 'a';
         insert into passages values ('a', 'notes', 'zebra'), ('gone', 'notes', 'zebra');",
    )
    .unwrap();
    raw.pragma_update(None, "user_version", 13).unwrap();
}

#[tokio::test]
async fn what_was_remembered_before_tenants_had_memories_is_the_main_tenants() {
    let folder = tempfile::tempdir().unwrap();
    old_store(folder.path());
    let store = open(folder.path());
    let keys = |tenant: &str| store.memory_keys(tenant, "").unwrap();
    assert_eq!((keys(MAIN), keys("red")), (vec!["a".to_owned(), "b".to_owned()], Vec::new()));
    assert_eq!(store.memory_entries(MAIN).unwrap()[1].updated_at, Time::from_timestamp_millis(6000).unwrap());
    assert_eq!(count(&store, "a", Some("x")).await, json!(0), "the change was made before");
    assert_eq!(count(&store, "b", Some("y")).await, json!(7));
    let found = store.search_memory(wanted(MAIN, "zebra")).await.unwrap();
    let places: Vec<_> = found.iter().map(|hit| (hit.key.as_str(), hit.place.as_str())).collect();
    assert_eq!(places, [("a", "notes")], "the index is made anew");
    assert_eq!(store.search_memory(wanted("red", "zebra")).await.unwrap(), []);
}

fn wanted(tenant: &str, words: &str) -> Wanted {
    let (tenant, words) = (tenant.to_owned(), words.to_owned());
    Wanted { tenant, words, prefix: String::new(), limit: 10 }
}

#[tokio::test]
async fn two_tenants_remember_different_things_under_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    count_for(&store, "red", "a", None).await;
    count_for(&store, "red", "a", None).await;
    assert_eq!(count_for(&store, "blue", "a", None).await, json!(0));
    count_for(&store, "blue", "only/blue", None).await;
    let of = |tenant: &str| store.memory(tenant, "a").unwrap().map(|mapping| mapping["n"].clone());
    assert_eq!((of("red"), of("blue"), of(MAIN)), (Some(json!(2)), Some(json!(1)), None));
    assert_eq!(store.memory_keys("red", "").unwrap(), ["a"]);
    assert_eq!(store.memory_keys("blue", "only/").unwrap(), ["only/blue"]);
    assert_eq!(store.memory_documents("blue").unwrap().len(), 2);
    assert_eq!(store.memory_entries(MAIN).unwrap(), []);
}

#[tokio::test]
async fn the_id_of_a_change_answers_within_its_tenant_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    count_for(&store, "red", "a", None).await;
    assert_eq!(count_for(&store, "red", "a", Some("x")).await, json!(1));
    assert_eq!(count_for(&store, "blue", "a", Some("x")).await, json!(0), "nothing of red's answer");
    assert_eq!(count_for(&store, "red", "a", Some("x")).await, json!(1));
    assert_eq!(store.memory("blue", "a").unwrap().unwrap()["n"], 1);
}

#[tokio::test]
async fn a_search_finds_and_indexes_what_its_tenant_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let document =
        |words: &str| vec![("a".to_owned(), json!({ "notes": words }).as_object().unwrap().clone())];
    store.import_memory("red", document("zebra crossing"), at(1), false).await.unwrap();
    store.import_memory("blue", document("zebra stripes"), at(1), false).await.unwrap();
    let found = async |tenant: &str, words: &str| {
        let hits = store.search_memory(wanted(tenant, words)).await.unwrap();
        hits.into_iter().map(|hit| hit.snippet).collect::<Vec<_>>()
    };
    assert_eq!(found("red", "zebra").await, ["notes zebra crossing"]);
    let raw = Connection::open(folder.path().join("aa.db")).unwrap();
    let stale: String =
        raw.query_row("select group_concat(tenant) from memory_stale", (), |row| row.get(0)).unwrap();
    assert_eq!(stale, "blue", "what is another's is left to them");
    assert_eq!(found("blue", "zebra").await, ["notes zebra stripes"]);
    assert_eq!(found("red", "stripes").await, [""; 0]);
    assert_eq!(found(MAIN, "zebra").await, [""; 0]);
    store.import_memory("blue", document("horse"), at(2), true).await.unwrap();
    assert_eq!(found("blue", "zebra").await, [""; 0]);
    assert_eq!(found("red", "zebra").await, ["notes zebra crossing"]);
}

#[tokio::test]
async fn an_import_is_held_against_the_memory_of_its_tenant_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let document = |n: u64| vec![("a".to_owned(), json!({ "n": n }).as_object().unwrap().clone())];
    store.import_memory("red", document(1), at(1), false).await.unwrap();
    let blue = store.import_memory("blue", document(2), at(1), false).await.unwrap();
    assert_eq!((blue.written, blue.differing), (vec!["a".to_owned()], Vec::new()));
    store.import_memory("blue", document(3), at(2), true).await.unwrap();
    assert_eq!(store.memory("red", "a").unwrap().unwrap()["n"], 1);
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
    let imported = store.import_memory(MAIN, (0..5).map(document).collect(), at(1), false).await.unwrap();
    assert_eq!(imported.written.len(), 5);
    let find = |words: &str| wanted(MAIN, words);
    assert_eq!(store.search_memory(find("stripes")).await.unwrap().len(), 5);
    store.import_memory(MAIN, vec![document(7), document(3)], at(2), false).await.unwrap();
    assert_eq!(store.search_memory(find("zebra7")).await.unwrap()[0].key, "k7");
    assert_eq!(store.search_memory(find("stripes")).await.unwrap().len(), 6);
}
