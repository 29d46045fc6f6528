//! The commands of this module: git, and what a manifest says.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use super::group::MARK;
use super::manifest::Values;
use super::service;
use super::{Local, broken};
use crate::tool::process::{Finished, Invocation, Show};
use crate::tool::{CallContext, ToolError};

/// Variables that builds need beside the usual ones: toolchains, caches, proxies.
const BUILD_PASS: [&str; 17] = [
    "CARGO_HOME",
    "GOCACHE",
    "GOMODCACHE",
    "GOPATH",
    "GOPROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "JAVA_HOME",
    "NO_PROXY",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "VIRTUAL_ENV",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
/// Variables that git needs beside the usual ones.
const GIT_PASS: [&str; 8] = [
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "all_proxy",
    "https_proxy",
    "no_proxy",
];

/// Runs git and gives what it prints.
pub(super) async fn git(local: &Local, context: &CallContext, words: &[&str]) -> Result<String, ToolError> {
    let mut argv = vec!["git".to_owned()];
    // Hooks of the machine's templates are not meant for throw-away checkouts.
    argv.extend(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"].map(str::to_owned));
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    let invocation = Invocation {
        argv,
        env: vec![("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()), ("LC_ALL".to_owned(), "C".to_owned())],
        pass: GIT_PASS.map(str::to_owned).to_vec(),
        show: Show::Errors,
        ..Invocation::default()
    };
    let finished = local.launcher.launch(context, &invocation).await?;
    if finished.status.success() {
        Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
    } else {
        Err(git_error(finished))
    }
}

fn git_error(finished: Finished) -> ToolError {
    let said = finished.stderr.to_lowercase();
    let any = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    let kind = if any(&["authentication failed", "permission denied", "could not read username", "403"]) {
        ErrorKind::Auth
    } else if any(&["could not resolve", "unable to access", "connection", "timed out", "hung up"]) {
        ErrorKind::Network
    } else if any(&["does not appear to be a git repository", "not found", "does not exist"]) {
        ErrorKind::NotFound
    } else {
        ErrorKind::Permanent
    };
    let lines: Vec<&str> = finished.stderr.lines().collect();
    let telling = lines.iter().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let line = telling.or_else(|| lines.last()).map_or("no reason given", |line| line.trim());
    ToolError::new(kind, format!("git: {line}")).details(Value::Object(finished.details))
}

/// A command of a manifest in the checkout of a namespace.
pub(super) struct Job<'a> {
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// The checkout.
    pub(super) folder: &'a Path,
    /// Takes what it prints, beside the call's progress.
    pub(super) log: &'a Path,
    /// Marks its processes.
    pub(super) mark: String,
    /// What it may know.
    pub(super) values: Values<'a>,
}

/// Runs a command of a manifest; everything but exit code 0 is an error.
pub(super) async fn run(local: &Local, context: &CallContext, job: Job<'_>) -> Result<(), ToolError> {
    let file = service::append_to(job.log).map_err(|error| broken("cannot write the log", &error))?;
    let log = Mutex::new(file);
    let forward = Arc::clone(&context.progress);
    let write = move |line: &str| {
        if let Ok(mut log) = log.lock() {
            // The log is a convenience: a full disk fails the build by itself.
            let _full = writeln!(log, "{line}");
        }
        forward(line);
    };
    write(&format!("$ {}", job.argv.join(" ")));
    let logged = CallContext { progress: Arc::new(write), ..context.clone() };
    let invocation = Invocation {
        argv: job.argv,
        folder: job.folder.to_owned(),
        env: vec![
            (MARK.to_owned(), job.mark),
            ("EPHEMERAL_COMMIT".to_owned(), job.values.commit.to_owned()),
            ("EPHEMERAL_NAMESPACE".to_owned(), job.values.namespace.to_owned()),
        ],
        pass: BUILD_PASS.map(str::to_owned).to_vec(),
        ..Invocation::default()
    };
    let finished = local.launcher.launch(&logged, &invocation).await?;
    if finished.status.success() {
        return Ok(());
    }
    let name = invocation.argv.first().map_or("", String::as_str);
    let how = finished
        .code()
        .map_or_else(|| "was killed".to_owned(), |code| format!("ended with exit code {code}"));
    let last = service::last_words(job.log);
    let telling =
        last.iter().find(|line| line.starts_with("error")).map_or(String::new(), |line| format!(": {line}"));
    Err(ToolError::new(ErrorKind::Permanent, format!("`{name}` {how}{telling}")).details(json!({
        "command": invocation.argv,
        "exit_code": finished.code(),
        "log": job.log,
        "last_lines": last,
    })))
}
