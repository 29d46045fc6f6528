//! `ephemeral_logs`: the last lines of what was printed in a namespace.

use std::io;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::{BUILD_LOG, TEST_LOG};
use super::service::tail;
use super::start::SERVICE_LOG;
use super::{Local, broken};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

pub(super) struct Logs(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace to read from.
    namespace: String,
    /// Whose words to read.
    #[serde(default)]
    log: Log,
    /// How many lines.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    lines: usize,
}

/// A log of a namespace.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Log {
    /// The running service.
    #[default]
    Service,
    /// The build commands.
    Build,
    /// The test commands.
    Test,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace.
    namespace: String,
    /// The lines, oldest first.
    lines: Vec<String>,
    /// Whether there are more lines before them.
    more: bool,
}

#[async_trait]
impl Native for Logs {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_logs",
        module: "ephemeral",
        description: "Read the last lines that the service, build or tests of a namespace printed",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let record = self.0.namespaces.read(&args.namespace)?;
        let file = match args.log {
            Log::Service => SERVICE_LOG,
            Log::Build => BUILD_LOG,
            Log::Test => TEST_LOG,
        };
        match tail(&self.0.namespaces.path(&record.name).join(file), args.lines) {
            Ok((lines, more)) => Ok(Output { namespace: record.name, lines, more }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ToolError::new(ErrorKind::NotFound, format!("`{}` has no {file} yet", record.name)))
            }
            Err(error) => Err(broken(&format!("cannot read {file}"), &error)),
        }
    }
}

fn hundred() -> usize {
    100
}
