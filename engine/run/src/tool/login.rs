//! Logging in to clusters and connecting to the network, by commands that the user configures.
//!
//! Every place has its own way to log in, so what is called is configuration:
//! `kube_login.command` and `vpn_connect.command`. Without it the tools say what to configure.
//! A command runs without a terminal and, within a run, without a display or browser: nobody
//! may be there.

use std::sync::Arc;
use std::time::Duration;

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::native::{Face, Native};
use super::process::{Finished, Invocation, Launcher, Show};
use super::{CallContext, ToolError, diagnosis};

/// How long a look whether all is well may take.
const LOOK: Duration = Duration::from_secs(20);
/// How long a command may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a person's session has and a command in a run does not get.
const DISPLAY: [&str; 5] =
    ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "BROWSER"];

/// How to see that one is logged in to a cluster, where nobody has configured it.
const USUAL_CHECK: [&str; 2] = ["oc", "whoami"];

/// Short names of clusters.
const CLUSTERS: [(&str, &str); 5] =
    [("s", "stage"), ("p", "production"), ("prod", "production"), ("k", "konflux"), ("e", "ephemeral")];

/// How to log in and connect.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    /// Logs in to a cluster; `{cluster}` stands for its name.
    pub kube_login: Vec<String>,
    /// Succeeds while one is logged in to it. Without `{cluster}` it does not spare a login. `None`: nobody has
    /// said how to see it.
    pub kube_check: Option<Vec<String>>,
    /// Connects to the private network.
    pub vpn_connect: Vec<String>,
    /// Succeeds while one is connected.
    pub vpn_check: Vec<String>,
}

/// `kube_login`.
pub(super) struct KubeLogin(pub(super) Arc<Login>);

/// `vpn_connect`.
pub(super) struct VpnConnect(pub(super) Arc<Login>);

