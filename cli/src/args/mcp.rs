//! Flags of `aa mcp` and `aa serve`.

use clap::{Args, Subcommand};

/// What clients see at first; the default is the persona `core`.
#[derive(Clone, Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Shown {
    /// Show the tools and skills of this persona
    #[arg(long, value_name = "NAME")]
    pub(crate) persona: Option<String>,
    /// Show these tools, and every skill
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) tools: Option<Vec<String>>,
    /// Show the tools of this module and nothing else
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Option<String>,
    /// Show every tool and every skill
    #[arg(long)]
    pub(crate) all: bool,
}

/// `aa mcp`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aa mcp --persona devops        what an AI client starts"
)]
pub(crate) struct McpArgs {
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Also show each skill as a folder with a SKILL.md, to clients that know the draft of that extension
    #[arg(long)]
    pub(crate) skills_extension: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What `aa mcp` does beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {}

/// `aa serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8610")]
    pub(crate) listen: std::net::SocketAddr,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Also show each skill as a folder with a SKILL.md, to clients that know the draft of that extension
    #[arg(long)]
    pub(crate) skills_extension: bool,
}
