//! A project of its own for each test, and the `aa` binary in it.

pub(crate) mod server;
pub(crate) mod services;
pub(crate) mod terminal;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// How long anything in a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A project folder with a home of its own; removed at the end of the test.
#[derive(Debug)]
pub(crate) struct Aa {
    root: TempDir,
}

/// One call of `aa`, not started yet.
#[derive(Debug)]
pub(crate) struct Call {
    command: Command,
    stdin: Vec<u8>,
    root: PathBuf,
}

/// A call of `aa` that is going on.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
    ended: Receiver<Ran>,
}

/// A call of `aa` that is over.
#[derive(Debug)]
pub(crate) struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    root: PathBuf,
}

impl Aa {
    /// An empty project.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["project/.aa/skills", "project/.aa/tools", "home"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    /// A project with the tools of `tests/fixtures/tools/trace.yaml`.
    pub(crate) fn traced() -> Self {
        Self::new().tools("trace", include_str!("fixtures/tools/trace.yaml"))
    }

    /// A project with everything in `tests/fixtures/world`.
    pub(crate) fn world() -> Self {
        let aa = Self::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/world"), &aa.path(".aa"));
        aa
    }

    /// A project with everything in a folder.
    pub(crate) fn of(folder: &Path) -> Self {
        let aa = Self::new();
        copy(folder, &aa.path(""));
        aa
    }

    /// Adds a skill to the project.
    pub(crate) fn skill(self, name: &str, yaml: &str) -> Self {
        self.file(&format!(".aa/skills/{name}.yaml"), yaml)
    }

    /// Adds a tool module to the project.
    pub(crate) fn tools(self, module: &str, yaml: &str) -> Self {
        self.file(&format!(".aa/tools/{module}.yaml"), yaml)
    }

    /// Writes the project's configuration.
    pub(crate) fn config(self, yaml: &str) -> Self {
        self.file(".aa/config.yaml", yaml)
    }

    /// Writes the user's own configuration.
    pub(crate) fn own_config(self, yaml: &str) -> Self {
        self.file("../home/config/aa-workflow/config.yaml", yaml)
    }

    /// Adds a file to the project.
    pub(crate) fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
        self
    }

    /// A path in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("project").join(path)
    }

    /// The text of a file in the project; empty when there is none.
    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// The folder that stands for the user's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// A call of `aa` in the project.
    pub(crate) fn args<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        let mut command = Command::new(binary());
        command.args(args);
        self.call(command)
    }

    /// A shell script in the project, for what a process must be born with.
    pub(crate) fn script(&self, script: &str) -> Call {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        self.call(command)
    }

    fn call(&self, mut command: Command) -> Call {
        let home = self.home();
        let fixed = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.join("config")),
            ("XDG_STATE_HOME", home.join("state")),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            ("TERM", "xterm-256color".into()),
            ("USER", "tester".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ];
        command.current_dir(self.path("")).env_clear().envs(fixed).envs(toolchain());
        Call { command, stdin: Vec::new(), root: self.root.path().to_owned() }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The binary under test: the one of this build, or the one that `AA_TEST_BINARY` names.
pub(crate) fn binary() -> &'static str {
    static BINARY: LazyLock<String> = LazyLock::new(|| {
        std::env::var("AA_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_aa").to_owned())
    });
    &BINARY
}

/// What commands such as `git` and `rustc` need of the real environment.
fn toolchain() -> Vec<(&'static str, OsString)> {
    let mut variables = vec![("PATH", search_path())];
    for name in ["RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(name) {
            variables.push((name, value));
        }
    }
    if let Some(home) = std::env::var_os("HOME") {
        let home = PathBuf::from(home);
        if std::env::var_os("RUSTUP_HOME").is_none() {
            variables.push(("RUSTUP_HOME", home.join(".rustup").into()));
        }
        if std::env::var_os("CARGO_HOME").is_none() {
            variables.push(("CARGO_HOME", home.join(".cargo").into()));
        }
    }
    variables
}

