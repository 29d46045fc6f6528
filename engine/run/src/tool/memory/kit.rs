//! A memory in a folder of its own, for the tests of tools that stand on it.

use std::path::Path;

use serde_json::Value;

use super::{Make, Memory};
use crate::store::{Durability, LazyStore, StoreOptions};
use crate::tool::{CallContext, ToolError};
use aa_spec::tool::ErrorKind;

pub(in crate::tool) struct Bench {
    memory: Memory,
    tools: &'static [(&'static str, Make)],
    folder: tempfile::TempDir,
}

impl Bench {
    pub(in crate::tool) fn of(tools: &'static [(&'static str, Make)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
        let store = LazyStore::new(&folder.path().join("store"), options);
        std::fs::create_dir(folder.path().join("work")).unwrap();
        Self { memory: Memory::new(store, &[]), tools, folder }
    }

    /// The folder that calls are made in.
    pub(in crate::tool) fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("work").canonicalize().unwrap()
    }

    pub(in crate::tool) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(in crate::tool) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        self.call_in(&self.folder(), tool, args).await
    }

    pub(in crate::tool) async fn call_in(
        &self,
        folder: &Path,
        tool: &str,
        args: Value,
    ) -> Result<Value, ToolError> {
        self.make_call(&CallContext::detached(folder), tool, args).await
    }

    /// A call of somebody of a tenant.
    pub(in crate::tool) async fn call_for(
        &self,
        tenant: &str,
        tool: &str,
        args: Value,
    ) -> Result<Value, ToolError> {
        let context = CallContext { tenant: tenant.into(), ..CallContext::detached(self.folder()) };
        self.make_call(&context, tool, args).await
    }

    async fn make_call(&self, context: &CallContext, tool: &str, args: Value) -> Result<Value, ToolError> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        let (_, make) = self.tools.iter().find(|(name, _)| *name == tool).expect(tool);
        make(self.memory.clone()).call(context, args).await
    }

    pub(in crate::tool) async fn ok(&self, tool: &str, args: Value) -> Value {
        self.call(tool, args.clone()).await.unwrap_or_else(|error| panic!("{tool} {args}: {error}"))
    }

    pub(in crate::tool) async fn refusal(&self, tool: &str, args: Value) -> String {
        let error = self.call(tool, args.clone()).await.expect_err(&args.to_string());
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        error.message
    }
}
