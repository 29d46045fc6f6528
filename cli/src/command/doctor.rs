//! `aa doctor`

use std::path::Path;

use aa_run::cause::cause;
use aa_run::engine::Engine;
use aa_run::settings::{Settings, SettingsError};
use aa_run::store::{Durability, RunFilter, Store, StoreError};
use aa_spec::diagnostic::has_errors;
use serde_json::{Value, json};

use crate::args::{DoctorArgs, Format};
use crate::context::{Context, wait};
use crate::diagnostic;
use crate::env::{self, Environment};
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::style::{Mark, Tone};
use crate::words;

/// Less free space than this is worth a word, in bytes.
const TIGHT: u64 = 500_000_000;

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    what: &'static str,
    health: Health,
    message: String,
    hint: String,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Fine,
    Doubtful,
    Broken,
}

/// Finds out what is missing or broken on this machine.
pub(super) fn run(args: &DoctorArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let mut findings = Vec::new();
    match context.resolve()? {
        Err(error) => findings.push(no_settings(&error)),
        Ok(settings) => {
            findings.push(configuration(&settings));
            findings.extend(proxy(&settings, context.environment));
            let opened = store(&settings, &mut findings);
            findings.push(disk(&settings.state_folder));
            let engine = Engine::new(settings);
            if opened {
                findings.push(runs(&engine));
            }
            findings.push(skills(&engine));
            modules(&engine, context.environment, &mut findings);
            logins(&engine, &mut findings);
            let idle = [engine.idle_module_settings(), engine.idle_listeners()];
            for idle in idle.into_iter().flat_map(Result::unwrap_or_default) {
                findings.push(Finding::doubtful("configuration", idle, "it is not read by anything"));
            }
        }
    }
    findings.push(git(context.environment));
    let printer = context.printer;
    if args.format.format == Format::Json {
        let all: Vec<Value> = findings.iter().map(Finding::object).collect();
        printer.data(format_args!("{:#}", Value::from(all)));
    } else {
        let mut page = Page::new(printer);
        for finding in &findings {
            finding.show(&mut page);
        }
        page.print(printer);
    }
    let broken = findings.iter().any(|finding| finding.health == Health::Broken);
    Ok(if broken { Exit::Failed } else { Exit::Ok })
}

impl Finding {
    fn new(what: &'static str, health: Health, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, health, message: message.into(), hint: hint.into() }
    }

    fn fine(what: &'static str, message: impl Into<String>) -> Self {
        Self::new(what, Health::Fine, message, "")
    }

    fn doubtful(what: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(what, Health::Doubtful, message, hint)
    }

    fn broken(what: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(what, Health::Broken, message, hint)
    }

    fn show(&self, page: &mut Page) {
        let palette = page.palette;
        let mark = match self.health {
            Health::Fine => Mark::Done,
            Health::Doubtful => Mark::Question,
            Health::Broken => Mark::Failed,
        };
        page.line(format_args!(
            "{} {:<14} {}",
            palette.mark(mark),
            self.what,
            words::harmless(&self.message)
        ));
        if !self.hint.is_empty() {
            page.line(format_args!("                 {} {}", palette.paint(Tone::Busy, "hint:"), self.hint));
        }
    }

    fn object(&self) -> Value {
        let health = match self.health {
            Health::Fine => "fine",
            Health::Doubtful => "doubtful",
            Health::Broken => "broken",
        };
        json!({"what": self.what, "health": health, "message": self.message, "hint": self.hint})
    }
}

fn no_settings(error: &SettingsError) -> Finding {
    let message = match error {
        SettingsError::Invalid(diagnostics) => diagnostic::summary(diagnostics),
        other => other.to_string(),
    };
    Finding::broken("configuration", message, "`aa config check` says more")
}

fn configuration(settings: &Settings) -> Finding {
    if !settings.warnings.is_empty() {
        let message = diagnostic::summary(&settings.warnings);
        return Finding::doubtful("configuration", message, "`aa config check` says more");
    }
    let project = settings.project_folder.as_ref().map(|folder| format!(", project {}", folder.display()));
    let message = format!("user {}{}", settings.config_folder.display(), project.unwrap_or_default());
    Finding::fine("configuration", message)
}

/// A proxy that others use and `aa` does not.
fn proxy(settings: &Settings, environment: &Environment) -> Option<Finding> {
    let named = env::PROXIES.into_iter().find(|name| environment.get(name).is_some())?;
    let message = format!("`{named}` is set, and `aa` does not read it");
    let finding =
        Finding::doubtful("proxy", message, "name the proxy under `http: {proxy: …}` in `config.yaml`");
    settings.proxy.is_none().then_some(finding)
}

/// Whether the store can be opened and written.
fn store(settings: &Settings, findings: &mut Vec<Finding>) -> bool {
    let folder = &settings.state_folder;
    let message = |error: StoreError| error.to_string();
    let opened = Store::open(folder, settings.store).map_err(message).and_then(|store| {
        let asked = wait(async { Ok(store.ping().await) }).map_err(|failure| failure.line())?;
        asked.map_err(message)?;
        let probe = folder.join(format!(".doctor-{}", std::process::id()));
        std::fs::write(&probe, b"ok")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|error| format!("cannot write to `{}`: {}", folder.display(), cause(&error)))
    });
    if let Err(message) = opened {
        findings.push(Finding::broken(
            "store",
            message,
            "put that right, or use another one with `--store DIR`",
        ));
        return false;
    }
    let survives = match settings.store.durability {
        Durability::Full => "a power cut",
        Durability::Normal => "a killed process, not a power cut",
    };
    findings.push(Finding::fine("store", format!("{}, survives {survives}", folder.display())));
    true
}

