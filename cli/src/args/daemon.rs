//! `aa daemon …`

use clap::{Args, Subcommand, ValueEnum};

use super::FormatArgs;
use super::mcp::ServeArgs;

/// What can be done with a daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start it, and wait until it is ready
    Start(StartArgs),
    /// Stop it: steps under way end, and the next one goes on with the runs
    Stop(StopArgs),
    /// Stop it and start it again, as it was started
    Restart(RestartArgs),
    /// Say whether it runs and is ready
    Status(StatusArgs),
    /// Print its log
    Logs(LogsArgs),
    /// Have the system start it when you log in
    Install(InstallArgs),
    /// Be it, in the foreground: what a service manager starts
    Run(RunArgs),
}

/// Flags of `aa daemon start`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aa daemon start
  aa daemon start --listen 127.0.0.1:8700 --persona devops

There is one for each store. It does what `aa serve` does, goes on with every run whose process
has died, and commands find it: `aa mcp` and `aa skill run --detach` leave their work to it.")]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// Flags of `aa daemon run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 when SIGTERM or SIGINT tells it to; a second one does not wait for steps under way. Its
log is a file, which `aa daemon logs` prints.")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Leave the terminal
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

/// Flags of `aa daemon stop`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Cut off steps that are under way; those that write are in doubt then
    #[arg(long)]
    pub(crate) now: bool,
}

/// Flags of `aa daemon restart`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aa daemon restart
  aa daemon restart --listen 127.0.0.1:8700

It works in the folder and with the flags of the one before it, except for those that are given now.
The one before it goes on when it is plain that a new one could not start.")]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Cut off steps that are under way; those that write are in doubt then
    #[arg(long)]
    pub(crate) now: bool,
}

/// Flags of `aa daemon status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exits with 0 when it is ready, and with 1 when it is not or does not run. Nothing is asked over a
network: what it says is in a file beside the store.")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa daemon logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// So many lines, the last ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) lines: usize,
    /// Go on with what is added
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// Flags of `aa daemon install`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aa daemon install                     and do what it says then
  aa daemon install --print             what it would write
  aa daemon install --listen 127.0.0.1:8700 --persona devops
  aa daemon install --kind launchd --print

It is a service of yours and not of the system: systemd has it below ~/.config/systemd/user, launchd
below ~/Library/LaunchAgents. The flags of `aa daemon start` are written into it, and how long a stop
may take by the configuration as it is now: say `--force` again when either is to be another one.")]
pub(crate) struct InstallArgs {
    /// systemd or launchd; the default is what this system has
    #[arg(long, value_name = "KIND", hide_possible_values = true)]
    pub(crate) kind: Option<Manager>,
    /// Print it, and write nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Write over what is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// What starts services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manager {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd,
}
