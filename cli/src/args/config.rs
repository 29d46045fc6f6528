//! `aa config …`

use clap::Subcommand;

use super::FormatArgs;

/// Check and show the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find every mistake in the configuration
    Check(CheckArgs),
    /// Show the settings that are in force
    Show(ShowArgs),
}

/// Flags of `aa config check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa config show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Also show where each value comes from
    #[arg(long)]
    pub(crate) origin: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
