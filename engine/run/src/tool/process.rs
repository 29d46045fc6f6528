//! Commands as child processes: started without a shell, watched, and ended for good.
//!
//! Every command gets its own process group and a random mark in its environment. When
//! the command has ended, or must end, nothing of the group and nothing that carries
//! the mark survives the call. Starting stays on the `posix_spawn` path of the standard
//! library: the program is looked up here, and nothing runs between fork and exec.

mod capture;
mod environment;
mod family;
mod ledger;
mod remains;
mod service;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

pub use self::environment::Environment;

use self::capture::{Kept, Lines, Tail};
use self::family::{Family, Leaders};
use self::ledger::{Entry, Ledger};
pub(crate) use self::service::Service;
use super::replay::CommandReplay;
use super::sent::Sending;
use super::{CallContext, Progress, ToolError};

/// How long pipes may stay open, and members of the group alive, once a command has ended.
const LINGER: Duration = Duration::from_millis(200);

/// How long a process that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Longer than any run.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 10);

/// Starts commands and sees them through. Cheap to share behind an `Arc`.
#[derive(Clone, Debug)]
pub struct Launcher {
    environment: Environment,
    output_bytes: usize,
    leaders: Leaders,
    ledger: Ledger,
    /// What was recorded, in the place of real commands.
    replay: Option<CommandReplay>,
}

/// One command to start.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// Program and arguments; the program is a path or is looked up in `PATH`.
    pub argv: Vec<String>,
    /// Working folder; relative to the call's folder.
    pub folder: PathBuf,
    /// Variables to set, beside the inherited ones.
    pub env: Vec<(String, String)>,
    /// Variables to inherit beyond [`Environment::INHERITED`].
    pub pass: Vec<String>,
    /// Text for its standard input; without it there is nothing to read.
    pub stdin: Option<String>,
    /// It must end within this time, whatever the call's deadline is.
    pub timeout: Option<Duration>,
    /// Which of its lines to show while it runs.
    pub show: Show,
}

/// Which lines of a command to show while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// What it prints to either stream.
    #[default]
    Both,
    /// Only its standard error: its standard output is for machines.
    Errors,
}

/// A command that has ended by itself.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything that it printed.
    pub stdout: Vec<u8>,
    /// The end of what it printed to standard error.
    pub stderr: String,
    /// What to put into the details of an error.
    pub details: Map<String, Value>,
    /// For whoever finds that it has refused to do what it was started for.
    pub(super) sending: Sending,
}

impl Finished {
    /// It has said that it did not do what it was started for.
    pub(crate) fn refused(&self) {
        self.sending.refused();
    }

    /// Its exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Launcher {
    /// A launcher whose commands see `environment` and may print `output_bytes` bytes.
    pub fn new(environment: Environment, output_bytes: usize) -> Self {
        let (leaders, ledger) = (Leaders::default(), Ledger::default());
        Self { environment, output_bytes, leaders, ledger, replay: None }
    }

    /// The same that writes down in a folder what lives of its commands, for whoever goes on with the runs of a killed
    /// process: see [`Launcher::end_remains`].
    #[must_use]
    pub fn writing_down(self, folder: PathBuf) -> Self {
        Self { ledger: Ledger::in_folder(folder), ..self }
    }

    /// A launcher that starts nothing and gives what was recorded.
    #[must_use]
    pub fn replaying(&self, replay: CommandReplay) -> Self {
        Self { replay: Some(replay), ..self.clone() }
    }

