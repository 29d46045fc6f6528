//! `ephemeral_start`: the service of a namespace, on a port of its own.

use std::collections::BTreeMap;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::checked_out;
use super::group::{self, Detached, MARK};
use super::manifest::{Manifest, Values};
use super::namespace::{CheckedOut, Namespaces, Record};
use super::service::{Service, append_to, free_port};
use super::{Local, broken};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

/// Log of the service.
pub(super) const SERVICE_LOG: &str = "service.log";
/// Variables that a service inherits. Nothing else of the user's environment reaches
/// the code of a merge request.
const INHERITED: [&str; 8] = ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"];

pub(super) struct Start(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace with a build.
    namespace: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespace.
    namespace: String,
    /// Where the service answers, without a path.
    url: String,
    /// Its port on the loopback address.
    port: u16,
    /// Its process, also the number of its process group.
    pid: u32,
    /// Full id of the commit that it was built from.
    commit: String,
    /// File with everything that it prints.
    log: String,
}

#[async_trait]
impl Native for Start {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_start",
        module: "ephemeral",
        description: "Start the service of a namespace on a free loopback port; it goes on running on its own",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let (record, checkout) = checked_out(&self.0, &args.namespace)?;
        if record.built.as_ref() != Some(&checkout.commit) {
            return Err(ToolError::new(
                ErrorKind::Invalid,
                format!("`{}` has no build of its commit: `ephemeral_build` comes first", record.name),
            ));
        }
        let running = record
            .service
            .clone()
            .filter(|service| service.commit == checkout.commit && service.process.is_alive());
        let service = match running {
            Some(service) => service,
            None => self.start(&record, &checkout).await?,
        };
        Ok(Output {
            namespace: record.name.clone(),
            url: service.url(),
            port: service.port,
            pid: service.process.pid,
            commit: service.commit,
            log: self.0.namespaces.path(&record.name).join(SERVICE_LOG).display().to_string(),
        })
    }
}

impl Start {
    async fn start(&self, record: &Record, checkout: &CheckedOut) -> Result<Service, ToolError> {
        let failed = |error: std::io::Error| broken("cannot start the service", &error);
        let earlier = record.service.as_ref().map(|service| &service.process);
        group::end(&record.mark("service"), earlier).await.map_err(failed)?;

        let taken = self.0.on_disk(Namespaces::read_all).await?;
        let taken: Vec<u16> = taken.into_iter().filter_map(|other| Some(other.service?.port)).collect();
        let port = free_port(&taken).map_err(failed)?;
        let folder = self.0.namespaces.source(&record.name);
        let manifest = Manifest::read(&folder)?;
        let values = Values { commit: &checkout.commit, namespace: &record.name, port };
        let gated = group::start(Detached {
            argv: &manifest.run_command(&values)?,
            folder: &folder,
            env: &self.environment(record, &manifest, &values),
            log: append_to(&self.0.namespaces.path(&record.name).join(SERVICE_LOG)).map_err(failed)?,
        })
        .map_err(failed)?;

        // Written down before it runs: whoever comes next can end it.
        let service = Service { process: gated.identity.clone(), port, commit: checkout.commit.clone() };
        let (name, written) = (record.name.clone(), service.clone());
        self.0
            .on_disk(move |namespaces| namespaces.update(&name, |record| record.service = Some(written)))
            .await?;
        gated.open().await.map_err(failed)?;
        Ok(service)
    }

    fn environment(
        &self,
        record: &Record,
        manifest: &Manifest,
        values: &Values<'_>,
    ) -> BTreeMap<String, String> {
        let machine = self.0.launcher.environment();
        let inherited = INHERITED
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), machine.get(name)?.to_str()?.to_owned())));
        let own = [
            (MARK, record.mark("service")),
            ("PORT", values.port.to_string()),
            ("EPHEMERAL_COMMIT", values.commit.to_owned()),
            ("EPHEMERAL_NAMESPACE", values.namespace.to_owned()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        inherited.chain(manifest.env.clone()).chain(own).collect()
    }
}
