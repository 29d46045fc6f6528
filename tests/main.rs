//! Acceptance tests: the `aa` binary as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::format_push_string, clippy::maybe_infinite_iter, reason = "a test may be plain")]

mod support;

/// What `aa serve` answers and tells below `/api`, `/events` and `/ws`.
mod api;
/// The rules of ARCHITECTURE.md: arrows, map, length, names, words.
mod architecture;

/// Everything that people, files, disks and tools get wrong.
mod bad_input;
/// Cancelling ends whole process groups.
mod cancel;
/// Skills of another system: checked, fixed, summed up and run.
mod compat;
/// Settings and where they come from; the doctor.
mod config;
/// A process that runs although nobody is there: its life, its death, and who uses it.
mod daemon;
/// The dashboard in a real browser.
mod dashboard;
/// Why a tool fails, and its definition mended.
mod debug_tool;
/// Writes that fail, and may have acted all the same.
mod doubt;
/// Why a run failed.
mod explain;
/// Skills written down for AI clients.
mod export;
/// Steps that are healed: logins made once, bounds that hold, runs that die in between.
mod heal;
/// Every help page, completions, and what is said when arguments make no sense.
mod help;
/// Tool modules over HTTP.
mod http_modules;
/// MCP servers as tool modules.
mod mcp;
/// What is remembered, from the terminal.
mod memory_commands;
/// What is no text where a text belongs.
mod not_text;
/// Figures, traces, logs, the audit, copies: what those need who keep it running.
mod ops;
/// stdout is data, stderr is talk, and neither breaks when nobody reads.
mod output;
/// Personas: listed, shown, checked.
mod persona_commands;
/// The README does what it says.
mod readme;
/// Skills without their services.
mod rehearsal;
/// What a killed process has left running is ended before anybody goes on.
mod remains;
/// Killed after every event, resumed each time.
mod resume;
/// Looking at runs, comparing them, taking them back.
mod run_commands;
/// What runs by itself: each time once, explained, and people told.
mod schedule;
/// Files, events and their JSON Schemas.
mod schemas;
/// Shipped tools against servers that speak the services' routes and errors.
mod services;
/// Every mistake there can be in a skill, drawn.
mod skill_check;
/// Every shipped skill planned and drawn.
mod skill_plan;
/// What `aa skill run` prints, returns, and how it ends.
mod skill_run;
/// Every shipped skill, on real data.
mod skills;
/// What a person at a terminal sees, and is asked.
mod terminal;
/// Shipped tool modules over real commands.
mod tool_clis;
/// Looking at tools, and calling them.
mod tool_commands;
/// The pages of `docs/tools`, made of the tools; what every shipped tool must have.
mod tool_docs;
/// Writing tool modules.
mod tool_modules;
/// The process that runs Python.
#[cfg(feature = "compute")]
mod worker;
