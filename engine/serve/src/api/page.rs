//! Lists that are told page by page.

use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;

/// Entries of a page when nothing is said.
pub(crate) const USUAL: u32 = 50;
/// Entries of a page at most.
pub(crate) const MOST: u32 = 500;

/// A part of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Page<T> {
    /// The entries.
    pub(crate) items: Vec<T>,
    /// Give this as `after` to get what follows; null when nothing does.
    pub(crate) next: Option<String>,
}

/// A whole list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct List<T> {
    /// The entries.
    pub(crate) items: Vec<T>,
}

/// So many entries, if that many may be asked for.
pub(crate) fn size(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(USUAL) {
        size @ 1..=MOST => Ok(size),
        _ => Err(Problem::of("bad-query", format!("`limit` must be from 1 to {MOST}"))),
    }
}
