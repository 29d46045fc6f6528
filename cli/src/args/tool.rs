//! `aa tool …`

use clap::Subcommand;

use super::FormatArgs;
use super::skill::name_and_value;

/// Look at tools and call them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tools that skills can call
    List(ListArgs),
    /// Show a tool: its arguments, its result and what it does to the world
    Show(ShowArgs),
    /// Call a tool once, outside a run
    Call(CallArgs),
    /// Look at what an MCP server says of its tools now, and trust it
    Trust(TrustArgs),
}

/// Flags of `aa tool list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only tools of this module
    #[arg(long, value_name = "MODULE")]
    pub(crate) module: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa tool show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name of a tool
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa tool call`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa tool call git_log --arg repo=. --arg limit=3
  aa tool call http_request --args '{\"url\": \"http://127.0.0.1:8080/\"}'

The result goes to stdout as JSON; a text goes there as it is.")]
pub(crate) struct CallArgs {
    /// Name of a tool
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    /// An argument; its text is read by the declared type
    #[arg(short, long = "arg", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) arg: Vec<(String, String)>,
    /// Arguments as a JSON object; `--arg` wins over it
    #[arg(long, value_name = "JSON")]
    pub(crate) args: Option<String>,
}

/// Flags of `aa tool trust`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What a server says of its tools is trusted when it is first seen. When it says something else
later, the tools that have changed are held back until this command has shown the difference
and somebody has agreed.")]
pub(crate) struct TrustArgs {
    /// Name of a module over an MCP server
    #[arg(value_name = "MODULE")]
    pub(crate) module: String,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}
