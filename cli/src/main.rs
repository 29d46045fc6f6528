//! The `aa` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    aa_cli::main()
}
