//! `ephemeral_status`: all that is known of one namespace, its health included.

use std::time::Duration;

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Local;
use super::clock::left_until;
use super::namespace::Record;
use super::service::State;
use super::wait::{Target, is_healthy};
use crate::event::Time;
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

/// Longest that the health check may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Status(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace to look at.
    namespace: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    #[serde(flatten)]
    summary: Summary,
    /// Whether its service answers its health check.
    healthy: bool,
    /// Its folder.
    folder: String,
}

/// A namespace in a few words.
#[derive(Serialize, JsonSchema)]
pub(super) struct Summary {
    /// Its name.
    pub(super) namespace: String,
    /// What it is doing.
    pub(super) state: State,
    /// Where its service answers; null when none was started.
    pub(super) url: Option<String>,
    /// Process of its service; null when none is alive.
    pub(super) pid: Option<u32>,
    /// Repository of what is checked out in it.
    pub(super) repository: Option<String>,
    /// Reference of it.
    pub(super) reference: Option<String>,
    /// Full id of its commit.
    pub(super) commit: Option<String>,
    /// Whom it is for.
    pub(super) owner: String,
    /// When it was reserved.
    pub(super) created: Time,
    /// When its time is over.
    pub(super) expires: Time,
    /// Whether its time is over.
    pub(super) expired: bool,
    /// How long it has left, e.g. `1h 59m`, or `expired`.
    pub(super) left: String,
}

#[async_trait]
impl Native for Status {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_status",
        module: "ephemeral",
        description: "Show one ephemeral namespace and whether its service is healthy",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let record = self.0.namespaces.read(&args.namespace)?;
        let summary = Summary::of(&record);
        let healthy = match summary.state {
            State::Running => is_target_healthy(&self.0, &Target::of(&self.0, &args.namespace)?).await?,
            State::Reserved | State::Stopped => false,
        };
        let folder = self.0.namespaces.path(&record.name).display().to_string();
        Ok(Output { summary, healthy, folder })
    }
}

impl Summary {
    /// The summary of a record.
    pub(super) fn of(record: &Record) -> Self {
        let state = State::of(record.service.as_ref());
        let service = record.service.as_ref();
        let checkout = record.checkout.as_ref();
        Self {
            namespace: record.name.clone(),
            state,
            url: service.map(super::service::Service::url),
            pid: service.filter(|_| state == State::Running).map(|service| service.process.pid),
            repository: checkout.map(|checkout| checkout.repository.clone()),
            reference: checkout.map(|checkout| checkout.reference.clone()),
            commit: checkout.map(|checkout| checkout.commit.clone()),
            owner: record.owner.clone(),
            created: record.created,
            expires: record.expires,
            expired: record.is_expired(),
            left: left_until(record.expires),
        }
    }
}

async fn is_target_healthy(local: &Local, target: &Target) -> Result<bool, ToolError> {
    let url = format!("{}{}", target.service.url(), target.manifest.health_path(&target.values())?);
    Ok(local.asker.get(&url, PATIENCE).await.is_ok_and(|answer| is_healthy(&answer)))
}
