//! The log for people who debug `aa`; off unless asked for.

use tracing_subscriber::EnvFilter;

use crate::env::{self, Environment};

/// Starts logging to stderr when `AA_LOG` says so.
pub(crate) fn start(environment: &Environment) {
    let Some(filter) = environment.get(env::AA_LOG) else { return };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(std::io::stderr)
        .init();
}
