//! `compute:`: what Python blocks may use.

use std::time::Duration;

use serde_json::json;

use super::layer::{Layers, Origin};
use super::{bytes, count};
use crate::compute::Limits;

/// Least memory in which a block can do anything, in bytes.
const LEAST_MEMORY: usize = 4 << 20;
/// Longest source that the parser takes, in bytes.
const LONGEST_SOURCE: usize = 64 << 10;
/// Deepest calls for which the interpreter has stack.
const DEEPEST: usize = 1000;

/// Values beyond what the interpreter can do are drawn to what it can.
pub(super) fn limits(layers: &mut Layers<'_>) -> Limits {
    let usual = Limits::default();
    let workers = u32::try_from(usual.workers).unwrap_or(1);
    let timeout = timeout(layers, usual.timeout);
    let memory = bytes(layers, "compute.memory", |c| &c.compute.memory, usual.memory as u64);
    let source = bytes(layers, "compute.source", |c| &c.compute.source, usual.source as u64);
    Limits {
        timeout,
        memory: memory.max(LEAST_MEMORY),
        source: source.min(LONGEST_SOURCE),
        output: bytes(layers, "compute.output", |c| &c.compute.output, usual.output as u64).min(1 << 28),
        printed: bytes(layers, "compute.printed", |c| &c.compute.printed, usual.printed as u64).min(1 << 26),
        calls: count(layers, "compute.calls", |c| &c.compute.calls, usual.calls),
        depth: (count(layers, "compute.depth", |c| &c.compute.depth, 200) as usize).min(DEEPEST),
        workers: count(layers, "compute.workers", |c| &c.compute.workers, workers) as usize,
        idle: usual.idle,
    }
}

fn timeout(layers: &mut Layers<'_>, usual: Duration) -> Duration {
    const KEY: &str = "compute.timeout";
    let parse = |text: &str| aa_spec::duration::parse_ms(text).map(|_| text.to_owned());
    let (text, origin) = layers
        .scalar(KEY, |c| &c.compute.timeout, parse)
        .unwrap_or_else(|| ("5s".to_owned(), Origin::Default));
    layers.note(KEY, json!(text), origin);
    aa_spec::duration::parse_ms(&text).map_or(usual, Duration::from_millis)
}
