//! How a store ends: nothing that was queued is lost, and nobody is kept out after it.

use std::fs;

use futures_util::FutureExt;

use super::*;

/// The files of owners.
fn owners(folder: &Path) -> usize {
    fs::read_dir(folder.join("owners")).unwrap().count()
}

#[tokio::test]
async fn a_store_that_has_nothing_left_to_write_gives_its_runs_back_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    create(&store, "s").await;
    assert_eq!(owners(folder.path()), 1);
    drop(store);
    assert_eq!(owners(folder.path()), 0);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_is_done_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for _ in 0..50 {
        assert!(store.create(new_run("s"), begun).now_or_never().is_none());
    }
    drop(store);
    assert_eq!(owners(folder.path()), 0);
    assert_eq!(open(folder.path()).runs(&RunFilter::default()).unwrap().len(), 50);
}

#[tokio::test]
async fn a_bug_of_the_writer_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    let other = open(folder.path());
    assert!(matches!(other.acquire(lease.run).await, Err(StoreError::Busy(_))));
    let broken = store.create(new_run("s"), |_| panic!("a bug")).await;
    assert!(matches!(broken, Err(StoreError::Stopped)), "{broken:?}");
    // The thread has told its callers, and is still about to go.
    let mut taken = other.acquire(lease.run).await;
    for _ in 0..1000 {
        if taken.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        taken = other.acquire(lease.run).await;
    }
    assert_eq!(taken.unwrap().epoch, 2);
    assert_eq!(other.runs(&RunFilter::default()).unwrap().len(), 1);
}

#[tokio::test]
async fn without_an_owner_there_is_no_run_though_it_had_begun() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fs::write(folder.path().join("owners"), "in the way").unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let begin = move |run| {
        tell.send(run).unwrap();
        begun(run)
    };
    assert!(matches!(store.create(new_run("s"), begin).await, Err(StoreError::Write { .. })));
    assert_eq!(told.try_recv(), Ok(RunId(1)));
    assert_eq!(store.runs(&RunFilter::default()).unwrap(), []);
}
