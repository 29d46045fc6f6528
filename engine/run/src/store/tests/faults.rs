//! Bad disks, bad files, bad folders.

use std::fs;

use rusqlite::{Connection, OpenFlags};

use super::*;
use crate::store::blobs::Blobs;
use crate::store::journal::{Birth, Fault, Journal};
use crate::store::owner::Ownership;

fn raw(folder: &Path) -> Connection {
    Connection::open(folder.join("aa.db")).unwrap()
}

fn refusal(folder: &Path) -> String {
    Store::open(folder, OPTIONS).unwrap_err().to_string().replace(&folder.display().to_string(), "…")
}

#[test]
fn what_is_not_a_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("aa.db"),
        "not a database at all, but long enough to have a header".repeat(3),
    )
    .unwrap();
    insta::assert_snapshot!(refusal(folder.path()), @"cannot use the store `…/aa.db`: file is not a database");

    let folder = tempfile::tempdir().unwrap();
    raw(folder.path()).execute_batch("create table t (x)").unwrap();
    insta::assert_snapshot!(refusal(folder.path()), @"cannot use the store `…/aa.db`: it is a database of another program");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    insta::assert_snapshot!(refusal(&file.join("store")), @"cannot use the store `…`: not a directory");

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("aa.db")).unwrap();
    assert!(
        refusal(folder.path()).starts_with("cannot use the store `…/aa.db`: unable to open database file")
    );
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    raw(folder.path()).pragma_update(None, "user_version", 99).unwrap();
    insta::assert_snapshot!(refusal(folder.path()), @"the store `…/aa.db` has format 99, and this `aa` knows 16");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    // Nobody can make folders there, not even root.
    let error = Store::open(Path::new("/proc/aa-store"), OPTIONS).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
}

#[test]
fn nothing_begins_in_a_file_that_may_only_be_read() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let path = folder.path().join("aa.db");
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let blobs = Arc::new(Blobs::new(folder.path().join("blobs")));
    let ownership = Arc::new(Ownership::new(folder.path().join("owners")));
    let NewRun { skill, plan, origin, at, request_key, tenant, principal, .. } = new_run("s");
    let (plan_hash, folder) = (plan.hash(), String::new());
    let inline_limit = OPTIONS.inline_limit;
    let birth =
        Birth { skill, plan, plan_hash, origin, at, folder, request_key, tenant, principal, inline_limit };
    let refused = Journal::new(db, path, blobs, ownership).create(&birth, &mut |_| panic!("it has begun"));
    assert!(matches!(refused, Err(Fault::Refused(StoreError::Write { .. }))));
}

#[tokio::test]
async fn a_damaged_event_is_reported_with_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    let other = create(&store, "s").await;
    raw(folder.path())
        .execute("update events set body = '{\"event\": \"step' where run = ?", [lease.run.0])
        .unwrap();
    let error = store.events(lease.run, 0).unwrap_err().to_string();
    assert!(error.starts_with("run 1: event 0 cannot be read"), "{error}");
    assert_eq!(store.events(other.run, 0).unwrap().len(), 1);
    raw(folder.path()).execute("update events set seq = 5 where run = ?", [other.run.0]).unwrap();
    let error = store.events(other.run, 0).unwrap_err().to_string();
    assert_eq!(error, "run 2: event 0 is missing");
}

#[tokio::test]
async fn a_damaged_database_fails_loudly() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = open(folder.path());
        create(&store, "s").await;
        raw(folder.path()).pragma_update(None, "wal_checkpoint", "truncate").unwrap();
    }
    let path = folder.path().join("aa.db");
    let sound = fs::read(&path).unwrap();
    let mut bytes = sound.clone();
    for root in roots(folder.path(), &["plans", "runs", "events"]) {
        bytes[(root - 1) * 4096..root * 4096].fill(0xAA);
    }
    fs::write(&path, bytes).unwrap();
    let store = open(folder.path());
    assert!(store.events(RunId(1), 0).is_err());
    assert!(matches!(store.create(new_run("s"), begun).await, Err(StoreError::Write { .. })));
    drop(store);
    // What is behind the first page is damaged, and the list of tables is longer than that.
    let mut bytes = sound;
    bytes[4096..].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Store::open(folder.path(), OPTIONS), Err(StoreError::Unusable { .. })));
}

/// The pages on which tables begin, from 1.
fn roots(folder: &Path, tables: &[&str]) -> Vec<usize> {
    let sql = "select rootpage from sqlite_schema where name = ?";
    let root = |name: &&str| raw(folder).query_row(sql, [name], |row| row.get::<_, i64>(0)).unwrap();
    tables.iter().map(|name| usize::try_from(root(name)).unwrap()).collect()
}

#[tokio::test]
async fn a_log_torn_anywhere_gives_a_prefix_with_all_that_was_acknowledged_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let log = folder.path().join("aa.db-wal");
    // The file is longer than the log in it.
    let side = raw(folder.path());
    let length = || -> usize {
        let frames: i64 = side.query_row("pragma wal_checkpoint(noop)", (), |row| row.get(1)).unwrap();
        32 + usize::try_from(frames).unwrap() * (4096 + 24)
    };
    let lease = create(&store, "s").await;
    // Events that were durable once the log had grown so long.
    let mut acknowledged = vec![(length(), 1)];
    for seq in 1..12 {
        store
            .append(lease, vec![event(lease.run, seq, completed(json!("x".repeat(900))))], Vec::new())
            .await
            .unwrap();
        acknowledged.push((length(), seq + 1));
    }
    let full = fs::read(&log).unwrap()[..length()].to_vec();
    let frames = (32..=full.len()).step_by(4096 + 24);
    let cuts = frames.flat_map(|end| [end.saturating_sub(1), end, end + 1, end + 24, end + 2000]);
    for cut in cuts.filter(|cut| *cut <= full.len()) {
        let kept = events_after_tear(folder.path(), lease.run, &full[..cut]);
        let promised =
            acknowledged.iter().rev().find(|(length, _)| *length <= cut).map_or(0, |(_, count)| *count);
        assert!(kept.len() as u64 >= promised, "cut at {cut}: {} events, {promised} promised", kept.len());
        assert!(kept.iter().zip(0..).all(|(event, seq)| event.seq == seq), "cut at {cut}");
    }
    let mut flipped = full.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(events_after_tear(folder.path(), lease.run, &flipped).len() < 12);
}

/// What a copy of the store with another log holds of a run; it must open and take more.
fn events_after_tear(folder: &Path, run: RunId, log: &[u8]) -> Vec<Event> {
    let copy = tempfile::tempdir().unwrap();
    fs::copy(folder.join("aa.db"), copy.path().join("aa.db")).unwrap();
    fs::write(copy.path().join("aa.db-wal"), log).unwrap();
    let store = open(copy.path());
    match store.events(run, 0) {
        Err(StoreError::NoRun(_)) => Vec::new(),
        events => events.unwrap(),
    }
}

#[tokio::test]
async fn reads_do_not_wait_for_a_write_and_a_write_waits_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    let other = raw(folder.path());
    other.execute_batch("begin immediate; update runs set error = 'in flight'").unwrap();
    assert_eq!(store.events(lease.run, 0).unwrap().len(), 1);
    assert_eq!(store.run(lease.run).unwrap().error, "");
    let append = store.append(lease, vec![event(lease.run, 1, over())], Vec::new());
    let finish = async {
        tokio::task::yield_now().await;
        other.execute_batch("rollback").unwrap();
    };
    let (appended, ()) = tokio::join!(append, finish);
    appended.unwrap();
    assert_eq!(store.run(lease.run).unwrap().status, RunStatus::Completed);
}
