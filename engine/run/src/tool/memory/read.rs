//! The tools that look at memory.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::key::Key;
use super::{Memory, stamp};
use crate::store::{MemoryEntry, Store, StoreError};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

/// `memory_read`.
pub(super) struct MemoryRead(pub(super) Memory);

/// `memory_stats`.
pub(super) struct MemoryStats(pub(super) Memory);

/// Bytes under one key that are worth a warning.
const BIG: u64 = 50 * 1024;

/// Bytes of the whole memory that are worth a warning.
const BIG_ALTOGETHER: u64 = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadArgs {
    /// Which key; without one, the result is the list of all keys.
    #[serde(default)]
    key: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArgs {}

#[derive(Serialize, JsonSchema)]
pub(super) struct Stats {
    /// Number of keys.
    keys: usize,
    /// Bytes of all of them.
    bytes: u64,
    /// Every key with its size.
    entries: Vec<Size>,
    /// Number of session logs.
    sessions: usize,
    /// Number of known error patterns.
    patterns: usize,
    /// Number of learned fixes.
    tool_fixes: usize,
    /// Number of recorded failures.
    failures: u64,
    /// How many of them were healed.
    auto_fixed: u64,
    /// What should be looked at.
    warnings: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Size {
    key: String,
    bytes: u64,
    /// When it was changed last, RFC 3339 in UTC.
    updated_at: String,
}

/// What the numbers are counted in.
struct Counted {
    entries: Vec<MemoryEntry>,
    patterns: Map<String, Value>,
    fixes: Map<String, Value>,
    failures: Map<String, Value>,
}

/// What is remembered.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Found {
    /// Under the key.
    Document(Map<String, Value>),
    /// Every key, where none was given.
    Keys(Vec<String>),
}

#[async_trait]
impl Native for MemoryRead {
    type Args = ReadArgs;
    type Output = Found;

    const FACE: Face = Face {
        name: "memory_read",
        module: "memory",
        description: "What is remembered under a key, or the list of keys",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: ReadArgs) -> Result<Found, ToolError> {
        if !args.key.trim().is_empty() {
            return self.0.read(context, Key::new(&args.key)?).await.map(Found::Document);
        }
        let entries = self.0.look(context, Store::memory_entries).await?;
        Ok(Found::Keys(entries.into_iter().map(|entry| entry.key).collect()))
    }
}

#[async_trait]
impl Native for MemoryStats {
    type Args = NoArgs;
    type Output = Stats;

    const FACE: Face = Face {
        name: "memory_stats",
        module: "memory",
        description: "How much is remembered, and what should be looked at",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, _args: NoArgs) -> Result<Stats, ToolError> {
        self.0.look(context, count).await.map(Stats::from)
    }
}

fn count(store: &Store, tenant: &str) -> Result<Counted, StoreError> {
    let read = |key| store.memory(tenant, key).map(Option::unwrap_or_default);
    Ok(Counted {
        entries: store.memory_entries(tenant)?,
        patterns: read("learned/patterns")?,
        fixes: read("learned/tool_fixes")?,
        failures: read("learned/tool_failures")?,
    })
}

impl From<Counted> for Stats {
    fn from(counted: Counted) -> Self {
        let number = |name: &str| counted.failures.get("stats").and_then(|stats| stats[name].as_u64());
        let (failures, auto_fixed) =
            (number("total_failures").unwrap_or(0), number("auto_fixed").unwrap_or(0));
        let bytes = counted.entries.iter().map(|entry| entry.bytes).sum();
        let mut warnings = size_warnings(&counted.entries, bytes);
        if failures > 0 && auto_fixed * 10 < failures * 7 {
            warnings.push(format!("{auto_fixed} of {failures} recorded failures were healed"));
        }
        Self {
            keys: counted.entries.len(),
            bytes,
            sessions: counted.entries.iter().filter(|entry| entry.key.starts_with("sessions/")).count(),
            patterns: super::learn::patterns(&counted.patterns).count(),
            tool_fixes: counted.fixes.get("tool_fixes").and_then(Value::as_array).map_or(0, Vec::len),
            failures,
            auto_fixed,
            warnings,
            entries: counted.entries.into_iter().map(Size::from).collect(),
        }
    }
}

impl From<MemoryEntry> for Size {
    fn from(entry: MemoryEntry) -> Self {
        Self { key: entry.key, bytes: entry.bytes, updated_at: stamp(entry.updated_at) }
    }
}

fn size_warnings(entries: &[MemoryEntry], bytes: u64) -> Vec<String> {
    let big = entries.iter().filter(|entry| entry.bytes > BIG);
    let mut warnings: Vec<_> = big
        .map(|entry| format!("`{}` has {} bytes; every use reads all of it", entry.key, entry.bytes))
        .collect();
    if bytes > BIG_ALTOGETHER {
        warnings.push(format!("the memory has {bytes} bytes"));
    }
    warnings
}
