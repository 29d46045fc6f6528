//! `ephemeral_reserve`: a namespace of one's own for a while.

use std::hash::{BuildHasher as _, RandomState};

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::read_ttl;
use super::namespace::{Provider, Reservation};
use super::{Local, broken};
use crate::event::Time;
use crate::tool::native::{Face, Native};
use crate::tool::process::Invocation;
use crate::tool::{CallContext, ToolError};

pub(super) struct Reserve(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// How long the namespace lives, at most 30 days; by default what the configuration
    /// says, else `2h`.
    #[serde(default)]
    ttl: Option<String>,
    /// Whom it is for; by default the user who runs this.
    #[serde(default)]
    owner: Option<String>,
    /// Where it comes from.
    #[serde(default)]
    provider: Provider,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Its name.
    namespace: String,
    /// Whom it is for.
    owner: String,
    /// When it was reserved.
    created: Time,
    /// When its time is over.
    expires: Time,
    /// Its folder.
    folder: String,
}

#[async_trait]
impl Native for Reserve {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_reserve",
        module: "ephemeral",
        description: "Reserve an ephemeral namespace; the same idempotency key gives the same one",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let ttl = read_ttl(args.ttl.as_ref().unwrap_or(&self.0.defaults.ttl))?;
        let owner = match args.owner {
            Some(owner) => owner,
            None => self.user(context).await?,
        };
        let key =
            if context.idempotency_key.is_empty() { fresh_key() } else { context.idempotency_key.clone() };
        let wanted = Reservation { provider: args.provider, owner, ttl, key };
        let record = self.0.on_disk(move |namespaces| namespaces.reserve(&wanted)).await?;
        Ok(Output {
            folder: self.0.namespaces.path(&record.name).display().to_string(),
            namespace: record.name,
            owner: record.owner,
            created: record.created,
            expires: record.expires,
        })
    }
}

impl Reserve {
    async fn user(&self, context: &CallContext) -> Result<String, ToolError> {
        let invocation = Invocation { argv: vec!["id".into(), "-un".into()], ..Invocation::default() };
        let finished = self.0.launcher.launch(context, &invocation).await?;
        match String::from_utf8(finished.stdout) {
            Ok(name) if finished.status.success() && !name.trim().is_empty() => Ok(name.trim().to_owned()),
            _ => Err(broken("cannot find out who you are", &"`id -un` does not say; give an `owner`")),
        }
    }
}

/// A key for a call outside of a run, which is never repeated.
fn fresh_key() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
