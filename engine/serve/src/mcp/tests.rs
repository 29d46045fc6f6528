//! Real clients of both eras against the real handler, over a pipe in memory.

mod calls;
mod client;
mod kit;
mod lists;
mod machine;
mod questions;
mod switching;
mod tasks;
mod workspaces;
