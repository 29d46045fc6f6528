//! `aa heal …`

use aa_run::event::{RunId, StepPath};
use clap::Subcommand;

use super::FormatArgs;

/// Look at the rules that mend failed steps, and at what they did.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the rules, and what could become one
    List(ListArgs),
    /// Show a rule or a proposal: what it is for, what it calls, how often
    Show(ShowArgs),
    /// Say which rule would be tried for a failure, and what it would do
    Test(TestArgs),
    /// Make a rule of a proposal
    Accept(AcceptArgs),
    /// Show what the rules have done
    Stats(ListArgs),
    /// Let a rule act again that has stopped by itself
    Reset(ResetArgs),
}

/// Flags of `aa heal list` and `aa heal stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa heal show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name of a rule or proposal
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa heal test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa heal test kubectl_get_pods 'error: You must be logged in to the server'
  aa heal test kubectl_get_pods 'no pods' --kind auth --args '{\"cluster\": \"stage\"}'
  aa heal test --run 12 --step pods

Nothing is called. Exits with 1 when no rule would act.")]
pub(crate) struct TestArgs {
    /// The tool that failed
    #[arg(value_name = "TOOL", required_unless_present = "run")]
    pub(crate) tool: Option<String>,
    /// What it said
    #[arg(value_name = "ERROR", required_unless_present = "run")]
    pub(crate) error: Option<String>,
    /// What kind of error it was; by default what a command that says this is taken for
    #[arg(long, value_name = "KIND", conflicts_with = "run")]
    pub(crate) kind: Option<String>,
    /// Its arguments as a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "run")]
    pub(crate) args: Option<String>,
    /// A run in which a step failed
    #[arg(long, value_name = "RUN", value_parser = super::run::run_id, requires = "step", conflicts_with = "tool")]
    pub(crate) run: Option<RunId>,
    /// The step that failed
    #[arg(long, value_name = "STEP", value_parser = super::run::step_path, requires = "run")]
    pub(crate) step: Option<StepPath>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa heal accept`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The rule goes into `.aa/tools/heal.yaml` of the project, and acts from then on.")]
pub(crate) struct AcceptArgs {
    /// Name of a proposal, as `aa heal list` shows it
    #[arg(value_name = "PROPOSAL")]
    pub(crate) proposal: String,
    /// Write it into the user's folder instead, for all projects
    #[arg(long)]
    pub(crate) user: bool,
}

/// Flags of `aa heal reset`.
#[derive(Debug, clap::Args)]
pub(crate) struct ResetArgs {
    /// Name of a rule
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
}