/// Room on the disk of the store, or of the nearest folder above it that exists.
fn disk(folder: &Path) -> Finding {
    let found = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
    let Some(disk) = found else { return Finding::doubtful("disk", "its free space is not known", "") };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let message = format!("{} free for the store", words::bytes(free));
    if free < TIGHT {
        return Finding::doubtful("disk", message, "a run stops when its events cannot be written");
    }
    Finding::fine("disk", message)
}

fn runs(engine: &Engine) -> Finding {
    let filter = RunFilter { interrupted: true, ..RunFilter::default() };
    match engine.runs(&filter) {
        Err(error) => Finding::broken("runs", error.to_string(), ""),
        Ok(runs) if runs.is_empty() => Finding::fine("runs", "none was interrupted"),
        Ok(runs) => Finding::doubtful(
            "runs",
            format!("{} interrupted", words::count(runs.len(), "run")),
            "`aa run resume --all` goes on with them",
        ),
    }
}

fn skills(engine: &Engine) -> Finding {
    match engine.skills() {
        Ok(skills) => Finding::fine("skills", format!("{} found", words::count(skills.len(), "skill"))),
        Err(error) => Finding::broken("skills", error.to_string(), ""),
    }
}

/// Tool modules with errors, and those whose commands are not there.
fn modules(engine: &Engine, environment: &Environment, findings: &mut Vec<Finding>) {
    let (modules, diagnostics) = match (engine.modules(), engine.tool_problems()) {
        (Ok(modules), Ok(diagnostics)) => (modules, diagnostics),
        (Err(error), _) | (_, Err(error)) => {
            return findings.push(Finding::broken("modules", error.to_string(), ""));
        }
    };
    if has_errors(&diagnostics) {
        let message = diagnostic::summary(&diagnostics);
        findings.push(Finding::broken("modules", message, "`aa tool list` says more"));
    }
    let (mut ready, mut idle) = (0, Vec::new());
    for module in &modules {
        let absent: Vec<&String> =
            module.requires.iter().filter(|command| !on_path(command, environment)).collect();
        if absent.is_empty() {
            ready += 1;
            continue;
        }
        // Nobody has asked for what is shipped.
        if module.layer == "shipped" {
            idle.push(&module.name);
            continue;
        }
        let message = format!("`{}` needs {}, which is not there", module.name, words::list(&absent));
        findings.push(Finding::doubtful("modules", message, "install it, or leave its tools alone"));
    }
    let ready = format!("{} ready", words::count(ready, "module"));
    let idle = match idle.as_slice() {
        [] => String::new(),
        idle => format!("; without their commands {}", words::list(idle)),
    };
    findings.push(Finding::fine("modules", ready + &idle));
    servers(engine, findings);
    for doubt in engine.secret_problems() {
        findings.push(Finding::doubtful("secrets", doubt, ""));
    }
}

/// Logins that skills or heal rules count on and that are not configured.
fn logins(engine: &Engine, findings: &mut Vec<Finding>) {
    for login in engine.missing_logins().unwrap_or_default() {
        let named = |what: &str, names: &[String]| match names {
            [] => None,
            [name] => Some(format!("the {what} `{name}`")),
            names => Some(format!("the {what}s {}", words::list(names))),
        };
        let users = [named("skill", &login.skills), named("heal rule", &login.rules)];
        let users = users.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        let message = format!("{users} may call `{}`, which is not configured", login.tool);
        let hint = format!("say in `{}.command` how it is done here", login.tool);
        findings.push(Finding::doubtful("logins", message, hint));
    }
}

/// Modules over MCP servers, as far as they are known; none is started.
fn servers(engine: &Engine, findings: &mut Vec<Finding>) {
    for server in engine.servers().unwrap_or_default() {
        let tools = match server.tools {
            Some(count) => format!("{} trusted", words::count(count, "tool")),
            None => "not asked yet".to_owned(),
        };
        let message = format!("`{}` over `{}`, {tools}", server.module, server.reach);
        findings.push(match server.problems.first() {
            Some(problem) => Finding::doubtful("mcp server", format!("{message}; {problem}"), ""),
            None => Finding::fine("mcp server", message),
        });
    }
}

fn git(environment: &Environment) -> Finding {
    if !on_path("git", environment) {
        return Finding::doubtful("git", "`git` is not there", "most shipped skills need it");
    }
    match std::process::Command::new("git").arg("--version").output() {
        Ok(output) if output.status.success() => {
            Finding::fine("git", String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("git "))
        }
        _ => Finding::broken("git", "`git --version` fails", ""),
    }
}

fn on_path(command: &str, environment: &Environment) -> bool {
    let path = environment.get("PATH").unwrap_or_default();
    std::env::split_paths(path).any(|folder| is_executable(&folder.join(command)))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
