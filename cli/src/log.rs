//! The log for people who debug `aa`; off unless asked for. Servers have one for those who keep them running.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use aa_spec::config::LogFormat;
use tracing_subscriber::EnvFilter;

use crate::env::{self, Environment};

/// Starts logging to stderr when `AA_LOG` says so, or else a command with the filter that it has.
pub(crate) fn start(environment: &Environment, usual: Option<&str>, format: LogFormat) {
    let Some(filter) = environment.get(env::AA_LOG).or(usual) else { return };
    let log = tracing_subscriber::fmt().with_env_filter(filtered(filter)).with_writer(std::io::stderr);
    if format == LogFormat::Json {
        log.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        let colour = std::io::stderr().is_terminal() && environment.get(env::NO_COLOR).is_none();
        log.with_ansi(colour).init();
    }
}

/// Starts logging to something else, by what `AA_LOG` says or else this filter.
pub(crate) fn start_in<W>(environment: &Environment, usual: &str, (to, format): (Arc<W>, LogFormat))
where
    W: Send + Sync + 'static,
    for<'a> &'a W: Write,
{
    let filter = filtered(environment.get(env::AA_LOG).unwrap_or(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(to);
    if format == LogFormat::Json {
        log.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        log.with_ansi(false).init();
    }
}

fn filtered(filter: &str) -> EnvFilter {
    // What is said to MCP servers may hold secrets, and their library would log it all.
    let silent = "rmcp=off".parse().ok();
    let filter = EnvFilter::builder().parse_lossy(filter);
    silent.into_iter().fold(filter, EnvFilter::add_directive)
}
