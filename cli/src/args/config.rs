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
    /// Switch services off and on while everything runs
    #[command(subcommand)]
    Service(ServiceCommand),
}

/// `aa config service …`
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the services, and whether they are on
    List(ServiceListArgs),
    /// Switch a service on
    Enable(SwitchArgs),
    /// Switch a service off, until it is switched on again
    Disable(SwitchArgs),
}

/// Flags of `aa config service list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceListArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa config service enable` and `disable`.
#[derive(Debug, clap::Args)]
pub(crate) struct SwitchArgs {
    /// Name of a service: scheduler, cron, poll, webhook, notify or slack
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,
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