    /// The variables that its commands can inherit.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The most bytes that a command may print, and a tool may give.
    pub fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// Starts a command and waits for its end. How it ended is for the caller to judge.
    ///
    /// # Errors
    /// It could not be started, was stopped by cancel or deadline, or printed too much; or a secret
    /// would stand on its command line.
    pub async fn launch(
        &self,
        context: &CallContext,
        invocation: &Invocation,
    ) -> Result<Finished, ToolError> {
        refuse_secrets(context, invocation)?;
        let sending = context.sent.out();
        if let Some(replay) = &self.replay {
            return replay.answer(invocation).map(|ended| Finished { sending, ..ended });
        }
        let mark = self.environment.new_mark(&context.idempotency_key);
        let entry = self.write_down_for(context, &mark).inspect_err(|_| sending.refused())?;
        let (child, entry) =
            self.start_written(context, invocation, (&mark, entry)).inspect_err(|_| sending.refused())?;
        let family = Family::new(child.id(), (mark, entry), &self.leaders);
        let mut process = Process::new(child, family, self.output_bytes, &context.progress, invocation.show);
        let now = Instant::now();
        let until =
            [context.deadline, invocation.timeout.map(|limit| now + limit)].into_iter().flatten().min();
        let stdin = process.child.stdin.take();
        let watch = process.pump(until.unwrap_or(now + FOR_EVER), &context.cancel);
        let stop = tokio::select! {
            stop = watch => stop,
            never = feed(stdin, invocation.stdin.as_deref()) => match never {},
        };
        if process.exit.is_none() {
            process.terminate().await;
        }
        let linger = if stop == Stop::Late { Duration::ZERO } else { LINGER };
        process.sweep(program_name(invocation), linger).await;
        process.conclude(stop, invocation, self.output_bytes).map(|ended| Finished { sending, ..ended })
    }

    /// Starts a command that is written down.
    fn start_written(
        &self,
        context: &CallContext,
        invocation: &Invocation,
        (mark, mut entry): (&str, Entry),
    ) -> Result<(Child, Entry), ToolError> {
        let child = self.start(context, invocation, mark).inspect_err(|_| entry.over())?;
        Ok((child, entry))
    }

    /// The file of a command of a call, for whoever goes on with its run. Where it cannot be written, the run stops as it
    /// does when its journal cannot be: nothing is wrong with the step.
    fn write_down_for(&self, context: &CallContext, mark: &str) -> Result<Entry, ToolError> {
        // Nobody goes on with a call that is of no run.
        if context.run.is_none() {
            return Ok(Entry::default());
        }
        self.write_down(mark).inspect_err(|error| context.sent.halt(self.ledger.folder(), &error.message))
    }

    /// The file of a command that is about to be started.
    fn write_down(&self, mark: &str) -> Result<Entry, ToolError> {
        self.ledger.open(mark).map_err(|error| {
            ToolError::new(
                ErrorKind::Permanent,
                format!("cannot write down that a command is started: {error}"),
            )
        })
    }

    fn start(&self, context: &CallContext, invocation: &Invocation, mark: &str) -> Result<Child, ToolError> {
        let folder = context.reach(&invocation.folder)?;
        if !folder.is_dir() {
            return Err(ToolError::new(
                ErrorKind::NotFound,
                format!("there is no folder `{}`", folder.display()),
            ));
        }
        let name = program_name(invocation);
        let program = self.environment.find(name, &folder).ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("there is no command `{name}`"))
                .details(json!({"command": invocation.argv}))
        })?;
        let stdin = if invocation.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let run = context.run.map(|run| ("AA_RUN".to_owned(), run.to_string()));
        let trace = context.trace.as_ref().map(|trace| ("TRACEPARENT", trace));
        tokio::process::Command::new(program)
            .arg0(name)
            .args(invocation.argv.iter().skip(1))
            .current_dir(&folder)
            .env_clear()
            .envs(self.environment.inherited(&invocation.pass))
            .envs(run)
            .envs(trace)
            .env("AA_STEP", &context.step.0)
            .env("AA_IDEMPOTENCY_KEY", &context.idempotency_key)
            .envs(invocation.env.iter().map(|(name, value)| (name, value)))
            .env(environment::MARK, mark)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| not_started(invocation, &error))
    }
}

