//! The log for people who debug `aa`; off unless asked for.

use std::io::IsTerminal;

use std::io::Write;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::env::{self, Environment};

/// Starts logging to stderr when `AA_LOG` says so, or else a command with the filter that it has.
pub(crate) fn start(environment: &Environment, usual: Option<&str>) {
    let Some(filter) = environment.get(env::AA_LOG).or(usual) else { return };
    let filter = filtered(filter);
    let colour = std::io::stderr().is_terminal() && environment.get(env::NO_COLOR).is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr).init();
}

/// Starts logging to something else, by what `AA_LOG` says or else this filter.
pub(crate) fn start_in<W>(environment: &Environment, usual: &str, to: Arc<W>)
where
    W: Send + Sync + 'static,
    for<'a> &'a W: Write,
{
    let filter = filtered(environment.get(env::AA_LOG).unwrap_or(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(to).init();
}

fn filtered(filter: &str) -> EnvFilter {
    // What is said to MCP servers may hold secrets, and their library would log it all.
    let silent = "rmcp=off".parse().ok();
    let filter = EnvFilter::builder().parse_lossy(filter);
    silent.into_iter().fold(filter, EnvFilter::add_directive)
}
