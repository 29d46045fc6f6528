//! `aa audit …`

use aa_run::audit::Mark;
use aa_run::event::RunId;
use clap::Subcommand;

use super::FormatArgs;

/// Look at who did what, and whether that is still as it was written.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List who did what, the newest first
    List(ListArgs),
    /// Check that no entry was changed, removed, moved or cut off
    Verify(VerifyArgs),
}

/// Flags of `aa audit list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa audit list --did run.answer             who has approved what
  aa audit list --run 12 --format json
  aa audit list --since 2d --who ci

Starts, answers, cancellations and the like of runs come from the journal, whichever way they were asked
for; so do changes to schedules, services, heal rules and trusted servers.")]
pub(crate) struct ListArgs {
    /// Only what they did
    #[arg(long, value_name = "WHO")]
    pub(crate) who: Option<String>,
    /// Only what begins like this, e.g. `run.` or `run.start`
    #[arg(long, value_name = "WHAT")]
    pub(crate) did: Option<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN", value_parser = super::run::run_id)]
    pub(crate) run: Option<RunId>,
    /// Only what was done since then: a moment (RFC 3339), or a time ago such as `2d`
    #[arg(long, value_name = "MOMENT")]
    pub(crate) since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa audit verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa audit verify
  aa audit verify --mark 120:4f0c…           nothing up to that entry is missing either

Each entry is bound to the one before it with the key in `audit.key`, beside the store. Whoever has that key
and the store can write another audit: note the last line somewhere else from time to time, and give it as
`--mark` later. Exits with 1 when something is wrong.")]
pub(crate) struct VerifyArgs {
    /// An entry and its hash, as this command printed them before
    #[arg(long, value_name = "NUMBER:HASH")]
    pub(crate) mark: Option<Mark>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
