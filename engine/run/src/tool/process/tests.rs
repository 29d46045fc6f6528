//! Real processes: what they print, how they end, and what they leave behind.

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
    wait_for_end(child.trim_start_matches("child ")).await;
}

/// Waits until a process has ended.
async fn wait_for_end(pid: &str) {
    let until = Instant::now() + Duration::from_secs(10);
    while is_alive(pid) {
        assert!(Instant::now() < until, "it survives");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A launcher that writes down what lives, and a bench whose calls are of a run.
fn of_a_run(folder: &std::path::Path) -> (Launcher, Bench) {
    let mut bench = Bench::new();
    bench.context.run = Some(RunId(1));
    (launcher().writing_down(folder.to_owned()), bench)
}

/// A daemon out of the group that does not end when it is asked to, and what it was started with.
const DAEMON: &str = "(setsid sh -c 'trap \"\" TERM; echo daemon $$; while :; do sleep 0.05; done' &)";

#[tokio::test]
async fn a_dropped_call_leaves_no_daemon_behind() {
    // Dropped while the command runs, and while that is ended which it left behind.
    for script in [format!("{DAEMON}; exec sleep 1000"), DAEMON.to_owned()] {
        let folder = tempfile::tempdir().unwrap();
        let (launcher, bench) = of_a_run(folder.path());
        let command = invocation(&["sh", "-c", &script]);
        let daemon = {
            let call = launcher.launch(&bench.context, &command);
            let begun = async {
                let daemon = bench.wait_for_line("daemon ").await;
                tokio::time::sleep(LINGER * 3).await;
                daemon
            };
            tokio::select! {
                _ = call => panic!("it cannot end"),
                daemon = begun => daemon,
            }
        };
        wait_for_end(daemon.trim_start_matches("daemon ")).await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of it");
    }
}

#[tokio::test]
async fn what_has_left_group_and_environment_is_ended_with_a_command_that_is_stopped() {
    let mut bench = Bench::new();
    bench.context.deadline = Some(Instant::now() + Duration::from_millis(300));
    let nameless = "env -i /usr/bin/setsid -w /bin/sh -c 'echo child $$; exec /bin/sleep 1000'";
    let error = bench.sh(nameless).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    let child = bench.wait_for_line("child ").await;
    assert!(!is_alive(child.trim_start_matches("child ")));
    bench.wait_for_line("ended the process `sleep` that `sh` left behind").await;

    let bench = Bench::new();
    tokio::select! {
        _ = bench.sh(nameless) => panic!("it cannot end"),
        _ = bench.wait_for_line("child ") => {}
    }
    let child = bench.wait_for_line("child ").await;
    wait_for_end(child.trim_start_matches("child ")).await;
}

#[tokio::test]
async fn what_has_left_group_and_environment_ends_with_its_server() {
    let script = "env -i /usr/bin/setsid -w /bin/sh -c 'echo $$; exec /bin/sleep 1000' & exec sleep 1000 >&2";
    let server = launcher().serve(std::path::Path::new("/"), &invocation(&["sh", "-c", script]));
    let (service, stdin, stdout) = server.unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stdout));
    let child = lines.next_line().await.unwrap().unwrap();
    assert!(is_alive(&child));
    drop(stdin);
    service.close().await;
    assert!(!is_alive(&child));
}

#[test]
fn bytes_are_worded() {
    let cases = [(1, "1 byte"), (1000, "1000 bytes"), (2048, "2 KiB"), (8 * 1024 * 1024, "8 MiB")];
    for (count, text) in cases {
        assert_eq!(bytes(count), text);
    }
}