/// Where commands are: on the path, or where `tests/servers/install` has unpacked them.
pub(crate) fn search_path() -> OsString {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/debian/usr/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::env::split_paths(&path).chain([unpacked])).unwrap()
}

impl Call {
    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The bare command, for a test that wants the streams for itself.
    pub(crate) fn command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let pid = Pid::from_child(&child);
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            // It need not read what it is given.
            let _ = stdin.write_all(&self.stdin);
            drop(stdin);
            let _ = sender.send(collect(child, self.root));
        });
        Running { pid, ended }
    }
}

fn collect(mut child: Child, root: PathBuf) -> Ran {
    let mut err = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let stderr = errors.join().unwrap();
    Ran { code: child.wait().unwrap().code(), stdout, stderr, root }
}

impl Running {
    /// Waits for its end.
    pub(crate) fn wait(self) -> Ran {
        let ended = self.ended.recv_timeout(PATIENCE);
        ended.unwrap_or_else(|_| {
            let _ = rustix::process::kill_process(self.pid, Signal::KILL);
            let ran = self.ended.recv_timeout(PATIENCE).unwrap();
            panic!("it did not end in time\n{ran}");
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid, signal).unwrap();
    }
}

impl Ran {
    /// Whether it ended with exit code 0.
    pub(crate) fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n{self}");
        self
    }

    /// A signal ended it.
    #[track_caller]
    pub(crate) fn killed(self) -> Self {
        assert_eq!(self.code, None, "it was not killed\n{self}");
        self
    }

    /// The exit code; none when a signal ended it.
    pub(crate) fn exit_or_killed(&self) -> Option<i32> {
        self.code
    }

    /// stdout is this text.
    #[track_caller]
    pub(crate) fn stdout(self, text: &str) -> Self {
        assert_eq!(self.out(), text, "stdout\n{self}");
        self
    }

    /// stdout has this text in it.
    #[track_caller]
    pub(crate) fn stdout_contains(self, text: &str) -> Self {
        assert!(self.out().contains(text), "stdout lacks {text:?}\n{self}");
        self
    }

    /// stderr is this text.
    #[track_caller]
    pub(crate) fn stderr(self, text: &str) -> Self {
        assert_eq!(self.err(), text, "stderr\n{self}");
        self
    }

    /// stderr has this text in it.
    #[track_caller]
    pub(crate) fn stderr_contains(self, text: &str) -> Self {
        assert!(self.err().contains(text), "stderr lacks {text:?}\n{self}");
        self
    }

    /// stdout, with what differs from run to run replaced.
    pub(crate) fn out(&self) -> String {
        self.filtered(&self.stdout)
    }

    /// stderr, with what differs from run to run replaced.
    pub(crate) fn err(&self) -> String {
        self.filtered(&self.stderr)
    }

    /// stdout as it came, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// stdout as it came, as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.stdout.clone()).unwrap();
        let parsed = text.lines().map(serde_json::from_str);
        parsed.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    fn filtered(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).replace(&*self.root.to_string_lossy(), "[root]");
        let text = text.replace("[root]/project", "[project]").replace("[root]/home", "[home]");
        FILTERS.iter().fold(text, |text, (pattern, replacement)| {
            Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
        })
    }
}

/// What differs from run to run, and what stands for it.
const FILTERS: [(&str, &str); 6] = [
    (r"\b[0-9a-f]{64}\b", "[hash]"),
    (r"(plan|hash) [0-9a-f]{12}\b", "$1 [hash]"),
    (r"\b\d\d:\d\d:\d\d\.\d{3}\b|at \d\d:\d\d:\d\d\b", "[time]"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "[date]"),
    (r"just now|\b\d+[smhd] ago", "[ago]"),
    (r" *\b(\d+ms|\d+\.\ds|\d+m\d\ds)\b", " [time]"),
];

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit {:?}", self.code)?;
        writeln!(f, "--- stdout\n{}", String::from_utf8_lossy(&self.stdout))?;
        writeln!(f, "--- stderr\n{}", String::from_utf8_lossy(&self.stderr))
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
