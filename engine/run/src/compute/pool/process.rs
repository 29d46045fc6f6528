//! One worker process, from its parent's side.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::WorkerCommand;
use crate::compute::adapter::OUT_OF_MEMORY;
use crate::compute::frame::Limit;
use crate::compute::worker;

/// How often it is looked whether a worker has ended, a millisecond apart.
const LOOKS: usize = 200;

/// What is known of one that has not.
const SILENT: &str = "it closed its connection";

/// A process that runs blocks; it ends with this value.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    /// Taken while a block runs on it.
    pub(super) socket: Option<UnixStream>,
}

/// How a worker ended that had not been told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// By someone outside, such as the kernel when memory is short.
    Killed(String),
    /// By a limit.
    Limit(Limit),
    /// By what it ran.
    Crashed(String),
}

impl Worker {
    /// Starts a process.
    pub(super) fn start(command: &WorkerCommand, memory: usize) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&command.program)
            .args(&command.args)
            .arg(memory.to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { child, socket: Some(ours) })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(super) fn lives(&mut self) -> bool {
        self.socket.is_some() && matches!(self.child.try_wait(), Ok(None))
    }

    /// Why it no longer answers. Its socket closes a moment before it can be waited for.
    pub(super) async fn autopsy(mut self) -> Death {
        for _ in 0..LOOKS {
            if let Some(death) = self.death() {
                return death;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Death::Crashed(SILENT.to_owned())
    }

    /// The same, for whoever cannot wait for a future.
    pub(super) fn autopsy_now(mut self) -> Death {
        for _ in 0..LOOKS {
            if let Some(death) = self.death() {
                return death;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Death::Crashed(SILENT.to_owned())
    }

    fn death(&mut self) -> Option<Death> {
        self.child.try_wait().ok().flatten().map(verdict)
    }
}

/// Whether an error of its connection means that it has died.
pub(super) fn means_death(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

fn verdict(status: ExitStatus) -> Death {
    let by = |signal: Signal| status.signal() == Some(signal.as_raw());
    if status.code() == Some(OUT_OF_MEMORY) {
        return Death::Limit(Limit::Memory);
    }
    if by(Signal::XCPU) {
        return Death::Limit(Limit::Time);
    }
    if by(Signal::ABORT) || by(Signal::SEGV) || by(Signal::BUS) {
        return Death::Crashed(
            "the interpreter crashed, for want of stack most likely: the code is nested too deeply"
                .to_owned(),
        );
    }
    let Some(code) = status.code() else { return Death::Killed(status.to_string()) };
    Death::Crashed(match u8::try_from(code) {
        Ok(worker::MISUSED) => "its worker was not told how much memory it may use".to_owned(),
        Ok(worker::UNCAGED) => "its worker could not lock itself in: the system refuses a limit".to_owned(),
        Ok(worker::FAILED) => {
            "its worker has failed: it cannot limit its memory, or lost its connection".to_owned()
        }
        // It left because its connection was closed, or never became a worker.
        _ => format!("its worker ended with exit code {code}"),
    })
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
