//! `aa tool …`

pub(crate) mod import;

use clap::{Subcommand, ValueEnum};

use super::FormatArgs;
use super::skill::{CheckFormat, name_and_value};

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
    /// Read the instructions that an MCP server offers
    Guide(GuideArgs),
    /// Find out why a tool fails
    Debug(DebugArgs),
    /// Make the change to a tool's definition that `debug` proposes
    Fix(FixArgs),
    /// Find every mistake in tool modules, without calling anything
    Check(CheckArgs),
    /// Try the examples of tools, without their services
    Test(TestArgs),
    /// Start a new tool module from a small one that works
    New(NewArgs),
    /// Make a tool module from a description of a service
    Import(import::ImportArgs),
}

/// Flags of `aa tool list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only tools of this module
    #[arg(long, value_name = "MODULE")]
    pub(crate) module: Option<String>,
    /// Only `basic` tools, or only `extra` ones
    #[arg(long, value_name = "TIER", hide_possible_values = true)]
    pub(crate) tier: Option<Tier>,
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
What a server says of its tools is trusted when one of them is first called, or with this
command: a skill can use a server only when it is known. When it says something else later,
the tools that have changed are held back until this command has shown the difference and
somebody has agreed.")]
pub(crate) struct TrustArgs {
    /// Name of a module over an MCP server
    #[arg(value_name = "MODULE")]
    pub(crate) module: String,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `aa tool guide`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa tool guide pdf                            what the server of the module `pdf` offers
  aa tool guide pdf forms                      its instructions about forms
  aa tool guide pdf forms references/FIELDS.md

A server offers folders of instructions by the skills extension of MCP (SEP-2640). A file is fetched
when it is asked for, and shown only when it is what the server has announced: by size, digest and
front matter.")]
pub(crate) struct GuideArgs {
    /// Name of a module over an MCP server
    #[arg(value_name = "MODULE")]
    pub(crate) module: String,
    /// Which folder of instructions
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Which of its files (default: `SKILL.md`)
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// How prominently a tool is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// Offered first.
    Basic,
    /// Offered on request.
    Extra,
}

/// Flags of `aa tool check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa tool check                           every module there is
  aa tool check jira ./tools/ --format sarif

The exit code is 3 when there are errors.")]
pub(crate) struct CheckArgs {
    /// Names of tool modules, paths to files or folders; without any, every module
    #[arg(value_name = "MODULE")]
    pub(crate) modules: Vec<String>,
    /// How to print: `human`, `json` or `sarif`
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: CheckFormat,
}

/// Flags of `aa tool test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa tool test                            every example there is
  aa tool test git kubectl_get_pods
  aa tool test git --live                 ask the real services

An example with `recorded` is replayed: the tool must run exactly the command that was recorded, and make
the result of what that printed. Exits with 1 when an example fails, with 3 when a module has errors.")]
pub(crate) struct TestArgs {
    /// Names of tool modules or tools; without any, every tool
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Call tools that only read for real, and nothing else
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa tool new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa tool new lines                       tools over commands
  aa tool new shop --http https://shop.example.org/api
  aa tool new files --mcp --command npx -y @modelcontextprotocol/server-filesystem .
  aa tool new wiki --mcp --url https://wiki.example.org/mcp
  aa tool check lines && aa tool test lines")]
pub(crate) struct NewArgs {
    /// Name of the module, and of its file
    #[arg(value_name = "MODULE")]
    pub(crate) module: String,
    /// Start from a request to this address in place of a command
    #[arg(long, value_name = "URL")]
    pub(crate) http: Option<String>,
    /// Start from the tools of an MCP server
    #[arg(long, conflicts_with = "http")]
    pub(crate) mcp: bool,
    /// The command that is the MCP server, up to the end of the line
    #[arg(long, value_name = "WORD", num_args = 1.., allow_hyphen_values = true, requires = "mcp")]
    pub(crate) command: Vec<String>,
    /// Where the MCP server is on the web
    #[arg(long, value_name = "URL", requires = "mcp", conflicts_with = "command")]
    pub(crate) url: Option<String>,
    /// For every project of this user, not just this one
    #[arg(long)]
    pub(crate) user: bool,
}

/// Flags of `aa tool debug`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Shows the tool's definition, its last failing call in any run, what is known about that, and a patch
where a plain rule knows one.")]
pub(crate) struct DebugArgs {
    /// Name of a tool
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    /// What it said, when that is not in any run
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa tool fix`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Shows the change and asks. A shipped module is copied into the project first. A file that is under
version control is committed, alone.")]
pub(crate) struct FixArgs {
    /// Name of a tool
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    /// What it said, when that is not in any run
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    /// Make the change without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Leave the change uncommitted
    #[arg(long)]
    pub(crate) no_commit: bool,
}
