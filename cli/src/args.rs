//! What can be typed: clap types and nothing else.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod daemon;
mod deferred;
mod direct;
pub(crate) mod heal;
pub(crate) mod mcp;
pub(crate) mod memory;
pub(crate) mod persona;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod serving;
pub(crate) mod skill;
pub(crate) mod store;
pub(crate) mod tool;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub(crate) use self::deferred::Deferred;
use crate::style;

/// Runs skills: strict before a run, durable during it, honest after it.
#[derive(Debug, Parser)]
#[command(
    name = "aa",
    version,
    styles = style::HELP,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  aa skill list                                     what can be run
  aa skill run deploy-ephemeral --input mr=123      run it

Environment: AA_CONFIG_DIR, AA_STATE_DIR, AA_<SECTION>_<KEY> (a setting), AA_LOG (a log filter),
NO_COLOR. Exit codes: 0 ok, 1 run failed, 2 usage, 3 YAML has errors, 4 not found, 5 cancelled,
6 waiting for a person, 70 bug."
)]
pub(crate) struct Args {
    /// Flags that every command has.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Args {
    /// What this process was told to do.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let typed: Vec<OsString> = std::env::args_os().collect();
        direct::read(&typed).map_or_else(|| read_by::<Self>(&typed), Ok)
    }

    /// What is logged when nobody has said what.
    pub(crate) fn usual_log(&self) -> Option<&'static str> {
        let serves = matches!(self.command, Some(Command::Serve(_)));
        let filter = if self.global.quiet { "aa=error" } else { "aa=warn,aa::audit=info" };
        serves.then_some(filter)
    }

    /// How a server was told to log; none of what does not serve.
    pub(crate) fn log(&self) -> Option<serving::LogArgs> {
        match &self.command {
            Some(Command::Serve(args)) => Some(args.log),
            Some(Command::Daemon(Deferred(daemon::Command::Run(args)))) => Some(args.serve.log),
            _ => None,
        }
    }

    /// Whether the command has a log of its own.
    pub(crate) fn logs_itself(&self) -> bool {
        matches!(self.command, Some(Command::Daemon(Deferred(daemon::Command::Run(_)))))
    }
}

fn read_by<T: CommandFactory + FromArgMatches>(typed: &[OsString]) -> Result<T, clap::Error> {
    let mut command = T::command();
    let mut matches = command.try_get_matches_from_mut(typed)?;
    let read = T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command));
    // It is read once in the life of a process, and taking it apart would keep a short one waiting.
    std::mem::forget((command, matches));
    read
}

/// Flags that every command has.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Work in this folder instead of the current one
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Keep runs in this folder instead of the configured one
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Say nothing but data and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Color,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run, check and draw skills
    #[command(subcommand)]
    Skill(Deferred<skill::Command>),
    /// Look at runs and steer them
    #[command(subcommand)]
    Run(Deferred<run::Command>),
    /// Look at tools and call them
    #[command(subcommand)]
    Tool(Deferred<tool::Command>),
    /// Look at what skills remember, and change it
    #[command(subcommand)]
    Memory(Deferred<memory::Command>),
    /// Look at personas: what an AI client sees of tools and skills
    #[command(subcommand)]
    Persona(Deferred<persona::Command>),
    /// Look at what runs by itself, and steer it
    #[command(subcommand)]
    Schedule(Deferred<schedule::Command>),
    /// Listen for what is new, e.g. messages
    Listen(ListenArgs),
    /// Look at the rules that mend failed steps, and at what they did
    #[command(subcommand)]
    Heal(Deferred<heal::Command>),
    /// Show skills and tools to an AI client
    Mcp(mcp::McpArgs),
    /// Serve AI clients over HTTP
    Serve(mcp::ServeArgs),
    /// Have a process serve and run what is due although nobody is there
    #[command(subcommand)]
    Daemon(Deferred<daemon::Command>),
    /// Look at who did what, and whether that is still as it was written
    #[command(subcommand)]
    Audit(Deferred<audit::Command>),
    /// Copy the store, and put copies back
    #[command(subcommand)]
    Store(Deferred<store::Command>),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(Deferred<config::Command>),
    /// Find out what is missing or broken on this machine
    Doctor(DoctorArgs),
    /// Print a script that completes commands in a shell
    Completions(CompletionsArgs),
    /// Print the JSON Schema of a kind of file
    Schema(SchemaArgs),
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a document is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// How to print.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FormatArgs {
    /// How to print: `human` or `json`
    #[arg(long, value_name = "FORMAT", default_value = "human", hide_possible_values = true)]
    pub(crate) format: Format,
}

/// Flags of `aa listen`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa listen                   which modules can listen
  aa listen slack             listen until it is stopped
  aa listen slack --once      see what is new, and end

With `listen: [slack]` in your configuration, `aa daemon` and `aa serve` do it by themselves.

What is heard waits in the store, each item once, until it is marked:
  aa tool call slack_get_pending
  aa tool call slack_respond_mark --arg id=7")]
pub(crate) struct ListenArgs {
    /// Name of a tool module that has a `listener`
    #[arg(value_name = "MODULE")]
    pub(crate) module: Option<String>,
    /// Look once and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exits with 1 when something is broken; a warning is not.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Flags of `aa completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa completions bash > ~/.local/share/bash-completion/completions/aa
  aa completions zsh > ~/.zfunc/_aa
  aa completions fish > ~/.config/fish/completions/aa.fish")]
pub(crate) struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub(crate) shell: clap_complete::Shell,
}

/// Flags of `aa schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aa schema skill > skill.json

An editor that knows YAML schemas uses it through a first line like
  # yaml-language-server: $schema=skill.json")]
pub(crate) struct SchemaArgs {
    /// skill, stubs, test, tool, config, persona, event or openapi
    #[arg(value_name = "KIND", hide_possible_values = true)]
    pub(crate) kind: SchemaKind,
}

/// A kind of file that has a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// A skill.
    Skill,
    /// Canned answers for `aa skill run --stub-tools`.
    Stubs,
    /// Tests of a skill.
    Test,
    /// A tool module.
    Tool,
    /// The configuration.
    Config,
    /// A persona.
    Persona,
    /// An event, as `--format json` prints it.
    Event,
    /// What `aa serve` answers below `/api`.
    Openapi,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_sound() {
        super::Args::command().debug_assert();
    }
}
