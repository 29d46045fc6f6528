//! Acceptance tests: the `aa` binary as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

/// The rules of ARCHITECTURE.md: arrows, map, length, names, words.
mod architecture;

/// Everything that people, files, disks and tools get wrong.
mod bad_input;
/// Cancelling ends whole process groups.
mod cancel;
/// Settings and where they come from; the doctor.
mod config;
/// Every help page, and what is said when arguments make no sense.
mod help;
/// Every shipped skill, run on real data.
mod skills;
