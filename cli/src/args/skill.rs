//! `aa skill …`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::FormatArgs;

/// Run, check and draw skills.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a skill
    Run(RunArgs),
    /// List the skills that can be run
    List(ListArgs),
    /// Show a skill: its inputs, steps and outputs
    Show(ShowArgs),
    /// Find every mistake in skills, without running them
    Check(CheckArgs),
    /// Rewrite skills where it is clear what was meant
    Fix(FixArgs),
    /// Run the tests of skills, without their services
    Test(TestArgs),
    /// Show what a run would do, without doing it
    Plan(PlanArgs),
    /// Draw a skill's steps and what they wait for
    Graph(GraphArgs),
    /// Start a new skill from a small one that works
    New(NewArgs),
    /// Write skills down as slash commands or `SKILL.md` folders of an AI client
    Export(ExportArgs),
}

/// Values for a skill's inputs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InputArgs {
    /// An input; its text is read by the declared type
    #[arg(short, long = "input", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) inputs: Vec<(String, String)>,
    /// A JSON or YAML file with inputs; `--input` wins over it
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs_file: Option<PathBuf>,
}

/// Flags of `aa skill run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill run deploy-ephemeral --input mr=123
  aa skill run ./my-skill.yaml --inputs-file inputs.json --format json
  aa skill run deploy-ephemeral --input mr=123 --dry-run
  aa skill run deploy-ephemeral --input mr=123 --stub-tools canned.yaml
  aa skill run deploy-ephemeral --input mr=123 --detach

Ctrl-C cancels the run and waits for its processes to end; a second Ctrl-C does not wait.")]
pub(crate) struct RunArgs {
    /// Name of a skill, or path to its file
    #[arg(value_name = "SKILL")]
    pub(crate) skill: String,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    /// What to print: `human`, `json` (the events, one per line) or `quiet` (only outputs)
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
    /// Run what only reads; answer everything else, and what reads its results, from the plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Call no tool; take answers and the passing of time from this file (`aa schema stubs`)
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(crate) stub_tools: Option<PathBuf>,
    /// Refuse to run unless `aa skill plan` gives this hash
    #[arg(long, value_name = "HASH")]
    pub(crate) plan: Option<String>,
    /// A repeated call with the same key finds the first run
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Read unknown names as null, with a warning
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Leave the run to the daemon, and print its number
    #[arg(long, conflicts_with = "stub_tools")]
    pub(crate) detach: bool,
}

/// What a run prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunFormat {
    /// For people.
    Human,
    /// The events, one per line.
    Json,
    /// Only outputs and errors.
    Quiet,
}

/// Flags of `aa skill list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa skill show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name of a skill, or path to its file
    #[arg(value_name = "SKILL")]
    pub(crate) skill: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa skill check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill check                          every skill there is
  aa skill check deploy-ephemeral skills/ --strict
  aa skill check --format sarif > skills.sarif
  aa skill check --compat their-skills/   what skills of another system lack here

The exit code is 3 when there are errors. With `--compat` it is 0 whatever is missing, and 3 only
when a file cannot be read as a skill.")]
pub(crate) struct CheckArgs {
    /// Names of skills, paths to files or folders; without any, every skill
    #[arg(value_name = "SKILL")]
    pub(crate) skills: Vec<String>,
    /// Also ask for good practice, e.g. `undo` on steps that write
    #[arg(long)]
    pub(crate) strict: bool,
    /// Read unknown names as null, with a warning
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Say of each file whether it runs, and what tools, modules and arguments are missing
    #[arg(long, requires = "skills", conflicts_with_all = ["strict", "lenient"])]
    pub(crate) compat: bool,
    /// How to print: `human`, `json` or `sarif`
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: CheckFormat,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Like a compiler's.
    Human,
    /// A list of objects.
    Json,
    /// For code scanners.
    Sarif,
}

/// Flags of `aa skill test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill test                           every test there is
  aa skill test deploy-ephemeral --filter fails
  aa run to-test 12 --output .aa/skills/deploy-ephemeral.test.yaml

The tests of `NAME.yaml` are in `NAME.test.yaml` beside it (`aa schema test`). They call no tools, take no
time, and leave no runs behind. Exits with 1 when a test fails, with 3 when a file of tests has errors.")]
pub(crate) struct TestArgs {
    /// Names of skills, or paths to skills or files of tests; without any, every test
    #[arg(value_name = "SKILL")]
    pub(crate) skills: Vec<String>,
    /// Only tests with this text in their names
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa skill fix`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill fix deploy --dry-run
  aa skill fix their-skills/*.yaml

Only what has a single meaning is changed; comments and layout stay. What is left is shown, and the
exit code is 3 when errors are among it.")]
pub(crate) struct FixArgs {
    /// Names of skills, paths to files or folders
    #[arg(value_name = "SKILL", required = true)]
    pub(crate) skills: Vec<String>,
    /// Show the changes and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa skill plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill plan deploy-ephemeral --input mr=123
  aa skill run deploy-ephemeral --input mr=123 --plan HASH")]
pub(crate) struct PlanArgs {
    /// Name of a skill, or path to its file
    #[arg(value_name = "SKILL")]
    pub(crate) skill: String,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    /// Read unknown names as null, with a warning
    #[arg(long)]
    pub(crate) lenient: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa skill graph`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill graph deploy-ephemeral
  aa skill graph deploy-ephemeral --format svg -o deploy.svg")]
pub(crate) struct GraphArgs {
    /// Name of a skill, or path to its file
    #[arg(value_name = "SKILL")]
    pub(crate) skill: String,
    /// How to draw: `terminal`, `svg` or `mermaid`
    #[arg(long, value_name = "FORMAT", default_value = "terminal", hide_possible_values = true)]
    pub(crate) format: GraphFormat,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// With line characters.
    Terminal,
    /// As a picture.
    Svg,
    /// As Mermaid text.
    Mermaid,
}

/// Flags of `aa skill new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Writes `.aa/skills/NAME.yaml` in the project, or in the current folder when there is none yet.")]
pub(crate) struct NewArgs {
    /// Name of the new skill
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Write into the user's skills, for every project
    #[arg(long)]
    pub(crate) user: bool,
}

/// Reads `name=value`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as `name=value`".to_owned()),
    }
}

/// Reads `name=value` for other nouns.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    pair(text)
}

/// Flags of `aa skill export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa skill export --client claude .                       .claude/commands/NAME.md for every skill
  aa skill export --client vscode . deploy-ephemeral      .github/prompts/deploy-ephemeral.prompt.md
  aa skill export --client claude --skills .              .claude/skills/NAME/SKILL.md
  aa skill export --client cursor --check .               what is out of date; changes nothing

A file that was not made by this command is never written over.")]
pub(crate) struct ExportArgs {
    /// For which client: `claude`, `cursor`, `codex` or `vscode`
    #[arg(long, value_name = "CLIENT", hide_possible_values = true)]
    pub(crate) client: ExportClient,
    /// Write a folder with a `SKILL.md` for each skill in place of a command
    #[arg(long)]
    pub(crate) skills: bool,
    /// Write nothing; say what is out of date, and fail if something is
    #[arg(long)]
    pub(crate) check: bool,
    /// Folder of the project
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Only these skills
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

/// A client with slash commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportClient {
    /// Claude Code.
    Claude,
    /// Cursor.
    Cursor,
    /// Codex.
    Codex,
    /// Visual Studio Code.
    Vscode,
}
