//! What was recorded in the place of a service: for examples of tools.
//!
//! A replay answers what was recorded and nothing else. What differs is noted by a
//! [`Witness`], so that a call which fails for that cannot pass for one that was to fail.

mod http;

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::tool::ErrorKind;
use aa_spec::tool::module::example::RecordedCommand;
use serde_json::{Map, Value, json};

pub use self::http::HttpReplay;
pub(super) use self::http::{HOME, ORIGIN, StandIn};
use super::ToolError;
use super::process::{Finished, Invocation};
use super::sent::Sending;

/// What a replay has seen.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    asked: usize,
    differences: Vec<Difference>,
}

/// Something that was asked for in another way than it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What differs, e.g. `run`, `stdin`, `request 2`.
    pub what: String,
    /// As it was recorded.
    pub recorded: Value,
    /// As it was asked for now; null when it was not.
    pub asked: Value,
}

impl Witness {
    /// Notes that the service was asked; says how often it was before.
    pub fn asked(&self) -> usize {
        let mut seen = self.seen();
        seen.asked += 1;
        seen.asked - 1
    }

    /// Notes what differs.
    pub fn differs(&self, what: impl Into<String>, recorded: Value, asked: Value) {
        self.seen().differences.push(Difference { what: what.into(), recorded, asked });
    }

    /// How often the service was asked.
    pub fn count(&self) -> usize {
        self.seen().asked
    }

    /// Everything that differs.
    pub fn differences(&self) -> Vec<Difference> {
        self.seen().differences.clone()
    }

    /// The error of a call that asks for something else than was recorded.
    pub fn refusal(&self) -> ToolError {
        ToolError::new(ErrorKind::Permanent, "this is not what was recorded")
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // What is in it is whole at any time, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that was recorded, in the place of running one.
#[derive(Clone, Debug)]
pub struct CommandReplay {
    /// What was recorded.
    pub recorded: RecordedCommand,
    /// Who takes down what differs.
    pub witness: Witness,
}

impl CommandReplay {
    /// What the command wrote when it was recorded.
    ///
    /// # Errors
    /// It is another command, or one too many.
    pub(super) fn answer(&self, invocation: &Invocation) -> Result<Finished, ToolError> {
        let before = self.witness.differences().len();
        if self.witness.asked() > 0 {
            self.witness.differs("run", Value::Null, json!(invocation.argv));
        }
        self.compare(invocation);
        if self.witness.differences().len() > before {
            return Err(self.witness.refusal());
        }
        Ok(self.finished(invocation))
    }

    fn compare(&self, invocation: &Invocation) {
        let recorded = &self.recorded;
        let argv: Vec<&str> = recorded.run.iter().map(|argument| argument.value.0.as_str()).collect();
        if argv != invocation.argv {
            self.witness.differs("run", json!(argv), json!(invocation.argv));
        }
        let stdin = recorded.stdin.as_ref().map(|stdin| stdin.0.as_str());
        if stdin != invocation.stdin.as_deref() {
            self.witness.differs("stdin", json!(stdin), json!(invocation.stdin));
        }
        let folder = invocation.folder.to_string_lossy();
        if let Some(cwd) = recorded.cwd.as_ref().filter(|cwd| cwd.value != folder) {
            self.witness.differs("cwd", json!(cwd.value), json!(folder));
        }
        for (name, value) in &recorded.env {
            let set = invocation.env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
            if set != Some(&value.0) {
                self.witness.differs(format!("env {name}"), json!(value.0), json!(set));
            }
        }
    }

    fn finished(&self, invocation: &Invocation) -> Finished {
        let stderr = self.recorded.stderr.0.clone();
        let mut details = Map::new();
        details.insert("exit_code".into(), self.recorded.exit.into());
        if !stderr.is_empty() {
            details.insert("stderr".into(), stderr.clone().into());
        }
        details.insert("command".into(), json!(invocation.argv));
        Finished {
            status: ExitStatus::from_raw(self.recorded.exit << 8),
            stdout: self.recorded.stdout.0.clone().into_bytes(),
            stderr,
            details,
            sending: Sending::default(),
        }
    }
}
