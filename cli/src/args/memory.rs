//! `aa memory …`

use std::path::PathBuf;

use clap::Subcommand;

use super::FormatArgs;

/// Look at what skills remember, and change it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is remembered under a key
    Get(GetArgs),
    /// Remember something under a key
    Set(SetArgs),
    /// List the keys
    List(ListArgs),
    /// Find where words stand in memory and knowledge
    Search(SearchArgs),
    /// Take in a folder of YAML files
    Import(ImportArgs),
    /// Write everything as a folder of YAML files
    Export(ExportArgs),
    /// Show how much is remembered, and what should be looked at
    Stats(StatsArgs),
    /// List the mistakes in calls that repeat, or forget one
    Patterns(PatternsArgs),
}

/// Flags of `aa memory get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa memory get state/current_work
  aa memory get state/current_work '$.active_issues[*].key'")]
pub(crate) struct GetArgs {
    /// A key, such as `state/current_work`
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// Only the values that this JSONPath finds
    #[arg(value_name = "JSONPATH")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa memory set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa memory set notes 'text: buy milk'
  aa memory set state/current_work --at active_issue AAP-1
  aa memory set learned/runbooks - < runbooks.yaml")]
pub(crate) struct SetArgs {
    /// A key, such as `state/current_work`
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// Set only this field, such as `environments.stage.status`
    #[arg(long, value_name = "PATH")]
    pub(crate) at: Option<String>,
    /// A YAML mapping, or with `--at` any value; `-` reads it from stdin
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,
}

/// Flags of `aa memory list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only keys that begin like this
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa memory search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Finds places with all of the words, or else with any, best first.")]
pub(crate) struct SearchArgs {
    /// Words to look for
    #[arg(value_name = "WORD", required = true)]
    pub(crate) words: Vec<String>,
    /// Only keys that begin like this, such as `knowledge/`
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// At most this many places
    #[arg(long, value_name = "COUNT", default_value = "10")]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa memory import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file `state/current_work.yaml` becomes the key `state/current_work`. All files are checked first,
and all are taken in or none. Links are not followed.")]
pub(crate) struct ImportArgs {
    /// The folder
    #[arg(value_name = "FOLDER")]
    pub(crate) from: PathBuf,
    /// Replace keys that are there and differ
    #[arg(long)]
    pub(crate) replace: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Flags of `aa memory export`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The folder; it must be empty or not be there
    #[arg(value_name = "FOLDER")]
    pub(crate) to: PathBuf,
    /// Write into a folder that is not empty, over files of the same names
    #[arg(long)]
    pub(crate) force: bool,
}

/// Flags of `aa memory stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa memory patterns`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A mistake that is known well enough (confidence 0.75) puts a warning into the run before a call that
would repeat it. The call is made all the same.")]
pub(crate) struct PatternsArgs {
    /// Forget this mistake, by its name or the beginning of it
    #[arg(long, value_name = "ID")]
    pub(crate) forget: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
