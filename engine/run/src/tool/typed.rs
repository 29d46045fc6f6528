//! A tool written in Rust: one type for its arguments, one for its result.
//!
//! Both schemas come from the types, so what is checked before a run and what the
//! tool reads are the same thing.

use std::sync::Arc;

use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use async_trait::async_trait;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::tool::{CallContext, Tool, ToolError};

/// What a tool does, with types.
#[async_trait]
pub(crate) trait Typed: Send + Sync + 'static {
    /// Arguments; its fields' comments describe them. Must deny unknown fields.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// The result.
    type Output: Serialize + JsonSchema;
    /// What is known of it before it is called.
    const FACE: Face;

    /// Calls it; see [`Tool::call`].
    async fn call(&self, context: &CallContext, args: Self::Args) -> Result<Self::Output, ToolError>;
}

/// What is known of a tool besides its schemas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Face {
    /// Name that skills use.
    pub(crate) name: &'static str,
    /// Module it belongs to.
    pub(crate) module: &'static str,
    /// What it does, in a sentence.
    pub(crate) description: &'static str,
    /// What a call does to the world.
    pub(crate) effect: Effect,
    /// Whether calling it twice with the same arguments equals calling it once.
    pub(crate) idempotent: bool,
}

/// The tool that a [`Typed`] makes.
pub(crate) fn tool<T: Typed>(typed: T) -> Arc<dyn Tool> {
    let spec = ToolSpec {
        name: T::FACE.name.to_owned(),
        module: T::FACE.module.to_owned(),
        description: T::FACE.description.to_owned(),
        input: schema::<T::Args>(SchemaSettings::draft2020_12().for_deserialize()),
        output: schema::<T::Output>(SchemaSettings::draft2020_12().for_serialize()),
        effect: T::FACE.effect,
        idempotent: T::FACE.idempotent,
        reconcile: None,
        source: "built in".to_owned(),
    };
    Arc::new(TypedTool { spec: Arc::new(spec), typed })
}

struct TypedTool<T> {
    spec: Arc<ToolSpec>,
    typed: T,
}

#[async_trait]
impl<T: Typed> Tool for TypedTool<T> {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        let args = serde_json::from_value(Value::Object(args)).map_err(|error| {
            ToolError::new(
                ErrorKind::Invalid,
                format!("the arguments of `{}` do not fit: {error}", self.spec.name),
            )
        })?;
        let output = self.typed.call(context, args).await?;
        serde_json::to_value(output).map_err(|error| {
            ToolError::new(
                ErrorKind::Permanent,
                format!("the result of `{}` is not JSON: {error}", self.spec.name),
            )
        })
    }
}

/// The schema of a type in one piece, without the words that only mark it as a document.
fn schema<T: JsonSchema>(mut settings: SchemaSettings) -> Value {
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.remove("description");
    schema.to_value()
}
