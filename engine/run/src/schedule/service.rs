//! What can be switched off and on while everything runs.

use serde::Serialize;

use crate::event::Time;

/// Every service, and what being off means.
pub const SERVICES: [(&str, &str); 6] = [
    ("scheduler", "running by itself what is due, whatever makes it due"),
    ("cron", "schedules that are due by the clock: `cron`, `every`, `at`"),
    ("poll", "schedules that ask a tool for news"),
    ("webhook", "schedules that are set off by signed requests"),
    ("notify", "messages to people about schedules; they are kept, and sent later"),
    (
        "slack",
        "the listener of Slack, in a daemon (`listen: [slack]`) as in a command, and messages by channels that are Slack",
    ),
];

/// A service, and whether it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether it is on.
    pub enabled: bool,
    /// Who has switched it, and when.
    pub switched: Option<(String, Time)>,
}
