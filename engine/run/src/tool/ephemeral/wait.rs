//! `ephemeral_wait`: until the service of a namespace is healthy, or will not be.

use std::time::Duration;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::build::checked_out;
use super::clock;
use super::http::Answer;
use super::manifest::{Manifest, Values};
use super::service::{Service, last_words};
use super::start::SERVICE_LOG;
use super::{Local, namespace::Record};
use crate::tool::native::{Face, Native, bounded};
use crate::tool::{CallContext, ToolError};

/// Longest that one question may take.
const QUESTION: Duration = Duration::from_secs(5);
/// Pause after the first question; it grows to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long before the deadline of the call to give up, so that it can say why.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How much of an answer a message shows, in characters.
const SHOWN: usize = 200;

pub(super) struct Wait(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace with a service.
    namespace: String,
    /// How long to wait for it, e.g. `30s`.
    #[serde(default = "half_a_minute")]
    timeout: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace.
    namespace: String,
    /// What was asked.
    url: String,
    /// Status of the answer.
    status: u16,
    /// How often it was asked.
    questions: u32,
    /// How long it took, in seconds.
    seconds: f64,
}

#[async_trait]
impl Native for Wait {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_wait",
        module: "ephemeral",
        description: "Wait until the service of a namespace answers its health check",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let patience = clock::read(&args.timeout)?;
        let target = Target::of(&self.0, &args.namespace)?;
        let until = Instant::now() + patience;
        let until = context.deadline.map_or(until, |deadline| until.min(deadline - LAST_WORDS));
        bounded(context, target.until_healthy(&self.0, context, until)).await?
    }
}

/// A namespace with a service, and what is known of it.
pub(super) struct Target {
    pub(super) record: Record,
    pub(super) service: Service,
    pub(super) manifest: Manifest,
    log: std::path::PathBuf,
}

impl Target {
    /// The target that a namespace is; its service must have been started.
    pub(super) fn of(local: &Local, namespace: &str) -> Result<Self, ToolError> {
        let (record, _) = checked_out(local, namespace)?;
        let Some(service) = record.service.clone() else {
            return Err(ToolError::new(
                ErrorKind::Invalid,
                format!("nothing was started in `{namespace}`: `ephemeral_start` comes first"),
            ));
        };
        let manifest = Manifest::read(&local.namespaces.source(&record.name))?;
        let log = local.namespaces.path(&record.name).join(SERVICE_LOG);
        Ok(Self { record, service, manifest, log })
    }

    /// What its manifest's templates may read.
    pub(super) fn values(&self) -> Values<'_> {
        Values { commit: &self.service.commit, namespace: &self.record.name, port: self.service.port }
    }

    async fn until_healthy(
        &self,
        local: &Local,
        context: &CallContext,
        until: Instant,
    ) -> Result<Output, ToolError> {
        let url = format!("{}{}", self.service.url(), self.manifest.health_path(&self.values())?);
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut questions = 0;
        loop {
            questions += 1;
            let left = until.saturating_duration_since(Instant::now()).max(LAST_WORDS);
            let answer = local.asker.get(&url, QUESTION.min(left)).await;
            let seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
            if !self.service.process.is_alive() {
                return Err(self.failed(
                    ErrorKind::Permanent,
                    "ended before it was healthy",
                    &in_words(&answer),
                ));
            }
            match &answer {
                Ok(answer) if is_healthy(answer) => {
                    let (namespace, status) = (self.record.name.clone(), answer.status);
                    return Ok(Output { namespace, url, status, questions, seconds });
                }
                _ if Instant::now() >= until => {
                    let what = format!("was not healthy after {seconds}s");
                    return Err(self.failed(ErrorKind::Timeout, &what, &in_words(&answer)));
                }
                _ => (context.progress)(&format!("not healthy yet: {}", in_words(&answer))),
            }
            sleep_until(until.min(Instant::now() + pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn failed(&self, kind: ErrorKind, what: &str, last: &str) -> ToolError {
        let message = format!("`{}` {what}: {last}", self.manifest.service.value);
        ToolError::new(kind, message).details(json!({
            "last_answer": last,
            "log": self.log,
            "last_lines": last_words(&self.log),
        }))
    }
}

/// Whether an answer to the health check means yes.
pub(super) fn is_healthy(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

fn in_words(answer: &Result<Answer, ToolError>) -> String {
    match answer {
        Err(error) => error.message.clone(),
        Ok(answer) => {
            let body: String = answer.body.chars().take(SHOWN).collect();
            let words: Vec<&str> = body.split_whitespace().collect();
            format!("it answered {} {}", answer.status, words.join(" ")).trim_end().to_owned()
        }
    }
}

fn half_a_minute() -> String {
    "30s".to_owned()
}
