//! `aa run …`

use aa_run::event::{RunId, StepPath};
use aa_run::store::RunStatus;
use clap::{Subcommand, ValueEnum};

use super::FormatArgs;
use super::skill::RunFormat;

/// Look at runs and steer them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List runs, newest first
    List(ListArgs),
    /// Show how a run went, step by step
    Show(ShowArgs),
    /// Follow a run, whoever drives it
    Watch(WatchArgs),
    /// Go on with runs whose process died, or that wait for a person
    Resume(ResumeArgs),
    /// End a run, whoever drives it
    Cancel(CancelArgs),
    /// Answer a question of a run
    Answer(AnswerArgs),
    /// Say how a step with unknown outcome ended
    Resolve(ResolveArgs),
    /// Take back the completed steps of a run that is over
    Undo(UndoArgs),
    /// Say why a run failed, and what can be done
    Explain(ExplainArgs),
    /// Compare two runs
    Diff(DiffArgs),
    /// Make a test of a run: what its calls gave, and what came of it
    ToTest(ToTestArgs),
}

/// Flags of `aa run list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa run list --skill deploy-ephemeral --status failed
  aa run list --format json")]
pub(crate) struct ListArgs {
    /// Only runs of this skill
    #[arg(long, value_name = "SKILL")]
    pub(crate) skill: Option<String>,
    /// Only runs that are running, waiting, interrupted, completed, failed or cancelled
    #[arg(long, value_name = "STATUS", hide_possible_values = true)]
    pub(crate) status: Vec<Status>,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = at_least_one)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// Steps are running.
    Running,
    /// A person is needed.
    Waiting,
    /// Nobody drives it that should.
    Interrupted,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Flags of `aa run show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa run show 12
  aa run show 12 --step build       everything about one step
  aa run show 12 --format json      the events, one per line")]
pub(crate) struct ShowArgs {
    /// Number of the run; without it, the newest one
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: Option<RunId>,
    /// Everything about this step, e.g. `build`, `fan[3]`, `release/build`
    #[arg(long, value_name = "STEP", value_parser = step_path)]
    pub(crate) step: Option<StepPath>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa run watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// Number of the run; without it, the newest one
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: Option<RunId>,
    /// What to print: `human`, `json` (the events, one per line) or `quiet` (only outputs)
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
}

/// Flags of `aa run resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Steps that had finished are not run again. A step that had started and not finished is repeated only
when that is safe; otherwise the run waits for `aa run resolve`.")]
pub(crate) struct ResumeArgs {
    /// Number of the run; not needed when only one is interrupted
    #[arg(value_name = "RUN", value_parser = run_id, conflicts_with = "all")]
    pub(crate) run: Option<RunId>,
    /// Every interrupted run, one after the other
    #[arg(long)]
    pub(crate) all: bool,
    /// Leave them to the daemon
    #[arg(long)]
    pub(crate) detach: bool,
    /// What to print: `human`, `json` (the events, one per line) or `quiet` (only outputs)
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
}

/// Flags of `aa run cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct CancelArgs {
    /// Number of the run
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: RunId,
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

/// Flags of `aa run answer`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa run answer 12 go_ahead approve
  aa run answer 12 where region=eu replicas=3 days=mon,tue

A form takes a value for each of its fields; those with a default can be left out.
When no process drives the run, answering also goes on with it.")]
pub(crate) struct AnswerArgs {
    /// Number of the run
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: RunId,
    /// The step that asks; `STEP#2` is its second question and no other
    #[arg(value_name = "STEP", value_parser = step_path)]
    pub(crate) step: StepPath,
    /// One of its options; of a form, `NAME=VALUE` for each field
    #[arg(value_name = "ANSWER", required = true)]
    pub(crate) answer: Vec<String>,
    /// What to print: `human`, `json` (the events, one per line) or `quiet` (only outputs)
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
}

/// Flags of `aa run resolve`.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("how").required(true),
    after_help = "\
Examples:
  aa run resolve 12 deploy --done '{\"url\": \"http://…\"}'    it took place, with this result
  aa run resolve 12 deploy --retry                        it did not take place: run it again
  aa run resolve 12 deploy --fail                         it did not work

When no process drives the run, resolving also goes on with it."
)]
pub(crate) struct ResolveArgs {
    /// Number of the run
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: RunId,
    /// The step whose outcome is unknown
    #[arg(value_name = "STEP", value_parser = step_path)]
    pub(crate) step: StepPath,
    /// It took place, with this result
    #[arg(long, value_name = "JSON", group = "how")]
    pub(crate) done: Option<String>,
    /// It is to be run again
    #[arg(long, group = "how")]
    pub(crate) retry: bool,
    /// It did not work
    #[arg(long, group = "how")]
    pub(crate) fail: bool,
    /// What to print: `human`, `json` (the events, one per line) or `quiet` (only outputs)
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
}

/// Flags of `aa run undo`.
#[derive(Debug, clap::Args)]
pub(crate) struct UndoArgs {
    /// Number of the run
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: RunId,
    /// What to print: `human`, `json` (the events, one per line) or `quiet` (only outputs)
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
}

/// Flags of `aa run explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa run explain
  aa run explain 12 --format json

Shows the failing step, what it was called with and where each argument came from, what was different
when the skill last succeeded, and the commands that retry or resume.")]
pub(crate) struct ExplainArgs {
    /// Number of the run; without it, the last one that failed
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: Option<RunId>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa run diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// Number of the older run
    #[arg(value_name = "A", value_parser = run_id)]
    pub(crate) a: RunId,
    /// Number of the newer run
    #[arg(value_name = "B", value_parser = run_id)]
    pub(crate) b: RunId,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa run to-test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa run to-test 12 --output .aa/skills/deploy-ephemeral.test.yaml
  aa skill test deploy-ephemeral

The test passes as it is. Secrets are not in it; tools of a test see `‹secret:NAME›` in their place.")]
pub(crate) struct ToTestArgs {
    /// Number of the run; without it, the newest one
    #[arg(value_name = "RUN", value_parser = run_id)]
    pub(crate) run: Option<RunId>,
    /// Write to this file instead of stdout; big values go to a folder beside it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,
}

impl Status {
    /// The status that the store has; none for runs that are told apart by who drives them.
    pub(crate) fn stored(self) -> Option<RunStatus> {
        match self {
            Self::Running => Some(RunStatus::Running),
            Self::Waiting => Some(RunStatus::Waiting),
            Self::Interrupted => None,
            Self::Completed => Some(RunStatus::Completed),
            Self::Failed => Some(RunStatus::Failed),
            Self::Cancelled => Some(RunStatus::Cancelled),
        }
    }
}

fn at_least_one(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a number from 1".to_owned()),
    }
}

pub(crate) fn run_id(text: &str) -> Result<RunId, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(RunId(number)),
        _ => Err("a run is a number from 1".to_owned()),
    }
}

/// Paths are not checked here: an unknown one gets a suggestion from the run itself.
#[expect(clippy::unnecessary_wraps, reason = "the shape that clap wants")]
pub(crate) fn step_path(text: &str) -> Result<StepPath, String> {
    Ok(StepPath(text.to_owned()))
}
