//! Real processes: what they print, how they end, and what they leave behind.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::event::RunId;

struct Bench {
    context: CallContext,
    lines: std::sync::Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let lines = std::sync::Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let mut context = CallContext::detached("/");
        context.progress = std::sync::Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()));
        Self { context, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    async fn launch(&self, argv: &[&str]) -> Result<Finished, ToolError> {
        launcher().launch(&self.context, &invocation(argv)).await
    }

    async fn sh(&self, script: &str) -> Result<Finished, ToolError> {
        self.launch(&["sh", "-c", script]).await
    }

    /// Waits until a line holds `text`.
    async fn wait_for_line(&self, text: &str) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(line) = self.lines().into_iter().find(|line| line.contains(text)) {
                return line;
            }
            assert!(Instant::now() < until, "no line with {text}: {:?}", self.lines());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn launcher() -> Launcher {
    Launcher::new(Environment::new(std::env::vars_os()), 8 * 1024 * 1024)
}

fn invocation(argv: &[&str]) -> Invocation {
    Invocation { argv: argv.iter().map(|arg| (*arg).to_owned()).collect(), ..Invocation::default() }
}

fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

#[tokio::test]
async fn output_and_exit_code_are_given() {
    let bench = Bench::new();
    let finished = bench.sh("echo out; echo error >&2; exit 3").await.unwrap();
    assert_eq!(finished.code(), Some(3));
    assert_eq!(finished.stdout, b"out\n");
    assert_eq!(finished.stderr, "error\n");
    assert_eq!(finished.details["exit_code"], 3);
    let mut lines = bench.lines();
    lines.sort();
    assert_eq!(lines, ["error", "out"]);
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    let finished = Bench::new().sh("kill -9 $$").await.unwrap();
    assert_eq!(finished.code(), None);
    assert_eq!(finished.details["signal"], 9);
}

#[tokio::test]
async fn input_is_given_and_may_stay_unread() {
    let bench = Bench::new();
    let text = "x".repeat(1024 * 1024);
    let mut cat = invocation(&["cat"]);
    cat.stdin = Some(text.clone());
    assert_eq!(launcher().launch(&bench.context, &cat).await.unwrap().stdout, text.as_bytes());
    let mut unread = invocation(&["true"]);
    unread.stdin = Some(text);
    assert_eq!(launcher().launch(&bench.context, &unread).await.unwrap().code(), Some(0));
    assert_eq!(bench.launch(&["cat"]).await.unwrap().stdout, b"", "without input there is nothing to read");
}

#[tokio::test]
async fn the_environment_is_an_allow_list_and_says_whose_step_it_is() {
    let outer = [("PATH", "/usr/bin:/bin"), ("HOME", "/h"), ("API_TOKEN", "secret"), ("KUBECONFIG", "/k")];
    let outer = Environment::new(outer.iter().map(|(name, value)| (name.into(), value.into())));
    let mut context = CallContext::detached("/");
    context.run = Some(crate::event::RunId(7));
    context.step = crate::event::StepPath("fan[3]".into());
    context.idempotency_key = "key".into();
    let mut env = invocation(&["env"]);
    env.pass = vec!["KUBECONFIG".into()];
    env.env = vec![("GIT_TERMINAL_PROMPT".into(), "0".into()), ("HOME".into(), "/other".into())];
    let finished = Launcher::new(outer, 1024).launch(&context, &env).await.unwrap();
    let text = String::from_utf8(finished.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with("AA_STEP_MARK=")).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "AA_IDEMPOTENCY_KEY=key",
            "AA_RUN=7",
            "AA_STEP=fan[3]",
            "GIT_TERMINAL_PROMPT=0",
            "HOME=/other",
            "KUBECONFIG=/k",
            "PATH=/usr/bin:/bin"
        ]
    );
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "text").unwrap();
    let cases = [
        (vec!["no-such-command"], ErrorKind::NotFound, "there is no command `no-such-command`"),
        (vec!["/no/such/command"], ErrorKind::NotFound, "there is no command `/no/such/command`"),
        (vec![""], ErrorKind::NotFound, "there is no command ``"),
        (vec![], ErrorKind::NotFound, "there is no command ``"),
        (vec![plain.to_str().unwrap()], ErrorKind::Permanent, "may not be executed"),
        (vec!["true", "a\0b"], ErrorKind::Invalid, "an argument of `true` holds a NUL character"),
    ];
    for (argv, kind, message) in cases {
        let error = bench.launch(&argv).await.unwrap_err();
        assert_eq!(error.kind, kind, "{argv:?}");
        assert!(error.message.contains(message), "{argv:?}: {}", error.message);
    }
    let huge = "x".repeat(3 * 1024 * 1024);
    let error = bench.launch(&["true", &huge]).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Invalid, "the arguments of `true` are too long")
    );
}

