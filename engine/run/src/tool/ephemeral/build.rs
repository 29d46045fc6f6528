//! `ephemeral_build` and `ephemeral_test`: the commands of the manifest, in the checkout.

use std::fs;
use std::time::Instant;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::{Job, run};
use super::manifest::{Manifest, Values};
use super::namespace::{CheckedOut, Record};
use super::{Local, broken, group};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

/// Log of the build commands.
pub(super) const BUILD_LOG: &str = "build.log";
/// Log of the test commands.
pub(super) const TEST_LOG: &str = "test.log";

pub(super) struct Build(pub(super) Local);
pub(super) struct Test(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace with a checkout.
    namespace: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace.
    namespace: String,
    /// Full id of the commit.
    commit: String,
    /// How many commands ran.
    commands: usize,
    /// How long they took, in seconds.
    seconds: f64,
    /// File with everything that they printed.
    log: String,
}

#[async_trait]
impl Native for Build {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_build",
        module: "ephemeral",
        description: "Run the build commands of `ephemeral.yaml` in a namespace's checkout",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let (record, checkout) = checked_out(&self.0, &args.namespace)?;
        let manifest = Manifest::read(&self.0.namespaces.source(&record.name))?;
        let commands = manifest.build_commands(&values(&record, &checkout))?;
        let output = run_all(&self.0, context, (&record, &checkout), (BUILD_LOG, commands)).await?;
        let (name, commit) = (record.name, checkout.commit);
        self.0
            .on_disk(move |namespaces| namespaces.update(&name, |record| record.built = Some(commit)))
            .await?;
        Ok(output)
    }
}

#[async_trait]
impl Native for Test {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_test",
        module: "ephemeral",
        description: "Run the test commands of `ephemeral.yaml` in a namespace's checkout",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let (record, checkout) = checked_out(&self.0, &args.namespace)?;
        let manifest = Manifest::read(&self.0.namespaces.source(&record.name))?;
        let commands = manifest.test_commands(&values(&record, &checkout))?;
        run_all(&self.0, context, (&record, &checkout), (TEST_LOG, commands)).await
    }
}

/// A namespace's record and its checkout, which must be there.
pub(super) fn checked_out(local: &Local, namespace: &str) -> Result<(Record, CheckedOut), ToolError> {
    let record = local.namespaces.read(namespace)?;
    match record.checkout.clone() {
        Some(checkout) => Ok((record, checkout)),
        None => Err(ToolError::new(
            ErrorKind::Invalid,
            format!("nothing is checked out in `{namespace}`: `ephemeral_checkout` comes first"),
        )),
    }
}

fn values<'a>(record: &'a Record, checkout: &'a CheckedOut) -> Values<'a> {
    Values { commit: &checkout.commit, namespace: &record.name, port: 0 }
}

async fn run_all(
    local: &Local,
    context: &CallContext,
    (record, checkout): (&Record, &CheckedOut),
    (log, commands): (&str, Vec<Vec<String>>),
) -> Result<Output, ToolError> {
    let started = Instant::now();
    let mark = record.mark("build");
    // An interrupted attempt may still be at work in the same folder.
    group::end(&mark, None).await.map_err(|error| broken("cannot end the last build", &error))?;
    let log = local.namespaces.path(&record.name).join(log);
    fs::write(&log, "").map_err(|error| broken("cannot write the log", &error))?;
    let folder = local.namespaces.source(&record.name);
    let count = commands.len();
    for argv in commands {
        let values = values(record, checkout);
        run(local, context, Job { argv, folder: &folder, log: &log, mark: mark.clone(), values }).await?;
    }
    Ok(Output {
        namespace: record.name.clone(),
        commit: checkout.commit.clone(),
        commands: count,
        seconds: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        log: log.display().to_string(),
    })
}
