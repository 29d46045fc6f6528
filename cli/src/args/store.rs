//! `aa store …`

use std::path::PathBuf;

use clap::Subcommand;

use super::FormatArgs;

/// Copy the store, and put copies back.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copy it into a new folder, while others use it
    Backup(BackupArgs),
    /// Put a copy in its place
    Restore(RestoreArgs),
}

/// Flags of `aa store backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa store backup /backups/aa-$(date +%F)

Servers and runs go on meanwhile. The copy is as of one moment, and holds the keys that sealed states and the
audit are made with, so keep it as you keep the store.")]
pub(crate) struct BackupArgs {
    /// A folder that is not there yet
    #[arg(value_name = "FOLDER")]
    pub(crate) copy: PathBuf,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa store restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa store restore /backups/aa-2026-11-26

Nothing may use the store; the one that is there is moved aside. The copy is checked first. Runs that were
under way in it are interrupted ones then: `aa run resume --all` goes on with them.")]
pub(crate) struct RestoreArgs {
    /// A folder that `aa store backup` has made
    #[arg(value_name = "FOLDER")]
    pub(crate) copy: PathBuf,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
