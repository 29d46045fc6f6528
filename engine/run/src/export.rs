//! Skills written down for assistants: a folder with a `SKILL.md`, and files for slash commands.
//!
//! The same skill gives the same text. Every file says that it was made, so that one that somebody
//! has written is never mistaken for one of these.

mod client;
mod sheet;

use std::collections::BTreeMap;

use aa_spec::plan::Plan;
use aa_spec::source::Source;

pub use self::client::Client;
pub use self::sheet::{description, run_text};

/// What a file says that was made here.
pub const MARK: &str = "Made by `aa skill export`";

/// The name of a skill as assistants write it: `deploy-ephemeral`.
pub fn shown_name(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// A skill as a folder: each file's path in it, and what is in the file. The first, by name, is
/// `SKILL.md`.
pub fn folder(plan: &Plan, source: &Source) -> BTreeMap<String, String> {
    let file = format!("references/{}.yaml", shown_name(&plan.skill.name));
    BTreeMap::from([("SKILL.md".to_owned(), sheet::skill_md(plan, &file)), (file, source.text.to_string())])
}

/// Whether a text was made here: what it begins with, after its head, says so. One that only speaks of
/// exports is somebody's own.
pub fn is_made(text: &str) -> bool {
    let head = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    let body = head.map_or(text, |(_, body)| body).trim_start();
    body.strip_prefix("<!-- ").is_some_and(|rest| rest.starts_with(MARK))
}

#[cfg(test)]
mod tests;
