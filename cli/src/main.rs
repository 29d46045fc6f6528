//! The `aa` binary.

use std::process::ExitCode;

/// Counts what is allocated, so that a worker can be held to a limit; elsewhere it only counts.
#[cfg(feature = "compute")]
#[global_allocator]
static ALLOCATOR: monty_alloc::LimitedAllocator = monty_alloc::LimitedAllocator;

fn main() -> ExitCode {
    aa_cli::main()
}
