//! Tools written in Rust: what each of them declares, and how it becomes a [`Tool`].
//!
//! The types of a tool's arguments and result are its schemas: there is no second
//! place to keep in step.

use std::sync::Arc;

use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use async_trait::async_trait;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde::Serialize;
use serde::de::{Deserialize as _, DeserializeOwned};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CallContext, Tool, ToolError};

/// A tool written in Rust.
#[async_trait]
pub(crate) trait Native: Send + Sync + 'static {
    /// Its arguments. `deny_unknown_fields` unless any will do.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// Its result.
    type Output: Serialize + JsonSchema + Send;

    /// Name, module and class.
    const FACE: Face;

    /// Arguments that become part of a command line.
    const SHOWN: &'static [&'static str] = &[];

    /// Does its work.
    async fn call(&self, context: &CallContext, args: Self::Args) -> Result<Self::Output, ToolError>;
}

/// What is known of a native tool besides its schemas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Face {
    pub(crate) name: &'static str,
    pub(crate) module: &'static str,
    /// One sentence.
    pub(crate) description: &'static str,
    pub(crate) effect: Effect,
    pub(crate) idempotent: bool,
}

/// Makes a tool of it.
pub(crate) fn tool<N: Native>(native: N) -> Arc<dyn Tool> {
    let face = N::FACE;
    let spec = ToolSpec {
        name: face.name.to_owned(),
        module: face.module.to_owned(),
        description: face.description.to_owned(),
        input: input_schema::<N::Args>(),
        written: None,
        output: output_schema::<N::Output>(),
        effect: face.effect,
        idempotent: face.idempotent,
        keyed: None,
        tier: aa_spec::tool::Tier::Basic,
        of_machine: false,
        cache_ms: None,
        reconcile: None,
        source: "built in".to_owned(),
    };
    Arc::new(Adapter { native, spec: Arc::new(spec) })
}

struct Adapter<N> {
    native: N,
    spec: Arc<ToolSpec>,
}

#[async_trait]
impl<N: Native> Tool for Adapter<N> {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    fn is_on_command_line(&self, argument: &str) -> bool {
        N::SHOWN.contains(&argument)
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        let args = Value::Object(args);
        let args = N::Args::deserialize(&args).map_err(|error| {
            let error = error.to_string();
            // Of what may be one thing or another the reader says neither where it is nor what it could be.
            let told =
                error.contains("untagged").then(|| aa_spec::input::fits(&self.spec.input, &args).err());
            let why = told.flatten().unwrap_or(error);
            invalid(format!("the arguments of `{}` do not fit: {why}", self.spec.name))
        })?;
        let output = self.native.call(context, args).await?;
        serde_json::to_value(output)
            .map_err(|error| ToolError::new(ErrorKind::Permanent, format!("the result is no JSON: {error}")))
    }
}

fn input_schema<T: JsonSchema>() -> Value {
    schema_of::<T>(settings().with_transform(RecursiveTransform(aa_spec::schema::without_null)))
}

fn output_schema<T: JsonSchema>() -> Value {
    schema_of::<T>(settings())
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.transforms.clear();
    })
}

/// The schema of a type, without what says nothing about values.
fn schema_of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("title");
        schema.remove("description");
        if schema.is_empty() {
            return Value::Bool(true);
        }
    }
    schema
}

/// An error that is the caller's.
pub(crate) fn invalid(message: impl Into<String>) -> ToolError {
    ToolError::new(ErrorKind::Invalid, message)
}

/// Runs work that blocks. It must look at its [`Brake`] now and then.
pub(crate) async fn blocking<T, W>(context: &CallContext, work: W) -> Result<T, ToolError>
where
    T: Send + 'static,
    W: FnOnce(&Brake) -> Result<T, ToolError> + Send + 'static,
{
    let cancel = context.cancel.child_token();
    let brake = Brake { cancel: cancel.clone(), deadline: context.deadline };
    // A dropped call cannot end a thread, only pull the brake.
    let _pulled_at_the_end = cancel.drop_guard();
    match tokio::task::spawn_blocking(move || work(&brake)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ToolError::new(ErrorKind::Cancelled, "it was stopped")),
        },
    }
}

/// Says when blocking work must stop.
pub(crate) struct Brake {
    cancel: CancellationToken,
    deadline: Option<Instant>,
}

impl Brake {
    /// An error once the call is cancelled or its time is over.
    pub(crate) fn check(&self) -> Result<(), ToolError> {
        if self.cancel.is_cancelled() {
            return Err(ToolError::new(ErrorKind::Cancelled, "it was stopped"));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(ToolError::new(ErrorKind::Timeout, "it did not end in time"));
        }
        Ok(())
    }
}

/// Waits for something, but not beyond cancel and deadline of the call.
pub(crate) async fn bounded<T>(context: &CallContext, work: impl Future<Output = T>) -> Result<T, ToolError> {
    let late = async {
        match context.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, "it was stopped")),
        () = late => Err(ToolError::new(ErrorKind::Timeout, "it did not end in time")),
        done = work => Ok(done),
    }
}
