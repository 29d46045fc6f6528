//! `ephemeral_extend`: more time for a namespace.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use chrono::{SubsecRound as _, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Local;
use super::clock::{left_until, read_ttl};
use crate::event::Time;
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

pub(super) struct Extend(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace to extend.
    namespace: String,
    /// It lives at least this long from now, e.g. `2h`; at most 30 days.
    ttl: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace.
    namespace: String,
    /// When its time is over.
    expires: Time,
    /// How long it has left.
    left: String,
}

#[async_trait]
impl Native for Extend {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_extend",
        module: "ephemeral",
        description: "Let a namespace live at least so long from now; never shortens its time",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let expires = Utc::now().trunc_subsecs(3) + read_ttl(&args.ttl)?;
        let change = move |namespaces: &super::Namespaces| {
            namespaces.update(&args.namespace, |record| record.expires = record.expires.max(expires))
        };
        let record = self.0.on_disk(change).await?;
        Ok(Output { namespace: record.name, expires: record.expires, left: left_until(record.expires) })
    }
}