/// Everybody on the machine can read a command line.
fn refuse_secrets(context: &CallContext, invocation: &Invocation) -> Result<(), ToolError> {
    let Some(name) = invocation.argv.iter().find_map(|text| (context.detect)(text)) else { return Ok(()) };
    let message = format!(
        "secret `{name}` would stand on the command line of `{}`, which everybody on the machine can read; \
         a tool takes it on standard input (`stdin`) or in the environment (`env`)",
        program_name(invocation)
    );
    Err(ToolError::new(ErrorKind::Invalid, message))
}

/// Why watching a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It ended, and its pipes are closed.
    Ended,
    /// Its time is over, or its pipes stayed open after its end.
    Late,
    Cancelled,
    Overflow,
}

/// A started command.
struct Process {
    /// Before the child: for as long as that one is not let go, its number is nobody else's.
    family: Family,
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    kept: Kept,
    tail: Tail,
    out_lines: Lines,
    error_lines: Lines,
    exit: Option<io::Result<ExitStatus>>,
    progress: Progress,
}

impl Process {
    fn new(mut child: Child, family: Family, limit: usize, progress: &Progress, show: Show) -> Self {
        let out_lines = match show {
            Show::Both => Lines::new(Some(progress.clone())),
            Show::Errors => Lines::new(None),
        };
        Self {
            family,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            kept: Kept::new(limit),
            tail: Tail::default(),
            out_lines,
            error_lines: Lines::new(Some(progress.clone())),
            exit: None,
            progress: progress.clone(),
            child,
        }
    }

    /// Reads what it prints until it has ended and closed its pipes, or must stop.
    async fn pump(&mut self, until: Instant, cancel: &CancellationToken) -> Stop {
        let timer = sleep_until(until);
        let cancelled = cancel.cancelled();
        tokio::pin!(timer, cancelled);
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        loop {
            if self.exit.is_some() && self.stdout.is_none() && self.stderr.is_none() {
                return Stop::Ended;
            }
            tokio::select! {
                biased;
                () = &mut cancelled, if self.exit.is_none() => return Stop::Cancelled,
                () = &mut timer => return Stop::Late,
                status = self.child.wait(), if self.exit.is_none() => {
                    self.exit = Some(status);
                    self.family.lost_leader();
                    timer.as_mut().reset(until.min(Instant::now() + LINGER));
                }
                more = read(&mut self.stdout, &mut out) => if more {
                    self.out_lines.feed(&out);
                    if !self.kept.take(&mut out) {
                        self.stdout = None;
                        return Stop::Overflow;
                    }
                },
                more = read(&mut self.stderr, &mut errors) => if more {
                    self.error_lines.feed(&errors);
                    self.tail.take(&mut errors);
                },
            }
        }
    }

    /// Asks the group to end, and kills it when it does not.
    async fn terminate(&mut self) {
        self.kept.close();
        self.family.ask_to_end();
        self.pump(Instant::now() + GRACE, &CancellationToken::new()).await;
        if self.exit.is_none() {
            self.family.kill();
            self.exit = timeout(GRACE, self.child.wait()).await.ok();
            if self.exit.is_some() {
                self.family.lost_leader();
            }
        }
    }

    /// Ends what the command left behind, and says so.
    async fn sweep(&mut self, name: &str, linger: Duration) {
        let ended = self.family.sweep(linger, GRACE).await;
        // The pipes may hold the last words of what has just been ended.
        self.out_lines.finish();
        self.error_lines.finish();
        match ended.as_slice() {
            [] => {}
            [one] => (self.progress)(&format!("ended the process `{one}` that `{name}` left behind")),
            more => {
                let names = more.join("`, `");
                (self.progress)(&format!(
                    "ended {} processes that `{name}` left behind: `{names}`",
                    more.len()
                ));
            }
        }
    }

