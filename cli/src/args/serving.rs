//! Flags of whatever serves.

use aa_spec::config::LogFormat;
use clap::ValueEnum;

/// How a server logs.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// How to write the log: `text` or `json` (default: `log.format` of the configuration)
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) log_format: Option<Written>,
}

/// How entries of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Written {
    /// For people.
    Text,
    /// A line of JSON for each.
    Json,
}

impl Written {
    /// What has to be typed for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl From<Written> for LogFormat {
    fn from(written: Written) -> Self {
        match written {
            Written::Text => Self::Text,
            Written::Json => Self::Json,
        }
    }
}
