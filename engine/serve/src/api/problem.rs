//! What went wrong, as RFC 9457 has it, with a kind that programs can rely on.

use aa_run::engine::StartError;
use aa_run::persona::ViewError;
use aa_run::store::StoreError;
use aa_spec::diagnostic::{Diagnostic, Severity};
use aa_spec::input::InputError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Below this, each kind of problem is explained.
const TYPES: &str = "/api/problems/";

/// In how many seconds to try again at a server that is about to end: the next one is there by then.
pub(crate) const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// A kind of problem.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProblemKind")]
pub(crate) struct Kind {
    /// The last part of its `type`.
    pub(crate) name: &'static str,
    /// The status of answers that tell of it.
    pub(crate) status: u16,
    /// It in a few words.
    pub(crate) title: &'static str,
}

const fn kind(name: &'static str, status: u16, title: &'static str) -> Kind {
    Kind { name, status, title }
}

/// Every kind, in the order of the names.
pub(crate) const KINDS: [Kind; 36] = [
    kind("bad-body", 400, "What was sent cannot be read"),
    kind("bad-header", 400, "A header cannot be read"),
    kind("bad-query", 400, "A parameter is not known or cannot be read"),
    kind("busy", 409, "Another process drives the run"),
    kind("draining", 503, "The server is about to end"),
    kind("folder-gone", 409, "The run's folder is gone"),
    kind("forbidden", 403, "Your key does not open this"),
    kind("full", 503, "Too much is under way"),
    kind("head-too-large", 431, "The head of the request is too long"),
    kind("held", 503, "The schedule is held"),
    kind("inputs-invalid", 422, "The inputs do not fit the skill"),
    kind("internal", 500, "The server has made a mistake"),
    kind("key-in-address", 400, "A key stands in the address"),
    kind("key-reused", 422, "The idempotency key belongs to another request"),
    kind("method-not-allowed", 405, "There is no such method here"),
    kind("no-socket", 426, "WebSocket is spoken here"),
    kind("not-found", 404, "There is nothing of that name"),
    kind("not-json", 415, "What was sent is not JSON"),
    kind("over", 409, "The run is over"),
    kind("plan-changed", 409, "The plan is not the one that was agreed to"),
    kind("policy", 403, "The policy forbids it"),
    kind("refused", 409, "It does not fit how things stand"),
    kind("skill-invalid", 422, "The skill has errors"),
    kind("stale", 401, "It was signed too long ago"),
    kind("store", 503, "The store cannot be used"),
    kind("too-large", 413, "What was sent is too long"),
    kind("too-many", 429, "Too much was asked"),
    kind("too-slow", 408, "What was sent did not come in time"),
    kind("tool-failed", 502, "The tool has failed"),
    kind("two-keys", 400, "Two different keys are shown"),
    kind("unauthorised", 401, "A key is needed"),
    kind("unavailable", 503, "It cannot be done now"),
    kind("unknown-host", 403, "The server is not known under that name"),
    kind("unknown-origin", 403, "That web page may not ask"),
    kind("unreadable", 500, "A file cannot be read"),
    kind("unsigned", 401, "The signature does not open this"),
];

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    told: Box<Told>,
}

/// A problem as it is sent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Told {
    /// Which kind of problem; stable.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in a few words.
    pub(crate) title: &'static str,
    /// The status of the answer.
    pub(crate) status: u16,
    /// What went wrong this time.
    pub(crate) detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) hint: String,
    /// What is wrong in a file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) diagnostics: Vec<Finding>,
    /// What is wrong with the inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) inputs: Vec<Misfit>,
    /// The run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<aa_run::event::RunId>,
}

/// Something wrong or doubtful in a file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// Which kind; stable.
    pub(crate) code: String,
    /// `error` or `warning`.
    pub(crate) severity: &'static str,
    /// In which file.
    pub(crate) file: String,
    /// In which line, from 1.
    pub(crate) line: u32,
    /// In which column, from 1.
    pub(crate) column: u32,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do; may be empty.
    pub(crate) hint: String,
}

/// Something wrong with an input.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Misfit {
    /// Which input.
    pub(crate) name: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do; may be empty.
    pub(crate) hint: String,
}

impl Problem {
    /// A problem of a kind.
    pub(crate) fn of(name: &str, detail: impl Into<String>) -> Self {
        let kind = KINDS.iter().find(|kind| kind.name == name).copied();
        // Every name is tested to be there.
        let kind =
            kind.unwrap_or(Kind { name: "internal", status: 500, title: "The server has made a mistake" });
        let told = Told {
            kind: format!("{TYPES}{}", kind.name),
            title: kind.title,
            status: kind.status,
            detail: detail.into(),
            hint: String::new(),
            diagnostics: Vec::new(),
            inputs: Vec::new(),
            run: None,
        };
        Self { kind, told: Box::new(told) }
    }

    /// Says what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.told.hint = hint.into();
        self
    }

    /// Says which run it is about.
    fn about(mut self, run: aa_run::event::RunId) -> Self {
        self.told.run = Some(run);
        self
    }

    /// As it is sent.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }
}

