//! A command that runs until it is told to end, and is talked to over its pipes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{sleep, timeout};

use super::capture::Tail;
use super::family::Family;
use super::{GRACE, Invocation, LINGER, Launcher};
use crate::tool::{CallContext, ToolError};

/// What the mark of a server begins with. It serves many calls, so there is no key in it.
pub(super) const MARK: &str = "service";

/// How long it may take to end once nothing can be said to it any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes of standard error after which reading it takes a break: whoever floods it must not
/// keep this process busy.
const GULP: usize = 512 * 1024;
const BREAK: Duration = Duration::from_millis(100);

/// A started command. Dropped, it is killed with all that it has started.
pub(crate) struct Service {
    /// Before the child: for as long as that one is not let go, its number is nobody else's.
    family: Family,
    child: Child,
    errors: Arc<Mutex<Tail>>,
}

impl Launcher {
    /// Starts a command that is talked to over its pipes. It sees the same environment and
    /// ends in the same ways as any other. Needs a runtime.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn serve(
        &self,
        folder: &Path,
        invocation: &Invocation,
    ) -> Result<(Service, ChildStdin, ChildStdout), ToolError> {
        let mark = self.environment.new_mark(MARK);
        let mut entry = self.write_down(&mark)?;
        let invocation = Invocation { stdin: Some(String::new()), ..invocation.clone() };
        let child = self.start(&CallContext::detached(folder), &invocation, &mark);
        let mut child = child.inspect_err(|_| entry.over())?;
        let family = Family::new(child.id(), (mark, entry), &self.leaders);
        let errors = Arc::new(Mutex::new(Tail::default()));
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(drain(stderr, Arc::clone(&errors)));
        }
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| {
            ToolError::new(aa_spec::tool::ErrorKind::Permanent, "a started command has no pipes")
        })?;
        Ok((Service { family, child, errors }, stdin, stdout))
    }
}

impl Service {
    /// Ends it with all that it has started; its standard input is closed already. Says how
    /// it ended: `exit_code` or `signal`, and the end of what it wrote to standard error.
    pub(crate) async fn close(mut self) -> Map<String, Value> {
        self.family.note();
        if timeout(FAREWELL, self.child.wait()).await.is_err() {
            self.family.ask_to_end();
            if timeout(GRACE, self.child.wait()).await.is_err() {
                self.family.kill();
            }
        }
        let status = timeout(GRACE, self.child.wait()).await;
        if status.is_ok() {
            self.family.lost_leader();
        }
        self.family.sweep(LINGER, GRACE).await;
        let mut details = Map::new();
        if let Ok(Ok(status)) = status {
            super::describe_status(status, &mut details);
        }
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).describe(&mut details);
        details
    }
}

/// Keeps the end of what a command writes to its standard error.
async fn drain(mut pipe: ChildStderr, tail: Arc<Mutex<Tail>>) {
    let (mut buffer, mut since) = (Vec::new(), 0);
    loop {
        buffer.clear();
        buffer.reserve(32 * 1024);
        match pipe.read_buf(&mut buffer).await {
            Ok(count) if count > 0 => since += count,
            _ => return,
        }
        tail.lock().unwrap_or_else(PoisonError::into_inner).take(&mut buffer);
        if since > GULP {
            since = 0;
            sleep(BREAK).await;
        }
    }
}
