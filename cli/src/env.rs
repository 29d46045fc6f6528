//! Every environment variable that `aa` reads, in one place.
//!
//! The settings of `config.yaml` have variables of their own, `AA_<SECTION>_<KEY>`;
//! `aa_run::settings` reads those out of what is gathered here.

use aa_run::settings::Variables;

/// Log filter in the syntax of `tracing`, e.g. `aa_run=debug`; without it nothing is logged.
pub(crate) const AA_LOG: &str = "AA_LOG";
/// Where commands are looked for.
pub(crate) const PATH: &str = "PATH";
/// Others read these to find a proxy; nothing here does, and `aa doctor` says so.
pub(crate) const PROXIES: [&str; 5] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"];
/// The socket of a service manager that waits to hear that a daemon is ready.
pub(crate) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// When set and not empty, output has no colour (see no-color.org).
pub(crate) const NO_COLOR: &str = "NO_COLOR";
/// `dumb` turns colour and live progress off.
pub(crate) const TERM: &str = "TERM";
/// The first of these that is set says whether the terminal reads UTF-8.
pub(crate) const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];
/// Who answers and cancels, as written into the journal.
pub(crate) const USER: [&str; 2] = ["USER", "LOGNAME"];
/// Only in builds for tests: the process kills itself after this many events, or after the `last` of a run.
#[cfg(debug_assertions)]
pub(crate) const AA_TEST_KILL_AFTER: &str = "AA_TEST_KILL_AFTER";

/// The environment as it was when the process started.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Every variable whose name and value are UTF-8.
    variables: Variables,
    /// Those of `aa` whose values are not: to do without them would be to do something else.
    unreadable: Vec<String>,
}

impl Environment {
    /// Reads it once; nothing else in the command line does.
    pub(crate) fn read() -> Self {
        let (mut variables, mut unreadable) = (Vec::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match Variables::text_of(&name, value) {
                Some(value) => variables.push((name, value)),
                None if name.starts_with("AA_") => unreadable.push(name),
                None => {}
            }
        }
        Self { variables: variables.into_iter().collect(), unreadable }
    }

    /// A variable of `aa` whose value is no text.
    pub(crate) fn unreadable(&self) -> Option<&str> {
        self.unreadable.first().map(String::as_str)
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable.
    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Whether anything but ASCII can be shown.
    pub(crate) fn unicode(&self) -> bool {
        let locale = LOCALE.iter().find_map(|name| self.get(name)).unwrap_or("").to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    /// Whether the terminal can move its cursor.
    pub(crate) fn dumb(&self) -> bool {
        self.get(TERM).is_none_or(|term| term == "dumb")
    }

    /// Who is at the terminal.
    pub(crate) fn user(&self) -> &str {
        USER.iter().find_map(|name| self.get(name)).unwrap_or("cli")
    }

    /// After which event the process kills itself.
    #[cfg(debug_assertions)]
    pub(crate) fn kill_after(&self) -> Option<&str> {
        self.get(AA_TEST_KILL_AFTER)
    }
}
