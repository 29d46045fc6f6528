//! `aa persona …`

use clap::Subcommand;

use super::FormatArgs;
use super::skill::CheckFormat;

/// Look at personas: what an AI client sees of tools and skills.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the personas
    List(ListArgs),
    /// Show a persona: what it is told, its skills and its tools
    Show(ShowArgs),
    /// Find every mistake in personas
    Check(CheckArgs),
}

/// Flags of `aa persona list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa persona show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name of a persona
    #[arg(value_name = "PERSONA")]
    pub(crate) persona: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa persona check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Names of personas, paths to files or folders; without any, every persona
    #[arg(value_name = "PERSONA")]
    pub(crate) personas: Vec<String>,
    /// How to print: `human`, `json` or `sarif`
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: CheckFormat,
}
