//! `aa schedule …`

use clap::Subcommand;

use super::FormatArgs;
use super::skill::RunFormat;

/// Look at what runs by itself, and steer it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the schedules
    List(ListArgs),
    /// Show a schedule, and what has become of its last times
    Show(ShowArgs),
    /// Show when a schedule is due next
    Next(NextArgs),
    /// Run a schedule now
    Run(RunArgs),
    /// Hold a schedule
    Pause(PauseArgs),
    /// Let a schedule go on that is held
    Resume(ResumeArgs),
    /// Say why the last times of a schedule were run or not
    Why(WhyArgs),
    /// Run times of the past that have no success
    Backfill(BackfillArgs),
    /// Show what people were told, and how that went
    Notices(NoticesArgs),
}

/// Flags of `aa schedule notices`.
#[derive(Debug, clap::Args)]
pub(crate) struct NoticesArgs {
    /// Messages to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa schedule list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A schedule stands in the configuration under `schedules:`, or in its skill under `schedule:`.
`aa serve` runs what is due.")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa schedule show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
    /// Past times to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa schedule next`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa schedule next nightly
  aa schedule next nightly --count 3 --after 2026-10-24")]
pub(crate) struct NextArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
    /// How many times to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
    /// Show those after this moment instead of now
    #[arg(long, value_name = "MOMENT")]
    pub(crate) after: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa schedule run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
    /// How to print: `human`, `plain` or `json`
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: RunFormat,
}

/// Flags of `aa schedule pause`.
#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
    /// Why, for those who wonder later
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// Flags of `aa schedule resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Schedules of a project are held until somebody lets them run on this machine.
Times that were due while a schedule was held are not run;
`aa schedule backfill` runs them.")]
pub(crate) struct ResumeArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
}

/// Flags of `aa schedule why`.
#[derive(Debug, clap::Args)]
pub(crate) struct WhyArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
    /// Past times to explain
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa schedule backfill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa schedule backfill nightly --from 2026-11-01 --to 2026-11-08          what would be run
  aa schedule backfill nightly --from 2026-11-01 --to 2026-11-08 --yes

The times run one after the other, by whichever scheduler runs.
`due` in the inputs is the time of the past.")]
pub(crate) struct BackfillArgs {
    /// Name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub(crate) schedule: String,
    /// First moment, RFC 3339 or as clocks of the schedule's zone show it
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: String,
    /// Last moment (default: now)
    #[arg(long, value_name = "MOMENT")]
    pub(crate) to: Option<String>,
    /// Do it instead of showing what would be done
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
