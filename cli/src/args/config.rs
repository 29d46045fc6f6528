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
    /// Make a key with which somebody may come in
    Key(KeyArgs),
    /// Switch services off and on while everything runs
    #[command(subcommand)]
    Service(ServiceCommand),
}

/// Flags of `aa config key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The key is printed once, and kept nowhere. What is written into `serve.keys` of your own configuration is its
hash, which is no secret.")]
pub(crate) struct KeyArgs {
    /// Whose runs they see: letters, digits, `.`, `_`, `-` and `@`
    #[arg(value_name = "PRINCIPAL")]
    pub(crate) principal: String,
    /// A role that they have, e.g. `viewer`
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// Something that they may use, e.g. `skill:deploy_*:write`
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The tenant that they belong to
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// From when on it opens nothing any more, e.g. `2027-01-31`
    #[arg(long, value_name = "DATE")]
    pub(crate) expires: Option<String>,
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