/// What both need.
pub(super) struct Login {
    pub(super) launcher: Arc<Launcher>,
    pub(super) logins: Logins,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterArgs {
    /// The cluster: `stage`, `production`, `konflux`, `ephemeral` (or `s`, `p`, `k`, `e`), or another name.
    cluster: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArgs {}

#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedIn {
    /// The cluster.
    cluster: String,
    /// Who is logged in, as far as the check says.
    user: String,
    /// Whether a login was needed.
    changed: bool,
    /// Whether the check has confirmed it. Without one, all that is known is that the login's command ended well.
    checked: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Connected {
    /// Whether a connection had to be made.
    changed: bool,
    /// The last line that the command printed.
    said: String,
}

/// What a check says.
enum Look {
    /// It succeeds, and prints this.
    Holds(String),
    /// This command fails.
    Fails(String),
    /// There is no check.
    Unchecked,
}

#[async_trait]
impl Native for KubeLogin {
    type Args = ClusterArgs;
    type Output = LoggedIn;

    const FACE: Face = Face {
        name: "kube_login",
        module: "login",
        description: "Makes sure that one is logged in to a cluster, by the configured command",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: ClusterArgs) -> Result<LoggedIn, ToolError> {
        let cluster = cluster(&args.cluster)?;
        let Login { logins, .. } = &*self.0;
        let check = logins.kube_check.as_deref().map(|check| named(check, cluster));
        // One that is the same for every cluster says only that one is logged in somewhere.
        let tells = logins.kube_check.iter().flatten().any(|part| part.contains("{cluster}"));
        if tells && let Look::Holds(user) = self.0.look(context, check.as_deref(), Self::FACE.name).await? {
            return Ok(logged_in(cluster, user, false));
        }
        let command = named(&logins.kube_login, cluster);
        if command.is_empty() {
            let state =
                if tells { "one is not logged in to" } else { "it is not known whether one is logged in to" };
            let message = format!("{state} `{cluster}`, and how to log in is not configured");
            return Err(unconfigured(&message, "kube_login", "[kube-login, \"{cluster}\"]"));
        }
        self.0.carry_out(context, &command).await?;
        match self.0.look(context, check.as_deref(), Self::FACE.name).await? {
            Look::Holds(user) => Ok(logged_in(cluster, user, true)),
            Look::Fails(check) => Err(in_vain(&command[0], &check, ErrorKind::Auth)),
            Look::Unchecked => {
                let message = format!("`{}` ended well; nothing checks the login to `{cluster}`", command[0]);
                (context.progress)(&message);
                Ok(LoggedIn { checked: false, ..logged_in(cluster, String::new(), true) })
            }
        }
    }
}

#[async_trait]
impl Native for VpnConnect {
    type Args = NoArgs;
    type Output = Connected;

    const FACE: Face = Face {
        name: "vpn_connect",
        module: "login",
        description: "Makes sure that the private network can be reached, by the configured command",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, _: NoArgs) -> Result<Connected, ToolError> {
        let Login { logins, .. } = &*self.0;
        let check = Some(logins.vpn_check.as_slice());
        if let Look::Holds(_) = self.0.look(context, check, Self::FACE.name).await? {
            return Ok(Connected { changed: false, said: String::new() });
        }
        if logins.vpn_connect.is_empty() {
            let message = "the network cannot be reached, and how to connect is not configured";
            return Err(unconfigured(message, "vpn_connect", "[~/bin/vpn-connect]"));
        }
        let finished = self.0.carry_out(context, &logins.vpn_connect).await?;
        if let Look::Fails(check) = self.0.look(context, check, Self::FACE.name).await? {
            return Err(in_vain(&logins.vpn_connect[0], &check, ErrorKind::Network));
        }
        Ok(Connected { changed: true, said: last_line(&finished) })
    }
}

impl Login {
    /// What a check says; without one that somebody has configured, the usual one where its command is there.
    async fn look(
        &self,
        context: &CallContext,
        configured: Option<&[String]>,
        key: &str,
    ) -> Result<Look, ToolError> {
        let usual = USUAL_CHECK.map(str::to_owned);
        let check = configured.unwrap_or(&usual);
        if check.is_empty() {
            return Ok(Look::Unchecked);
        }
        let mut look = self.invocation(context, check);
        look.timeout = Some(LOOK);
        // What it prints is not what the step is about.
        let quiet = CallContext { progress: Arc::new(|_| {}), ..context.clone() };
        match self.launcher.launch(&quiet, &look).await {
            Ok(finished) if finished.status.success() => Ok(Look::Holds(last_line(&finished))),
            Err(error) if error.kind == ErrorKind::Cancelled => Err(error),
            // A command that is not there says nothing of any login.
            Err(error) if error.kind == ErrorKind::NotFound && configured.is_none() => Ok(Look::Unchecked),
            Err(error) if error.kind == ErrorKind::NotFound => Err(no_check(&error, &check[0], key)),
            Ok(_) | Err(_) => Ok(Look::Fails(check.join(" "))),
        }
    }

    async fn carry_out(&self, context: &CallContext, command: &[String]) -> Result<Finished, ToolError> {
        let finished = self.launcher.launch(context, &self.invocation(context, command)).await?;
        if finished.status.success() {
            return Ok(finished);
        }
        Err(diagnosis::failed(&command[0], &finished, None, &std::collections::BTreeMap::new()))
    }

    fn invocation(&self, context: &CallContext, command: &[String]) -> Invocation {
        let home = self.launcher.environment().get("HOME").map(|home| home.to_string_lossy().into_owned());
        let at_home = |part: &String| match (part.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => format!("{home}/{rest}"),
            _ => part.clone(),
        };
        let attended = context.run.is_none();
        let pass = if attended { DISPLAY.map(str::to_owned).to_vec() } else { Vec::new() };
        // Without this, `xdg-open` and the like still look for a browser.
        let env = if attended { Vec::new() } else { vec![("BROWSER".to_owned(), "false".to_owned())] };
        Invocation {
            argv: command.iter().map(at_home).collect(),
            env,
            pass,
            timeout: Some(PATIENCE),
            show: Show::Both,
            ..Invocation::default()
        }
    }
}

/// The full name of a cluster. It becomes an argument, so it must not look like an option.
fn cluster(given: &str) -> Result<&str, ToolError> {
    let known = CLUSTERS.iter().find(|(short, _)| short.eq_ignore_ascii_case(given));
    let name = known.map_or(given, |(_, name)| name);
    let fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '/');
    if name.is_empty() || name.starts_with('-') || !name.chars().all(fine) {
        return Err(super::native::invalid(format!("`{given}` cannot be the name of a cluster")));
    }
    Ok(name)
}

fn named(command: &[String], cluster: &str) -> Vec<String> {
    command.iter().map(|part| part.replace("{cluster}", cluster)).collect()
}

fn logged_in(cluster: &str, user: String, changed: bool) -> LoggedIn {
    LoggedIn { cluster: cluster.to_owned(), user, changed, checked: true }
}

fn in_vain(command: &str, check: &str, kind: ErrorKind) -> ToolError {
    ToolError::new(kind, format!("`{command}` ended well, and still `{check}` fails"))
}

/// That the command of a configured check is not there.
fn no_check(error: &ToolError, command: &str, key: &str) -> ToolError {
    let hint = format!("install `{command}`, or change `{key}.check` in the configuration");
    let message = format!("the check of `{key}` cannot be made: {}; {hint}", error.message);
    ToolError::new(ErrorKind::Permanent, message)
        .details(Value::from_iter([("hint".to_owned(), Value::from(hint))]))
}

fn unconfigured(message: &str, key: &str, example: &str) -> ToolError {
    let hint = format!("set `{key}: {{command: {example}}}` in the configuration");
    ToolError::new(ErrorKind::Permanent, format!("{message}; {hint}"))
        .details(Value::from_iter([("hint".to_owned(), Value::from(hint))]))
}

fn last_line(finished: &Finished) -> String {
    let text = String::from_utf8_lossy(&finished.stdout);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
