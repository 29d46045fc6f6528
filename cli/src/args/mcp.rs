//! Flags of `aa mcp` and `aa serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Where a server listens when nobody says anything.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8610);

/// What clients see at first; the default is the persona `core`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
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
    /// Show every tool and every skill, however many; clients may have a limit of their own
    #[arg(long)]
    pub(crate) all: bool,
}

/// `aa mcp`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aa mcp --persona devops              what an AI client starts
  aa mcp config --client claude        what to tell the client for that

When a daemon runs, it serves the client, in this folder and with this environment."
)]
pub(crate) struct McpArgs {
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Also show each skill as a folder with a SKILL.md, to clients that know the draft of that extension
    #[arg(long)]
    pub(crate) skills_extension: bool,
    /// Serve from this process, although a daemon runs
    #[arg(long)]
    pub(crate) alone: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What `aa mcp` does beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print what an AI client has to be told to find us
    Config(ConfigArgs),
}

/// `aa mcp config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aa mcp config --client claude > .mcp.json
  aa mcp config --client codex --persona devops >> ~/.codex/config.toml
  aa mcp config --client vscode --http http://127.0.0.1:8610

Without `--http` the client starts `aa mcp` itself. With it, it needs the key of `aa serve`, which
is not printed.")]
pub(crate) struct ConfigArgs {
    /// claude, cursor, vscode, codex or zed
    #[arg(long, value_name = "CLIENT", hide_possible_values = true)]
    pub(crate) client: Client,
    /// Ask a server that runs, at this address
    #[arg(long, value_name = "URL")]
    pub(crate) http: Option<String>,
    /// The persona to show
    #[arg(long, value_name = "NAME")]
    pub(crate) persona: Option<String>,
}

/// An AI client whose configuration we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Code.
    Claude,
    /// Cursor.
    Cursor,
    /// Visual Studio Code.
    Vscode,
    /// Codex.
    Codex,
    /// Zed.
    Zed,
}

/// `aa serve`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  aa serve                              for AI clients on this machine, at http://127.0.0.1:8610/mcp
  aa serve --persona devops             `/mcp` shows that persona
  aa mcp config --client claude --http http://127.0.0.1:8610

What is due by `aa schedule list` is run as long as it serves.

Whoever asks needs a key: that of this machine is in `serve.token` beside the store, others are
named under `serve:` in the configuration. `/mcp/PERSONA` shows one persona. Each call is a line
on stderr; `--quiet` leaves them out.

Programs ask below `/api`, as `/api/openapi.json` says, and hear what happens at `/events` and `/ws`
and, with `events: {port: 9876}` in the configuration, at a port of their own.")]
pub(crate) struct ServeArgs {
    /// Address to listen at; port 0 takes a free one [default: 127.0.0.1:8610]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Run nothing by itself: leave schedules and listeners to others
    #[arg(long)]
    pub(crate) no_scheduler: bool,
    #[command(flatten)]
    pub(crate) log: super::serving::LogArgs,
    /// Let other machines ask, though what is said can be read on the way (TLS is a proxy's)
    #[arg(long)]
    pub(crate) allow_remote: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Also show each skill as a folder with a SKILL.md, to clients that know the draft of that extension
    #[arg(long)]
    pub(crate) skills_extension: bool,
}

/// Reads where to listen. Of names there is one that means the same on every machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let local = local.map(|port| Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)));
    local.unwrap_or_else(|| text.parse()).map_err(|_| {
        "write an address of this machine and a port, e.g. `127.0.0.1:8610` or `localhost:8610`".to_owned()
    })
}

/// Flags of a server that were typed before.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Typed {
    #[command(flatten)]
    serve: ServeArgs,
}

impl ServeArgs {
    /// Where to listen.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listen.unwrap_or(USUAL)
    }

    /// These, and what was typed before of all that they say nothing of.
    ///
    /// # Errors
    /// What was typed means nothing to this version.
    pub(crate) fn over(&self, before: &[String]) -> Result<Self, clap::Error> {
        let Typed { serve: before } = Typed::try_parse_from(before)?;
        let new = self.clone();
        Ok(Self {
            listen: new.listen.or(before.listen),
            no_scheduler: new.no_scheduler || before.no_scheduler,
            log: super::serving::LogArgs { log_format: new.log.log_format.or(before.log.log_format) },
            allow_remote: new.allow_remote || before.allow_remote,
            shown: if new.shown == Shown::default() { before.shown } else { new.shown },
            skills_extension: new.skills_extension || before.skills_extension,
        })
    }

    /// What has to be typed for this.
    pub(crate) fn typed(&self) -> Vec<String> {
        let mut words = Vec::new();
        let flags = [
            (self.no_scheduler, "--no-scheduler"),
            (self.allow_remote, "--allow-remote"),
            (self.skills_extension, "--skills-extension"),
            (self.shown.all, "--all"),
        ];
        words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()));
        let tools = self.shown.tools.as_ref().map(|tools| tools.join(","));
        let written = self.log.log_format.map(super::serving::Written::word).map(str::to_owned);
        let listen = self.listen.map(|address| address.to_string());
        let values = [
            ("--listen", &listen),
            ("--persona", &self.shown.persona),
            ("--module", &self.shown.module),
            ("--tools", &tools),
            ("--log-format", &written),
        ];
        for (flag, value) in values {
            words.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> ServeArgs {
        Typed::try_parse_from(words).unwrap().serve
    }

    #[test]
    fn what_is_said_anew_takes_the_place_of_what_was_said_before() {
        let before = read(&["--listen", "localhost:9000", "--persona", "devops", "--no-scheduler"]).typed();
        let kept = read(&[]).over(&before).unwrap();
        assert_eq!(kept.typed(), before);
        assert_eq!(kept.address().to_string(), "127.0.0.1:9000");
        let other = read(&["--listen", "[::1]:0", "--all"]).over(&before).unwrap();
        assert_eq!(other.typed(), ["--no-scheduler", "--all", "--listen", "[::1]:0"]);
        assert_eq!(read(&[]).over(&[]).unwrap().address(), USUAL);
        assert!(read(&[]).over(&["--of-another-version".to_owned()]).is_err());
    }

    #[test]
    fn addresses_are_those_of_machines_and_localhost() {
        assert_eq!(address("localhost:0"), Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)));
        for wrong in ["localhost", "localhost:", "localhost:70000", "example.org:80", "127.0.0.1", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
