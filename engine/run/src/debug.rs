//! Why a tool fails: its definition, its last failing call, what that points to, and where a
//! plain rule can tell, a change to the definition.
//!
//! Everything here is a guess for a person to look at: nothing is changed without one.

mod definition;
mod diagnosis;
mod difference;
mod patch;
mod tool;

use aa_spec::tool::{ErrorKind, ToolSpec};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use self::definition::Definition;
pub(crate) use self::diagnosis::text;
pub use self::difference::unified;
pub(crate) use self::tool::DebugTool;
use crate::event::{RunId, StepError, StepPath, Time};
use crate::store::{LazyStore, Store, StoreError};
pub use crate::tool::mcp::{Saying, Trusted};
use crate::tool::{kind_of, known_issues};

/// Everything that is known about why a tool fails.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ToolReport {
    /// The tool.
    pub tool: String,
    /// Its module.
    pub module: String,
    /// Where it is defined: `path:line`, or `built in`.
    pub source: String,
    /// Its definition: the lines of its module, or what is known of a tool that is not written in YAML.
    pub definition: String,
    /// What is trusted of it and what its server says now, when it is a tool of an MCP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Trusted>,
    /// Its last call in a run that failed; null when there is none.
    pub last_failure: Option<LastFailure>,
    /// What memory knows about it.
    pub known_issues: Vec<Value>,
    /// What it points to, the most telling first.
    pub diagnosis: Vec<Finding>,
    /// A change to the definition; null when no rule knows one.
    pub patch: Option<Patch>,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LastFailure {
    /// In which run.
    pub run: RunId,
    /// At which step.
    pub step: StepPath,
    /// When.
    pub at: Time,
    /// Its arguments; secrets as references.
    pub args: Map<String, Value>,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One line.
    pub message: String,
    /// The command line, when it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Its exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The end of what it printed to standard error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// The end of what it printed to standard output.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
}

/// Something that a failure points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// In a word, e.g. `unknown_flag`.
    pub cause: Cause,
    /// What it is, and what to do.
    pub message: String,
}

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The command is not there.
    CommandNotFound,
    /// An argument does not fit the tool.
    WrongArgument,
    /// The command has no such option.
    UnknownFlag,
    /// The command wants to ask a person.
    AsksPerson,
    /// Nobody is logged in, or not allowed.
    Auth,
    /// The other side cannot be reached.
    Network,
    /// It took too long.
    Timeout,
    /// What was printed, or what came of it, is not what the definition expects.
    OutputShape,
    /// The exit code may mean success.
    ExitCode,
    /// What was asked for is not there.
    NotFound,
    /// Its server describes it differently than what is trusted.
    NotTrusted,
    /// None of these.
    Unclear,
}

/// A change to the definition of a tool, for a person to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Patch {
    /// What it does, in a line.
    pub what: String,
    /// The module's file.
    pub path: String,
    /// The change as `diff -u` shows it.
    pub diff: String,
    /// The whole text afterwards.
    #[serde(skip)]
    pub after: String,
}

/// What to look into: a tool, what it said if that is known, and its definition if it is YAML.
pub(crate) struct Subject<'a> {
    pub(crate) spec: &'a ToolSpec,
    pub(crate) definition: Option<Definition>,
    /// What it said; without it the journal's last failure counts.
    pub(crate) said: &'a str,
    /// What is trusted of it, when it is a tool of an MCP server.
    pub(crate) server: Option<Trusted>,
    /// Of which tenant whoever asks is: what its memory knows is told.
    pub(crate) tenant: &'a str,
    /// Whether a run is there for whoever asks. A failure in any other is as if it had not been: nothing may
    /// follow from what it said.
    pub(crate) sees: &'a dyn Fn(RunId) -> Result<bool, StoreError>,
}

/// Looks into why a tool fails.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn report(subject: Subject<'_>, store: &LazyStore) -> Result<ToolReport, StoreError> {
    let Subject { spec, definition, said, server, tenant, sees } = subject;
    let store = store.get()?;
    let last = match store.last_failure(&spec.name)? {
        Some(last) if sees(last.run)? => Some(last.redacted()),
        _ => None,
    };
    let failure = failure(said, last.as_ref());
    let text = failure.as_ref().map(diagnosis::text).unwrap_or_default();
    let issues = issues(&store, tenant, (&spec.name, &text))?;
    let mut findings: Vec<Finding> =
        server.iter().filter_map(|server| diagnosis::trust(&spec.module, &server.now)).collect();
    findings.extend(failure.as_ref().map(diagnosis::all).unwrap_or_default());
    let patch = failure.as_ref().zip(definition.as_ref());
    let patch = patch.and_then(|(failure, definition)| patch::propose(definition, failure, &findings));
    let own = || serde_json::to_string_pretty(spec).unwrap_or_default();
    Ok(ToolReport {
        tool: spec.name.clone(),
        module: spec.module.clone(),
        source: spec.source.clone(),
        definition: definition.map_or_else(own, |definition| definition.lines()),
        server,
        last_failure: last,
        known_issues: issues,
        diagnosis: findings,
        patch,
    })
}

/// What the memory of a tenant knows about a tool or about what it said.
pub(crate) fn issues(
    store: &Store,
    tenant: &str,
    (tool, said): (&str, &str),
) -> Result<Vec<Value>, StoreError> {
    let read = |key| store.memory(tenant, key).map(Option::unwrap_or_default);
    Ok(known_issues(&read("learned/patterns")?, &read("learned/tool_fixes")?, tool, said))
}

/// The failure to look at: what one is told, with whatever else the last one says if it is the same.
fn failure(said: &str, last: Option<&LastFailure>) -> Option<StepError> {
    let last = last.map(LastFailure::error);
    if said.is_empty() {
        return last;
    }
    let same = last.filter(|last| diagnosis::text(last).contains(said.trim()));
    Some(same.unwrap_or_else(|| {
        let details = Value::from_iter([("stderr".to_owned(), Value::from(said))]);
        let message = said.lines().next().unwrap_or_default().to_owned();
        StepError { kind: kind_of(said), message, details }
    }))
}

impl LastFailure {
    fn redacted(mut self) -> Self {
        let mut args = Value::Object(std::mem::take(&mut self.args));
        aa_spec::template::seal::show(&mut args);
        if let Value::Object(args) = args {
            self.args = args;
        }
        self
    }

    /// The same as an error.
    fn error(&self) -> StepError {
        let details = serde_json::json!({
            "stderr": self.stderr, "stdout": self.stdout, "exit_code": self.exit_code, "command": self.command,
        });
        StepError { kind: self.kind, message: self.message.clone(), details }
    }
}

#[cfg(test)]
mod tests;
