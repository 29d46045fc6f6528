//! What a block may use.

use std::time::Duration;

/// What a block may use, and how many run at once; `compute:` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from its start to its end; calls of tools and skills do not count.
    pub timeout: Duration,
    /// Memory, in bytes.
    pub memory: usize,
    /// Length of its source, in bytes.
    pub source: usize,
    /// Size of its result as JSON, and of the arguments of a call, in bytes.
    pub output: usize,
    /// What it prints, in bytes.
    pub printed: usize,
    /// Calls of tools and skills.
    pub calls: u32,
    /// Calls of functions within functions.
    pub depth: usize,
    /// Blocks that compute at once; one that waits for a call does not count.
    pub workers: usize,
    /// How long an unused worker is kept.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            memory: 64 << 20,
            source: 64 << 10,
            output: 1 << 20,
            printed: 64 << 10,
            calls: 200,
            depth: 200,
            workers: 4,
            idle: Duration::from_mins(1),
        }
    }
}