impl Finding {
    /// Of a problem in a text.
    pub(crate) fn of(problem: &Diagnostic) -> Self {
        let place = problem.source.place(problem.span.start);
        Self {
            code: problem.code.to_owned(),
            severity: if problem.severity == Severity::Error { "error" } else { "warning" },
            file: problem.source.path.to_string(),
            line: place.line,
            column: place.column,
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }

    /// Of everything that was found.
    pub(crate) fn all(problems: &[Diagnostic]) -> Vec<Self> {
        problems.iter().map(Self::of).collect()
    }
}

/// The name that was meant, or where all of them are.
pub(crate) fn meant(near: Option<impl AsRef<str>>, list: &str) -> String {
    near.map_or_else(|| list.to_owned(), |near| format!("did you mean `{}`?", near.as_ref()))
}

fn misfit(error: &InputError) -> Misfit {
    Misfit { name: error.name.clone(), message: error.message.clone(), hint: error.hint.clone() }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.told).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        if ["draining", "full"].contains(&self.kind.name) {
            response.headers_mut().insert(header::RETRY_AFTER, AGAIN);
        }
        response
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let detail = error.to_string();
        match error {
            StartError::UnknownSkill { suggestion, .. } => {
                Self::of("not-found", detail).hint(meant(suggestion, "`GET /api/skills` lists them"))
            }
            StartError::UnknownSchedule { suggestion, .. } => {
                Self::of("not-found", detail).hint(meant(suggestion, "`GET /api/schedules` lists them"))
            }
            StartError::NoStep { run, suggestion, .. } => {
                let hint = meant(suggestion, &format!("`GET /api/runs/{run}` lists its steps"));
                Self::of("not-found", detail).about(run).hint(hint)
            }
            StartError::NotThere { .. } => Self::of("not-found", detail),
            StartError::Unreadable { .. } | StartError::Unwritable { .. } => Self::of("unreadable", detail),
            StartError::Invalid(problems) => {
                let mut problem = Self::of("skill-invalid", detail);
                problem.told.diagnostics = Finding::all(&problems);
                problem
            }
            StartError::Inputs(errors) => {
                let mut problem = Self::of("inputs-invalid", detail);
                problem.told.inputs = errors.iter().map(misfit).collect();
                problem
            }
            StartError::PlanChanged { .. } => {
                Self::of("plan-changed", detail).hint("look at the plan again, and send its hash")
            }
            StartError::FolderGone { run, .. } => Self::of("folder-gone", detail).about(run),
            StartError::Over { run, .. } => Self::of("over", detail).about(run),
            StartError::NothingLeft(run) => Self::of("refused", detail).about(run),
            StartError::Denied { .. } => {
                Self::of("policy", detail).hint("`serve.policy` in the configuration says what may be run")
            }
            StartError::Full => Self::of("full", detail).hint("try again when `Retry-After` says"),
            StartError::NotGranted(_) => Self::of("forbidden", detail),
            StartError::OwnApproval(run) => Self::of("policy", detail).about(run).hint(
                "the owner of this server may, or another key that sees the run (`runs:all`) and may use what it runs; \
                 a key with `self_approve: true` approves of its own runs",
            ),
            StartError::KeyUsed(run) => {
                Self::of("key-reused", detail).about(run).hint("a new request needs a new key")
            }
            StartError::KeyOfSchedule(_) => {
                Self::of("key-reused", detail).hint("a new request needs a new key")
            }
            StartError::KeyPlanned(run) => Self::of("key-reused", detail)
                .about(run)
                .hint("a run of this plan needs a new key; without a plan, the key finds the run as it is"),
            StartError::Shipped(_) | StartError::Refused(_) | StartError::NeedsTask(_) => {
                Self::of("refused", detail)
            }
            StartError::Draining => Self::of("draining", detail)
                .hint("try again when `Retry-After` says: the next one is there soon"),
            StartError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::NoRun(run) => Self::of("not-found", detail).about(run),
            StoreError::Busy(run) | StoreError::Fenced(run) => Self::of("busy", detail).about(run),
            StoreError::Over { run, .. } => Self::of("over", detail).about(run),
            StoreError::Corrupt { run, .. } => Self::of("internal", detail).about(run),
            StoreError::Unusable { .. }
            | StoreError::TooNew { .. }
            | StoreError::Stopped
            | StoreError::Folder(_)
            | StoreError::Write { .. } => Self::of("store", detail),
        }
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let detail = error.to_string();
        match error {
            ViewError::UnknownPersona { .. } => Self::of("not-found", detail),
            ViewError::Invalid { diagnostics, .. } => {
                let mut problem = Self::of("skill-invalid", detail);
                problem.told.diagnostics = Finding::all(&diagnostics);
                problem
            }
            _ => Self::of("refused", detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_order_and_each_is_once() {
        assert!(KINDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn every_kind_that_is_named_is_there() {
        let named = named(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        assert!(named.len() > 20, "{named:?}");
        for name in named {
            assert!(KINDS.iter().any(|kind| kind.name == name), "{name}");
        }
    }

    /// What stands in `of("…")` and `problem("…")` in all files.
    fn named(folder: &std::path::Path) -> std::collections::BTreeSet<String> {
        let mut names = std::collections::BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                names.extend(named(&entry));
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap();
            let calls = ["Problem::of(", "Self::of(", " problem(", "(problem("];
            for rest in calls.iter().flat_map(|call| text.split(call).skip(1)) {
                let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                let is_name =
                    |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                names.extend(name.filter(is_name).map(str::to_owned));
            }
        }
        names
    }
}
