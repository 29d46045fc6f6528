//! The real handler, asked by real clients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod calls;
mod kit;
mod lists;
mod machine;
mod questions;
mod switching;
mod tasks;
mod workspaces;