#[tokio::test]
async fn a_deleted_folder_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new();
    bench.context.folder = folder.path().join("gone");
    let error = bench.launch(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, format!("there is no folder `{}`", bench.context.folder.display()));
}

#[tokio::test]
async fn the_folder_is_relative_to_that_of_the_call() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    let mut bench = Bench::new();
    bench.context.folder = folder.path().canonicalize().unwrap();
    let mut pwd = invocation(&["pwd"]);
    pwd.folder = "inner".into();
    let finished = launcher().launch(&bench.context, &pwd).await.unwrap();
    let expected = format!("{}\n", bench.context.folder.join("inner").display());
    assert_eq!(String::from_utf8(finished.stdout).unwrap(), expected);
}

#[tokio::test]
async fn endless_output_is_stopped_at_the_limit() {
    // Without the limit `yes` would print for ever and the test would hang.
    let error = Bench::new().launch(&["yes", "a line that is repeated for ever and ever"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert_eq!(error.message, "`yes` printed more than 8 MiB");
}

#[tokio::test]
async fn output_up_to_the_limit_is_whole() {
    let launcher = Launcher::new(Environment::new(std::env::vars_os()), 100_000);
    let context = CallContext::detached("/");
    let exact = invocation(&["head", "-c", "100000", "/dev/zero"]);
    assert_eq!(launcher.launch(&context, &exact).await.unwrap().stdout.len(), 100_000);
    let more = invocation(&["head", "-c", "100001", "/dev/zero"]);
    assert_eq!(
        launcher.launch(&context, &more).await.unwrap_err().message,
        "`head` printed more than 100000 bytes"
    );
}

#[tokio::test]
async fn the_end_of_endless_errors_is_kept() {
    let finished = Bench::new().sh("yes error | head -c 3000000 >&2; exit 1").await.unwrap();
    assert_eq!(finished.details["stderr_bytes"], 3_000_000);
    assert!(finished.stderr.len() <= 64 * 1024 && finished.stderr.starts_with("error\n"));
}

#[tokio::test]
async fn a_time_out_ends_a_child_that_ignores_sigterm() {
    let mut bench = Bench::new();
    bench.context.deadline = Some(Instant::now() + Duration::from_millis(300));
    let error = bench.sh("trap '' TERM; echo $$; while :; do sleep 0.05; done").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert_eq!(error.message, "`sh` did not end in time and was stopped");
    assert_eq!(error.details["signal"], 9);
    assert!(!is_alive(&bench.lines()[0]));
}

#[tokio::test]
async fn a_polite_child_ends_on_sigterm() {
    let bench = Bench::new();
    let cancel = bench.context.cancel.clone();
    let call = bench.sh("trap 'echo cleaned >&2; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    let stop = async {
        bench.wait_for_line("ready").await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(call, stop);
    let error = result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(error.details["exit_code"], 9);
    assert!(error.details["stderr"].as_str().unwrap().ends_with("cleaned\n"));
}

#[tokio::test]
async fn its_own_time_out_counts_too() {
    let mut sleeper = invocation(&["sleep", "1000"]);
    sleeper.timeout = Some(Duration::from_millis(50));
    let error = launcher().launch(&CallContext::detached("/"), &sleeper).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn cancel_ends_the_whole_group() {
    let bench = Bench::new();
    let cancel = bench.context.cancel.clone();
    let call = bench.sh("sh -c 'echo child $$; exec sleep 1000' & wait");
    let stop = async {
        let line = bench.wait_for_line("child ").await;
        cancel.cancel();
        line
    };
    let (result, line) = tokio::join!(call, stop);
    assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    assert!(!is_alive(line.trim_start_matches("child ")));
}

#[tokio::test]
async fn a_daemon_neither_holds_the_step_nor_survives_it() {
    let bench = Bench::new();
    // Twice forked, a session of its own, standard output kept open.
    let script = "(setsid sh -c 'echo daemon $$; exec sleep 1000' &) ; echo done";
    let finished = bench.sh(script).await.unwrap();
    assert_eq!(finished.code(), Some(0));
    let daemon = bench.wait_for_line("daemon ").await;
    assert!(!is_alive(daemon.trim_start_matches("daemon ")));
    bench.wait_for_line("ended the process `sleep` that `sh` left behind").await;
}

#[tokio::test]
async fn a_daemon_that_closes_its_pipes_and_ignores_sigterm_does_not_survive() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let bench = Bench::new();
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM; echo $$ >{0}.new; mv {0}.new {0}; while :; do sleep 0.05; done' \
         </dev/null >/dev/null 2>&1 &); while ! [ -e {0} ]; do sleep 0.01; done",
        file.display()
    );
    assert_eq!(bench.sh(&script).await.unwrap().code(), Some(0));
    assert!(!is_alive(&std::fs::read_to_string(file).unwrap()));
    bench.wait_for_line("that `sh` left behind").await;
}

#[tokio::test]
async fn a_background_process_that_ends_soon_is_left_alone() {
    let bench = Bench::new();
    let finished = bench.sh("(sleep 0.02; echo late) & echo soon").await.unwrap();
    assert_eq!(finished.stdout, b"soon\nlate\n");
    assert!(!bench.lines().iter().any(|line| line.contains("left behind")), "{:?}", bench.lines());
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing_behind() {
    let bench = Bench::new();
    {
        let call = bench.sh("sh -c 'echo child $$; exec sleep 1000' & wait");
        tokio::select! {
            _ = call => panic!("it cannot end"),
            _ = bench.wait_for_line("child ") => {}
        }
    }
    let child = bench.wait_for_line("child ").await;
    let until = Instant::now() + Duration::from_secs(10);
    while is_alive(child.trim_start_matches("child ")) {
        assert!(Instant::now() < until, "it survives");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn bytes_are_worded() {
    let cases = [(1, "1 byte"), (1000, "1000 bytes"), (2048, "2 KiB"), (8 * 1024 * 1024, "8 MiB")];
    for (count, text) in cases {
        assert_eq!(bytes(count), text);
    }
}

/// A process of somebody else that carries a mark and does not end when it is asked to.
fn stubborn(mark: &str) -> std::process::Child {
    let script = "trap '' TERM; echo on; while :; do sleep 1; done";
    let mut child = std::process::Command::new("sh")
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
fn nameless() -> std::process::Child {
    let script = "trap '' TERM; setsid sleep 300 & echo on; while :; do sleep 1; done";
    let mut child = std::process::Command::new("sh")
        .args(["-c", script])
        .env_remove(environment::MARK)
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut line = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    child
}

/// Writes down that a process was started with a mark, as a process does that is killed afterwards.
fn write_down(folder: &Path, mark: &str, child: &std::process::Child) {
    let mut entry = Ledger::in_folder(folder.to_owned()).open(mark).unwrap();
    entry.started(Some(child.id()));
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
    let folder = tempfile::tempdir().unwrap();
    let mut server = nameless();
    write_down(folder.path(), "service-1", &server);
    let launcher = launcher().writing_down(folder.path().to_owned());
    let keys = [own_key(3)];
    assert_eq!(launcher.end_remains(&keys).await.unwrap(), Vec::<String>::new(), "its owner is this process");
    let file = folder.path().join("service-1");
    let mut line: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    line["owner"]["born"] = 1.into();
    std::fs::write(&file, line.to_string()).unwrap();
    assert_eq!(launcher.end_remains(&[]).await.unwrap(), Vec::<String>::new(), "nothing is gone on with");
    assert!(!launcher.end_remains(&keys).await.unwrap().is_empty());
    assert_eq!(server.wait().unwrap().signal(), Some(9));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_later_process_of_the_same_number_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = nameless();
    let key = own_key(4);
    for (number, field) in ["/leader/born", "/leader/session", "/system"].iter().enumerate() {
        let mark = format!("{key}-{number}");
        write_down(folder.path(), &mark, &other);
        let file = folder.path().join(mark);
        let mut line: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let value = line.pointer_mut(field).unwrap();
        *value = if value.is_number() { json!(i32::MAX) } else { json!("another-boot pid:[1]") };
        std::fs::write(&file, line.to_string()).unwrap();
    }
    let launcher = launcher().writing_down(folder.path().to_owned());
    assert_eq!(launcher.end_remains(std::slice::from_ref(&key)).await.unwrap(), Vec::<String>::new());
    assert!(other.try_wait().unwrap().is_none());
    assert_eq!(files(folder.path()), Vec::<String>::new(), "nothing can be left of these");
    write_down(folder.path(), &format!("{key}-4"), &other);
    assert!(!launcher.end_remains(&[key]).await.unwrap().is_empty(), "as it is, it is found");
    other.wait().unwrap();
}

#[tokio::test]
async fn a_file_without_a_process_stands_for_what_carries_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let key = own_key(5);
    for file in [&format!("{key}-1"), "service-2"] {
        std::fs::write(folder.path().join(file), "").unwrap();
    }
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
