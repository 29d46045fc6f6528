//! What a dead process has left running: real processes, and files that say that somebody has started them.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::super::family::{Here, Place, Process};
use super::super::ledger::Ledger;
use super::super::{Environment, Invocation};
use super::*;
use crate::event::RunId;
use crate::tool::CallContext;

fn launcher() -> Launcher {
    Launcher::new(Environment::new(std::env::vars_os()), 8 * 1024 * 1024)
}

fn invocation(argv: &[&str]) -> Invocation {
    Invocation { argv: argv.iter().map(|arg| (*arg).to_owned()).collect(), ..Invocation::default() }
}

/// A process of somebody else that carries a mark and does not end when it is asked to.
fn stubborn(mark: &str) -> Child {
    let script = "trap '' TERM; echo on; while :; do sleep 1; done";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .env(environment::MARK, mark)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    child
}

#[tokio::test]
async fn what_others_left_running_of_a_call_is_ended() {
    let own = format!("{:032x}", std::process::id());
    let (mut of_it, mut of_another) = (stubborn(&format!("outer.{own}-1.inner-2")), stubborn("other-1"));
    let ended = launcher().end_remains(std::slice::from_ref(&own)).await.unwrap();
    assert!(ended.iter().any(|name| name.starts_with(&format!("sh ({})", of_it.id()))), "{ended:?}");
    assert_eq!(of_it.wait().unwrap().signal(), Some(9));
    assert!(of_another.try_wait().unwrap().is_none(), "it has nothing to do with the call");
    of_another.kill().unwrap();
    of_another.wait().unwrap();
    assert_eq!(launcher().end_remains(&[own]).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_ends_what_it_descends_from() {
    let mark = [(environment::MARK.into(), "outer.key-1.inner-2".into())];
    let inner = Launcher::new(Environment::new(mark), 1024);
    let refused = inner.end_remains(&["key".to_owned()]).await.unwrap_err();
    assert!(refused.contains("descends from it"), "{refused}");
}

/// A key that no other process has anything to do with: whoever holds it is ended.
fn own_key(number: u8) -> String {
    format!("{:030x}{number:02x}", std::process::id())
}

/// A process of somebody else in a group of its own, which carries no mark; it does not end when it is asked to.
fn nameless() -> Child {
    grouped(
        Command::new("sh")
            .env_remove(environment::MARK)
            .args(["-c", "trap '' TERM; setsid sleep 300 & echo on; while :; do sleep 1; done"]),
    )
}

/// Starts a command in a group of its own, and waits for its first word.
fn grouped(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut line = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    child
}

/// Writes down that a process was started with a mark, as a process does that is killed afterwards.
fn write_down(folder: &Path, mark: &str, child: &Child) {
    let mut entry = Ledger::in_folder(folder.to_owned()).open(mark).unwrap();
    entry.started(Process::of(child.id()));
}

/// Changes what is written down.
fn rewrite(file: &Path, change: impl FnOnce(&mut Value)) {
    let text = std::fs::read_to_string(file).unwrap();
    let mut line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    change(&mut line);
    std::fs::write(file, line.to_string()).unwrap();
}

/// Makes a dead process of whoever has written a file.
fn kill_owner(file: &Path) {
    rewrite(file, |line| line["owner"]["born"] = 1.into());
}

fn files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn what_carries_no_mark_is_found_by_what_was_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("deep/started");
    let (mut of_it, mut of_another) = (nameless(), nameless());
    let (keys, others) = ([own_key(1)], [own_key(2)]);
    write_down(&started, &format!("outer-0.{}-1", keys[0]), &of_it);
    write_down(&started, &format!("{}-1", others[0]), &of_another);
    assert_eq!(launcher().end_remains(&keys).await.unwrap(), Vec::<String>::new(), "another's ledger");
    let ended = launcher().writing_down(started.clone()).end_remains(&keys).await.unwrap();
    assert!(ended.iter().any(|name| name.starts_with(&format!("sh ({})", of_it.id()))), "{ended:?}");
    assert!(ended.iter().any(|name| name.starts_with("sleep")), "what left the group: {ended:?}");
    assert_eq!(of_it.wait().unwrap().signal(), Some(9));
    assert!(of_another.try_wait().unwrap().is_none(), "it has nothing to do with the call");
    assert_eq!(files(&started), [format!("{}-1", others[0])]);
    launcher().writing_down(started.clone()).end_remains(&others).await.unwrap();
    of_another.wait().unwrap();
    assert_eq!(files(&started), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_is_ended_once_its_owner_is_dead() {
    for keys in [&[own_key(3)][..], &[]] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = nameless();
        write_down(folder.path(), "service-1", &server);
        let launcher = launcher().writing_down(folder.path().to_owned());
        assert_eq!(
            launcher.end_remains(keys).await.unwrap(),
            Vec::<String>::new(),
            "this process is its owner"
        );
        kill_owner(&folder.path().join("service-1"));
        assert!(!launcher.end_remains(keys).await.unwrap().is_empty(), "{keys:?}");
        assert_eq!(server.wait().unwrap().signal(), Some(9));
        assert_eq!(files(folder.path()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_server_whose_owner_died_over_its_start_is_known_by_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let mark = format!("service-{}", own_key(6));
    let mut server = stubborn(&mark);
    let _open = Ledger::in_folder(folder.path().to_owned()).open(&mark).unwrap();
    let launcher = launcher().writing_down(folder.path().to_owned());
    assert_eq!(launcher.end_remains(&[]).await.unwrap(), Vec::<String>::new(), "this process is its owner");
    kill_owner(&folder.path().join(&mark));
    assert!(!launcher.end_remains(&[]).await.unwrap().is_empty());
    assert_eq!(server.wait().unwrap().signal(), Some(9));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_later_process_of_the_same_number_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = nameless();
    let key = own_key(4);
    let now = Here::look().unwrap().system;
    let started_again = format!("{} 1", now.rsplit_once(' ').unwrap().0);
    let differences = [
        ("/leader/born", json!(1)),
        ("/leader/born", json!(i32::MAX)),
        ("/system", json!("another-boot pid:[1] 1")),
        ("/system", json!(started_again)),
    ];
    for (number, (field, value)) in differences.into_iter().enumerate() {
        let mark = format!("{key}-{number}");
        write_down(folder.path(), &mark, &other);
        rewrite(&folder.path().join(mark), |line| *line.pointer_mut(field).unwrap() = value);
    }
    let launcher = launcher().writing_down(folder.path().to_owned());
    assert_eq!(launcher.end_remains(std::slice::from_ref(&key)).await.unwrap(), Vec::<String>::new());
    assert!(other.try_wait().unwrap().is_none());
    assert_eq!(files(folder.path()), Vec::<String>::new(), "nothing can be left of these");
    write_down(folder.path(), &format!("{key}-4"), &other);
    assert!(!launcher.end_remains(&[key]).await.unwrap().is_empty(), "as it is, it is found");
    other.wait().unwrap();
}

#[test]
fn a_number_counts_where_it_was_given() {
    let here = Here { system: "boot pid:[1] 10".to_owned(), ..Here::look().unwrap() };
    let places = [
        ("boot pid:[1] 10", Place::Same),
        ("boot pid:[1] 11", Place::Gone),
        ("boot pid:[1]", Place::Elsewhere),
        ("boot pid:[2] 10", Place::Elsewhere),
        ("other pid:[1] 10", Place::Gone),
    ];
    for (system, place) in places {
        assert_eq!(here.place(system), place, "{system}");
    }
}

#[tokio::test]
async fn what_lives_in_another_space_of_numbers_stays_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let (mut other, key) = (nameless(), own_key(7));
    let mark = format!("{key}-1");
    write_down(folder.path(), &mark, &other);
    rewrite(&folder.path().join(&mark), |line| {
        let system = line["system"].as_str().unwrap().replace("pid:[", "pid:[9");
        line["system"] = system.into();
    });
    let launcher = launcher().writing_down(folder.path().to_owned());
    assert_eq!(launcher.end_remains(std::slice::from_ref(&key)).await.unwrap(), Vec::<String>::new());
    assert!(other.try_wait().unwrap().is_none(), "its number says nothing here");
    assert_eq!(files(folder.path()), [mark.as_str()]);
    std::fs::remove_file(folder.path().join(&mark)).unwrap();
    write_down(folder.path(), &mark, &other);
    launcher.end_remains(&[key]).await.unwrap();
    other.wait().unwrap();
}

/// A group whose leader is dead, in which a process without the mark of its leader lives on, and its number.
fn orphans(mark: &str, folder: &Path, script: &str) -> rustix::process::Pid {
    let mut leader =
        grouped(Command::new("sh").env(environment::MARK, mark).args(["-c", script]).stdin(Stdio::null()));
    write_down(folder, mark, &leader);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(leader.stdout.take().unwrap()), &mut line)
        .unwrap();
    leader.kill().unwrap();
    leader.wait().unwrap();
    rustix::process::Pid::from_raw(line.trim().parse().unwrap()).unwrap()
}

fn is_alive(pid: rustix::process::Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn who_may_be_somebody_else_is_left_alone_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = own_key(8);
    let mark = format!("{key}-1");
    let orphan = orphans(&mark, folder.path(), "echo on; env -i sleep 300 >/dev/null & echo $!; wait");
    let launcher = launcher().writing_down(folder.path().to_owned());
    let refused = launcher.end_remains(std::slice::from_ref(&key)).await.unwrap_err();
    let advice = format!("(`kill {orphan}`), else remove the file `{}`", folder.path().join(&mark).display());
    assert!(refused.contains(&format!("`sleep ({orphan})`")) && refused.ends_with(&advice), "{refused}");
    assert!(is_alive(orphan));
    assert_eq!(files(folder.path()), [mark.as_str()]);
    std::fs::remove_file(folder.path().join(&mark)).unwrap();
    assert_eq!(launcher.end_remains(&[key]).await.unwrap(), Vec::<String>::new());
    assert!(is_alive(orphan));
    rustix::process::kill_process(orphan, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_group_is_known_by_one_that_carries_the_mark() {
    let folder = tempfile::tempdir().unwrap();
    let key = own_key(9);
    let script = "echo on; sleep 300 >/dev/null & env -i sleep 300 >/dev/null & echo $!; wait";
    let orphan = orphans(&format!("{key}-1"), folder.path(), script);
    let launcher = launcher().writing_down(folder.path().to_owned());
    assert_eq!(launcher.end_remains(&[key]).await.unwrap().len(), 2);
    assert!(!is_alive(orphan));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_without_a_process_stands_for_what_carries_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let (key, old) = (own_key(5), format!("service-{}", own_key(10)));
    for file in [&format!("{key}-1"), "service-2", &old] {
        std::fs::write(folder.path().join(file), "").unwrap();
    }
    let long_ago = SystemTime::now() - std::time::Duration::from_mins(10);
    std::fs::File::options()
        .append(true)
        .open(folder.path().join(&old))
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let mut marked = stubborn(&format!("{key}-1"));
    let launcher = launcher().writing_down(folder.path().to_owned());
    assert!(!launcher.end_remains(&[key]).await.unwrap().is_empty());
    assert_eq!(marked.wait().unwrap().signal(), Some(9));
    assert_eq!(files(folder.path()), ["service-2"], "it may just be started by somebody");
}

#[tokio::test]
async fn what_lives_is_written_down_while_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = launcher().writing_down(folder.path().to_owned());
    let list = invocation(&["ls", folder.path().to_str().unwrap()]);
    let context = CallContext { idempotency_key: "key".to_owned(), ..CallContext::detached("/") };
    assert_eq!(launcher.launch(&context, &list).await.unwrap().stdout, b"", "it is of no run");
    let context = CallContext { run: Some(RunId(1)), ..context };
    let seen = String::from_utf8(launcher.launch(&context, &list).await.unwrap().stdout).unwrap();
    assert!(seen.starts_with("key-") && seen.lines().count() == 1, "{seen}");
    launcher.launch(&context, &invocation(&["no-such-command"])).await.unwrap_err();
    assert_eq!(files(folder.path()), Vec::<String>::new());
}
