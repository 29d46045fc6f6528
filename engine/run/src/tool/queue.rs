//! What a listener has heard, for whoever deals with it: `NAME_get_pending`,
//! `NAME_claim_pending` and `NAME_respond_mark` of every module that listens.

use std::sync::Arc;

use aa_spec::tool::{Effect, ErrorKind, ToolSpec, listener};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::native::{Face, Native, blocking, invalid, tool};
use super::{CallContext, Tool, ToolError};
use crate::event::Time;
use crate::store::{Claim, LazyStore, Marked, Pending, StoreError};

/// The queue of one module.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    module: Arc<str>,
    store: LazyStore,
}

struct GetPending(Queue);
struct ClaimPending(Queue);
struct RespondMark(Queue);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PendingArgs {
    /// At most so many, oldest first.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
struct PendingItems {
    /// How many wait in all.
    count: u64,
    /// The oldest of them.
    pending: Vec<PendingItem>,
}

#[derive(Serialize, JsonSchema)]
struct PendingItem {
    /// Its number, to mark it with.
    id: i64,
    /// Tells it apart from all others.
    key: String,
    /// Where it was heard.
    source: String,
    /// When it was heard.
    heard_at: Time,
    /// What it says.
    item: Value,
    /// Whom it comes from, if that is known.
    person: Value,
    /// Until when somebody who claimed it deals with it; null when nobody has.
    claimed_until: Option<Time>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ClaimArgs {
    /// At most so many, oldest first.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// For so many minutes nobody else gets them.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1440))]
    minutes: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MarkArgs {
    /// Its number.
    id: i64,
    /// What was done about it.
    #[serde(default)]
    response: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct MarkedItem {
    /// Its number.
    id: i64,
    /// False when it was marked before.
    changed: bool,
}

const fn twenty() -> u32 {
    20
}

const fn ten() -> u32 {
    10
}

/// The tools of a module that listens, by name: `None` when it is none of them.
pub(crate) fn find(module: &str, name: &str, store: &LazyStore) -> Option<Arc<dyn Tool>> {
    let queue = || Queue { module: module.into(), store: store.clone() };
    let inner = match name {
        _ if name == listener::pending_tool(module) => tool(GetPending(queue())),
        _ if name == listener::claim_tool(module) => tool(ClaimPending(queue())),
        _ if name == listener::mark_tool(module) => tool(RespondMark(queue())),
        _ => return None,
    };
    let spec = ToolSpec { name: name.to_owned(), module: module.to_owned(), ..(**inner.spec()).clone() };
    Some(Arc::new(Named { inner, spec: Arc::new(spec) }))
}

/// A tool under the name that its module gives it.
struct Named {
    inner: Arc<dyn Tool>,
    spec: Arc<ToolSpec>,
}

#[async_trait]
impl Tool for Named {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    fn kind_of(&self, said: &str) -> Option<ErrorKind> {
        self.inner.kind_of(said)
    }

    fn is_on_command_line(&self, argument: &str) -> bool {
        self.inner.is_on_command_line(argument)
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        self.inner.call(context, args).await
    }
}

#[async_trait]
impl Native for GetPending {
    type Args = PendingArgs;
    type Output = PendingItems;

    const FACE: Face = Face {
        name: "get_pending",
        module: "",
        description: "What `aa listen` has heard and nobody has dealt with, oldest first",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: PendingArgs) -> Result<PendingItems, ToolError> {
        let Queue { module, store } = self.0.clone();
        let look = move || {
            let store = store.get()?;
            Ok((store.count_pending(&module)?, store.pending(&module, args.limit)?))
        };
        let (count, waiting) = blocking(context, move |_| look().map_err(|error| unusable(&error))).await?;
        Ok(PendingItems { count, pending: waiting.into_iter().map(PendingItem::from).collect() })
    }
}

#[async_trait]
impl Native for ClaimPending {
    type Args = ClaimArgs;
    type Output = PendingItems;

    const FACE: Face = Face {
        name: "claim_pending",
        module: "",
        description: "What `aa listen` has heard and nobody has dealt with; what one caller gets no other gets for some minutes",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: ClaimArgs) -> Result<PendingItems, ToolError> {
        let Queue { module, store } = self.0.clone();
        let opened = blocking(context, move |_| store.get().map_err(|error| unusable(&error))).await?;
        let at = Utc::now();
        let until = at + TimeDelta::minutes(args.minutes.into());
        let by = Some(context.idempotency_key.clone()).filter(|key| !key.is_empty());
        let claimed = opened.claim(&module, Claim { limit: args.limit, by, at, until }).await;
        let pending = claimed.map_err(|error| unusable(&error))?.into_iter().map(PendingItem::from).collect();
        let count = opened.count_pending(&module).map_err(|error| unusable(&error))?;
        Ok(PendingItems { count, pending })
    }
}

impl From<Pending> for PendingItem {
    fn from(item: Pending) -> Self {
        let Pending { id, key, source, heard_at, item, person, claimed_until } = item;
        Self { id, key, source, heard_at, item, person: person.unwrap_or_default(), claimed_until }
    }
}

#[async_trait]
impl Native for RespondMark {
    type Args = MarkArgs;
    type Output = MarkedItem;

    const FACE: Face = Face {
        name: "respond_mark",
        module: "",
        description: "Marks something that `aa listen` has heard as dealt with",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: MarkArgs) -> Result<MarkedItem, ToolError> {
        let Queue { module, store } = self.0.clone();
        let opened = blocking(context, move |_| store.get().map_err(|error| unusable(&error))).await?;
        let marked = opened.mark(&module, args.id, args.response, Utc::now()).await;
        match marked.map_err(|error| unusable(&error))? {
            Marked::Unknown => {
                let message = format!("nothing that `{module}` has heard has the number {}", args.id);
                Err(ToolError { kind: ErrorKind::NotFound, ..invalid(message) })
            }
            marked => Ok(MarkedItem { id: args.id, changed: marked == Marked::Now }),
        }
    }
}

fn unusable(error: &StoreError) -> ToolError {
    ToolError::new(ErrorKind::Permanent, error.to_string())
}
