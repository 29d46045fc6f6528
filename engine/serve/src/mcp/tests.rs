//! The real handler, asked by real clients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod lists;
mod machine;
mod switching;
mod workspaces;
