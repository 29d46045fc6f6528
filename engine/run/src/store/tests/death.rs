//! Processes that die, compete, or run out of disk. The test program starts itself:
//! a test named `as_child_…` does nothing unless its variables are set.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

const FOLDER: &str = "AA_TEST_STORE";

/// This program as a child that runs one test with a store's folder.
fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("store::tests::death::{test}"), "--nocapture", "--quiet"]);
    command.env(FOLDER, folder).stdout(Stdio::piped());
    command
}

fn child_store() -> Option<(Store, PathBuf)> {
    let folder = PathBuf::from(std::env::var_os(FOLDER)?);
    Some((open(&folder), folder))
}

/// Reads the child's output up to a line that starts with a word, and gives its rest.
fn wait_for(child: &mut Child, word: &str) -> String {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let found = lines.map_while(Result::ok).find_map(|line| line.strip_prefix(word).map(str::to_owned));
    found.unwrap_or_else(|| panic!("the child ended without saying `{word}`"))
}

#[tokio::test]
async fn a_killed_owner_loses_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = child("as_child_hold_a_run", folder.path()).spawn().unwrap();
    wait_for(&mut holder, "holding");
    let store = open(folder.path());
    let run = RunId(1);
    assert!(matches!(store.acquire(run).await, Err(StoreError::Busy(_))));
    assert!(!store.run(run).unwrap().interrupted);
    holder.kill().unwrap();
    holder.wait().unwrap();

    let interrupted = RunFilter { interrupted: true, ..RunFilter::default() };
    assert_eq!(store.runs(&interrupted).unwrap().len(), 1);
    let lease = store.acquire(run).await.unwrap();
    assert_eq!(lease, Lease { run, epoch: 2 });
    assert_eq!(store.runs(&interrupted).unwrap(), []);
    let files = std::fs::read_dir(folder.path().join("owners")).unwrap().count();
    assert_eq!(files, 1, "the dead owner's file is swept");
    store.append(lease, vec![event(run, 1, over())], Vec::new()).await.unwrap();
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "speaks to its parent")]
async fn as_child_hold_a_run() {
    let Some((store, _)) = child_store() else { return };
    create(&store, "s").await;
    println!("\nholding");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn an_owner_that_lost_its_run_is_fenced() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (open(folder.path()), open(folder.path()));
    let lease = create(&old, "s").await;
    // As if the file had been lost: to others its owner looks dead.
    std::fs::remove_dir_all(folder.path().join("owners")).unwrap();
    let taken = new.acquire(lease.run).await.unwrap();
    let late = event(lease.run, 1, over());
    assert!(matches!(old.append(lease, vec![late.clone()], Vec::new()).await, Err(StoreError::Fenced(_))));
    assert!(matches!(old.release(lease).await, Err(StoreError::Fenced(_))));
    new.release(taken).await.unwrap();
    assert!(matches!(new.append(taken, vec![late], Vec::new()).await, Err(StoreError::Fenced(_))));
    assert!(new.run(lease.run).unwrap().interrupted);
    assert_eq!(new.acquire(lease.run).await.unwrap().epoch, 3);
}

#[tokio::test]
async fn two_processes_never_hold_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    store.release(lease).await.unwrap();
    let children: Vec<Child> =
        (0..3).map(|_| child("as_child_compete", folder.path()).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(store.acquire(lease.run).await.unwrap().epoch, 2 + 3 * 40);
}

#[tokio::test]
async fn as_child_compete() {
    let Some((store, folder)) = child_store() else { return };
    let marker = folder.join("held");
    let mut won = 0;
    while won < 40 {
        match store.acquire(RunId(1)).await {
            Ok(lease) => {
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(&marker)
                    .expect("nobody else holds the run");
                std::fs::remove_file(&marker).unwrap();
                store.release(lease).await.unwrap();
                won += 1;
            }
            Err(StoreError::Busy(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    // A limit on file size, with its signal ignored, fails writes like a full disk.
    let filler = child("as_child_fill_the_disk", folder.path());
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$@\"", "sh"]).arg(filler.get_program());
    limited.args(filler.get_args()).env(FOLDER, folder.path()).stdout(Stdio::piped());
    let mut filling = limited.spawn().unwrap();
    let acknowledged: u64 = wait_for(&mut filling, "acknowledged ").parse().unwrap();
    assert!(filling.wait().unwrap().success());
    assert!(acknowledged > 1);

    let store = open(folder.path());
    let lease = store.acquire(RunId(1)).await.unwrap();
    assert_eq!(store.events(lease.run, 0).unwrap().len() as u64, acknowledged);
    store.append(lease, vec![event(lease.run, acknowledged, over())], Vec::new()).await.unwrap();
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "speaks to its parent")]
async fn as_child_fill_the_disk() {
    let Some((store, _)) = child_store() else { return };
    let lease = create(&store, "s").await;
    let mut next = 1;
    let error = loop {
        let events = vec![event(lease.run, next, completed(json!("x".repeat(9000))))];
        match store.append(lease, events, Vec::new()).await {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Write { .. }), "{error}");
    // A big body fails before the commit, on its own file.
    let big = vec![event(lease.run, next, completed(json!("x".repeat(400_000))))];
    let error = store.append(lease, big, Vec::new()).await.unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error}");
    assert_eq!(store.events(lease.run, 0).unwrap().len() as u64, next);
    println!("\nacknowledged {next}");
}
