//! `ephemeral_smoke`: whether a fresh deployment answers as its manifest says.

use std::time::{Duration, Instant};

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Local;
use super::manifest::FilledCheck;
use super::wait::Target;
use crate::tool::native::{Face, Native, bounded};
use crate::tool::{CallContext, ToolError};

/// Longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Smoke(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace with a healthy service.
    namespace: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace.
    namespace: String,
    /// How many checks were made; all of them passed.
    passed: usize,
    /// The checks, in the order of the manifest.
    checks: Vec<Checked>,
}

/// One request and how it went.
#[derive(Serialize, JsonSchema)]
struct Checked {
    /// What was asked.
    url: String,
    /// Status of the answer; null when there was none.
    status: Option<u16>,
    /// How long it took, in milliseconds.
    milliseconds: u64,
    /// What is wrong with it; empty when nothing is.
    problem: String,
}

#[async_trait]
impl Native for Smoke {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_smoke",
        module: "ephemeral",
        description: "Make the HTTP requests of `ephemeral.yaml` and check their answers",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let target = Target::of(&self.0, &args.namespace)?;
        let checks = bounded(context, check_all(&self.0, &target, context)).await??;
        let failed: Vec<&Checked> = checks.iter().filter(|checked| !checked.problem.is_empty()).collect();
        match failed.as_slice() {
            [] => Ok(Output { namespace: args.namespace, passed: checks.len(), checks }),
            [first, ..] => {
                let message = format!(
                    "{} of {} smoke checks failed: {}: {}",
                    failed.len(),
                    checks.len(),
                    first.url,
                    first.problem
                );
                Err(ToolError::new(ErrorKind::Permanent, message).details(json!({ "checks": checks })))
            }
        }
    }
}

async fn check_all(local: &Local, target: &Target, context: &CallContext) -> Result<Vec<Checked>, ToolError> {
    let mut checks = Vec::new();
    for wanted in target.manifest.smoke_checks(&target.values())? {
        let checked = check(local, &target.service.url(), &wanted).await;
        let word = if checked.problem.is_empty() { "ok" } else { &checked.problem };
        (context.progress)(&format!("GET {}: {word}", wanted.path));
        checks.push(checked);
    }
    Ok(checks)
}

async fn check(local: &Local, address: &str, wanted: &FilledCheck) -> Checked {
    let url = format!("{address}{}", wanted.path);
    let started = Instant::now();
    let (status, problem) = match local.asker.get(&url, PATIENCE).await {
        Err(error) => (None, error.message),
        Ok(answer) if answer.status != wanted.status => {
            (Some(answer.status), format!("it answered {} instead of {}", answer.status, wanted.status))
        }
        Ok(answer) => match &wanted.contains {
            Some(text) if !answer.body.contains(text) => {
                (Some(answer.status), format!("its answer does not hold `{text}`"))
            }
            _ => (Some(answer.status), String::new()),
        },
    };
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Checked { url, status, milliseconds, problem }
}