    fn conclude(self, stop: Stop, invocation: &Invocation, limit: usize) -> Result<Finished, ToolError> {
        let name = program_name(invocation);
        let status = match self.exit {
            Some(Ok(status)) => status,
            Some(Err(error)) => {
                return Err(ToolError::new(
                    ErrorKind::Permanent,
                    format!("cannot wait for `{name}`: {error}"),
                ));
            }
            None => {
                return Err(ToolError::new(
                    ErrorKind::Permanent,
                    format!("`{name}` cannot be ended, not even killed"),
                ));
            }
        };
        let mut details = Map::new();
        describe_status(status, &mut details);
        self.tail.describe(&mut details);
        details.insert("command".into(), json!(invocation.argv));
        let failed = match stop {
            Stop::Ended => None,
            // It ended, and something it left behind held its pipes.
            Stop::Late if self.kept.is_open() => None,
            Stop::Late => Some((ErrorKind::Timeout, format!("`{name}` did not end in time and was stopped"))),
            Stop::Cancelled => Some((ErrorKind::Cancelled, format!("`{name}` was stopped"))),
            Stop::Overflow => {
                Some((ErrorKind::Permanent, format!("`{name}` printed more than {}", bytes(limit))))
            }
        };
        match failed {
            Some((kind, message)) => Err(ToolError::new(kind, message).details(Value::Object(details))),
            None => Ok(Finished {
                status,
                stdout: self.kept.into_bytes(),
                stderr: self.tail.text(),
                details,
                sending: Sending::default(),
            }),
        }
    }
}

/// Adds how a command ended to the details of an error.
fn describe_status(status: ExitStatus, details: &mut Map<String, Value>) {
    if let Some(code) = status.code() {
        details.insert("exit_code".into(), code.into());
    }
    if let Some(signal) = status.signal() {
        details.insert("signal".into(), signal.into());
    }
}

/// Reads some more from a pipe; false when there is nothing more, and the pipe is then gone.
async fn read<R: AsyncRead + Unpin>(pipe: &mut Option<R>, buffer: &mut Vec<u8>) -> bool {
    const CHUNK: usize = 32 * 1024;
    // Most commands print little, and room that is given back at once costs calls to the kernel.
    const FIRST: usize = 4 * 1024;
    let Some(reader) = pipe else { return std::future::pending().await };
    buffer.clear();
    buffer.reserve(if buffer.capacity() == 0 { FIRST } else { CHUNK });
    let more = matches!(reader.read_buf(buffer).await, Ok(count) if count > 0);
    if !more {
        *pipe = None;
    }
    more
}

/// Writes the input of a command. Never ends, so that it can run beside the watching.
async fn feed(pipe: Option<ChildStdin>, text: Option<&str>) -> std::convert::Infallible {
    if let (Some(mut pipe), Some(text)) = (pipe, text) {
        // A command may end without reading its input; that is its own affair.
        let _unread = pipe.write_all(text.as_bytes()).await;
        let _unread = pipe.shutdown().await;
    }
    std::future::pending().await
}

fn program_name(invocation: &Invocation) -> &str {
    invocation.argv.first().map_or("", String::as_str)
}

fn not_started(invocation: &Invocation, error: &io::Error) -> ToolError {
    let name = program_name(invocation);
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, format!("there is no command `{name}`")),
        io::ErrorKind::PermissionDenied => (ErrorKind::Permanent, format!("`{name}` may not be executed")),
        io::ErrorKind::ArgumentListTooLong => {
            (ErrorKind::Invalid, format!("the arguments of `{name}` are too long"))
        }
        io::ErrorKind::InvalidInput => {
            (ErrorKind::Invalid, format!("an argument of `{name}` holds a NUL character"))
        }
        io::ErrorKind::ExecutableFileBusy | io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => {
            (ErrorKind::Transient, format!("cannot start `{name}`: {error}"))
        }
        _ => (ErrorKind::Permanent, format!("cannot start `{name}`: {error}")),
    };
    ToolError::new(kind, message).details(json!({"command": invocation.argv}))
}

/// A number of bytes in words.
pub(crate) fn bytes(count: usize) -> String {
    const MIB: usize = 1024 * 1024;
    match count {
        count if count >= MIB && count.is_multiple_of(MIB) => format!("{} MiB", count / MIB),
        count if count >= 1024 && count.is_multiple_of(1024) => format!("{} KiB", count / 1024),
        1 => "1 byte".to_owned(),
        count => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests;
