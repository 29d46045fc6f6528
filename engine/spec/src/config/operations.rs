//! `audit:`, `log:` and `traces:`: what those are told who keep `aa` running.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, notify};
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use crate::yaml::Spanned;

/// Who did what, as `aa audit list` shows it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// How long entries are kept; servers remove those that are older (default: for ever).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub keep: Option<Spanned<String>>,
}

/// What servers say on stderr.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text`, for people, or `json`, a line for each entry (default `text`). `--log-format` says it for one server.
    pub format: Option<Spanned<LogFormat>>,
}

/// How entries of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Where traces of runs are sent (OTLP over HTTP, as JSON). Without an `endpoint` there are none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Traces {
    /// Address of a collector, e.g. `http://127.0.0.1:4318`; `/v1/traces` is added when it has no path.
    pub endpoint: Option<Spanned<String>>,
    /// Headers that are sent along, e.g. `{authorization: "{{ secrets.COLLECTOR }}"}`. A value is a text, or a secret.
    pub headers: BTreeMap<String, Spanned<String>>,
    /// What this machine's `aa` is called in traces (default `aa`).
    pub service: Option<Spanned<String>>,
    /// Share of runs that are traced, in percent (default 100); who calls with a trace decides for their own.
    #[schemars(range(min = 1, max = 100))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub percent: Option<Spanned<u32>>,
}

/// What is wrong with where traces go.
pub(super) fn check(config: &Config, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    let traces = &config.traces;
    if let Some(endpoint) = traces.endpoint.as_ref().filter(|endpoint| !notify::is_address(&endpoint.value)) {
        let message = format!("`{}` is no address", endpoint.value);
        let problem = Diagnostic::error("bad-value", source, endpoint.span, message);
        diagnostics.push(problem.hint("write it like `http://127.0.0.1:4318`"));
    }
    if let Some(percent) = traces.percent.as_ref().filter(|percent| percent.value > 100) {
        let message = format!("{} percent are more than all", percent.value);
        let problem = Diagnostic::error("bad-value", source, percent.span, message);
        diagnostics.push(problem.hint("write a number from 1 to 100"));
    }
    for (name, header) in &traces.headers {
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_name {
            let problem =
                Diagnostic::error("bad-value", source, header.span, format!("`{name}` is no header"));
            diagnostics.push(problem.hint("write its name in letters, digits and dashes"));
        }
    }
}
