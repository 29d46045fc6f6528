//! Shell text, for what is no single command.
//!
//! Values never become part of the text: they reach the script as environment
//! variables and positional parameters, and where the script uses such a variable
//! without quotes it is quoted. Where a shell calculates they must be integers. So a value
//! cannot change what the script does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aa_spec::shell::{self, Dialect, Refusal};
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::native::{Face, Native, invalid};
use super::process::{Finished, Invocation, Launcher, Show};
use super::{CallContext, ToolError, closed, diagnosis};

/// `shell`.
pub(super) struct Shell(pub(super) Arc<Launcher>);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["script"]}, {"required": ["command"]}]))]
pub(super) struct ShellArgs {
    /// The script. It stops at the first command that fails and at unknown variables. No templates
    /// in here: give values in `vars` and use them as `$name`.
    #[serde(default)]
    #[schemars(extend("x-aa-literal" = true, "x-aa-shell" = true))]
    script: Option<String>,
    /// Another name for `script`.
    #[serde(default)]
    #[schemars(extend("x-aa-literal" = true, "x-aa-shell" = true))]
    command: Option<String>,
    /// Values for the script, as variables. Quoting them is not necessary. Where the shell calculates
    /// (`$((n + 1))`, `[[ $n -gt 1 ]]`), they must be integers; in a text that another shell gets (`sh -c`, `ssh`, `eval`)
    /// they may not stand. What the script writes to files and runs, or hands to languages such as `awk`, is not looked at.
    #[serde(default)]
    vars: BTreeMap<String, Scalar>,
    /// Values for the script, as `$1`, `$2` … and `"$@"`.
    #[serde(default)]
    args: Vec<Scalar>,
    /// Environment variables of this process to pass on.
    #[serde(default)]
    env_pass: Vec<String>,
    /// Folder to run in, relative to the run's folder.
    #[serde(default)]
    folder: String,
    /// Text for its standard input. Where the shell calculates with what it reads, it must hold integers only.
    #[serde(default)]
    stdin: Option<String>,
    /// It must end within this time, e.g. `2m`.
    #[serde(default)]
    timeout: Option<String>,
    /// Which shell.
    #[serde(default)]
    interpreter: Interpreter,
    /// Which exit codes are a success.
    #[serde(default = "zero")]
    ok: BTreeSet<i32>,
    /// What the result is: the text without the line ends after it, the lines that are not empty, a
    /// JSON value, or `{exit_code, stdout, stderr}`.
    #[serde(default)]
    result: Form,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Interpreter {
    #[default]
    Sh,
    Bash,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Text,
    Lines,
    Json,
    Full,
}

/// What came of a script, in the form that was asked for.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Printed {
    /// `text`: what it printed.
    Text(String),
    /// `lines`.
    Lines(Vec<String>),
    /// `full`.
    Full {
        /// Which of `ok` it ended with.
        exit_code: i32,
        /// What it printed.
        stdout: String,
        /// What it complained of.
        stderr: String,
    },
    /// `json`: the value that it printed.
    Json(Value),
}

/// A value that a variable can hold.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(Number),
    Boolean(bool),
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    // Types beside each other, of which a check and a message can say more than of alternatives.
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number", "boolean"]})
    }
}

fn zero() -> BTreeSet<i32> {
    BTreeSet::from([0])
}

#[async_trait]
impl Native for Shell {
    type Args = ShellArgs;
    type Output = Printed;

    const FACE: Face = Face {
        name: "shell",
        module: "shell",
        description: "Runs a shell script; what it does to the world is not known",
        effect: Effect::Unknown,
        idempotent: false,
    };

    const SHOWN: &'static [&'static str] = &["args"];

    async fn call(&self, context: &CallContext, args: ShellArgs) -> Result<Printed, ToolError> {
        context.sent.not_yet();
        context.fence.lets_commands().map_err(closed)?;
        let (ok, form) = (args.ok.clone(), args.result);
        let invocation = invocation(args)?;
        let finished = self.0.launch(context, &invocation).await?;
        match finished.code() {
            Some(code) if ok.contains(&code) => value(context, form, code, finished),
            // The last of several commands speaks for itself only.
            _ => Err(diagnosis::ended_badly(&invocation.argv[0], &finished, None, &BTreeMap::new())),
        }
    }
}

fn invocation(args: ShellArgs) -> Result<Invocation, ToolError> {
    let script = match (args.script, args.command) {
        (Some(script), None) | (None, Some(script)) => script,
        (Some(_), Some(_)) => return Err(invalid("`script` and `command` are the same; give one of them")),
        (None, None) => return Err(invalid("`script` is missing")),
    };
    for name in args.vars.keys() {
        check_name(name)?;
    }
    let given =
        Given { vars: &args.vars, args: &args.args, stdin: args.stdin.as_deref().unwrap_or_default() };
    let script = prepared(&script, &given, args.interpreter)?;
    let (program, options): (&str, &[&str]) = match args.interpreter {
        Interpreter::Sh => ("sh", &["-eu"]),
        Interpreter::Bash => ("bash", &["-eu", "-o", "pipefail"]),
    };
    let mut command: Vec<String> = [program].iter().chain(options).map(|&part| part.to_owned()).collect();
    command.extend(["-c".to_owned(), script, program.to_owned()]);
    command.extend(args.args.iter().map(Scalar::text));
    let timeout = args.timeout.map(|text| aa_spec::duration::parse_ms(&text)).transpose().map_err(invalid)?;
    Ok(Invocation {
        argv: command,
        folder: args.folder.into(),
        env: args.vars.iter().map(|(name, value)| (name.clone(), value.text())).collect(),
        pass: args.env_pass,
        stdin: args.stdin,
        timeout: timeout.map(Duration::from_millis),
        show: if args.result == Form::Json { Show::Errors } else { Show::Both },
    })
}

/// The values that a script gets.
struct Given<'a> {
    vars: &'a BTreeMap<String, Scalar>,
    args: &'a [Scalar],
    stdin: &'a str,
}

/// The script with its quotes, once it is certain that no value is taken for more than a value.
fn prepared(script: &str, given: &Given<'_>, interpreter: Interpreter) -> Result<String, ToolError> {
    let is_text = |value: &Scalar| !shell::is_integer(&value.text());
    let &Given { vars, args, stdin } = given;
    let reads_text = !shell::has_integers_only(stdin);
    if vars.is_empty() && !reads_text && !args.iter().any(is_text) {
        return Ok(script.to_owned());
    }
    let dialect = match interpreter {
        Interpreter::Sh => Dialect::Sh,
        Interpreter::Bash => Dialect::Bash,
    };
    let reading = shell::read(script, &vars.keys().map(String::as_str).collect(), dialect)
        .map_err(|refusal| unclear(script, &refusal))?;
    if let Some(refusal) = reading.spliced.filter(|_| args.iter().any(is_text)) {
        return Err(unclear(script, &refusal));
    }
    if let Some(refusal) = reading.spliced_input.filter(|_| reads_text) {
        return Err(unclear(script, &refusal));
    }
    if reads_text && reading.calculated.input {
        return Err(invalid(shell::CALCULATES_INPUT));
    }
    let text = vars.iter().find(|(name, value)| reading.calculated.names.contains(*name) && is_text(value));
    let text = text.map(|(name, _)| name.clone()).or_else(|| {
        let positional = reading.calculated.positional;
        args.iter().position(is_text).filter(|_| positional).map(|index| (index + 1).to_string())
    });
    text.map_or(Ok(reading.script), |name| Err(invalid(shell::calculates(&name, &reading.calculated))))
}

/// Where it is not certain what the shell would make of the script.
fn unclear(script: &str, refusal: &Refusal) -> ToolError {
    invalid(format!("{}; {}", refusal.said_of(script), refusal.hint))
}

/// A variable must be one, and none that decides how the shell itself works.
fn check_name(name: &str) -> Result<(), ToolError> {
    const OWN: [&str; 9] =
        ["BASH_COMPAT", "BASH_ENV", "BASHOPTS", "ENV", "IFS", "PATH", "POSIXLY_CORRECT", "PS4", "SHELLOPTS"];
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain {
        return Err(invalid(format!("`{name}` cannot be a shell variable; use letters, digits and `_`")));
    }
    if OWN.contains(&name) || name.starts_with("LD_") || name.starts_with("AA_") {
        return Err(invalid(format!("`{name}` cannot be set: it decides how commands run")));
    }
    Ok(())
}

fn value(context: &CallContext, form: Form, code: i32, finished: Finished) -> Result<Printed, ToolError> {
    let stdout = match String::from_utf8(finished.stdout) {
        Ok(text) => text,
        Err(_) if form == Form::Json => {
            return Err(ToolError::new(ErrorKind::Permanent, "the output of the script is not UTF-8")
                .details(Value::Object(finished.details)));
        }
        Err(error) => {
            (context.progress)("the output is not UTF-8; what is not is replaced by `\u{fffd}`");
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        }
    };
    match form {
        Form::Text => Ok(Printed::Text(stdout.trim_end_matches(['\n', '\r']).to_owned())),
        Form::Lines => {
            let lines = stdout.lines().filter(|line| !line.is_empty());
            Ok(Printed::Lines(lines.map(str::to_owned).collect()))
        }
        Form::Json => aa_spec::json::read(stdout.as_bytes()).map(Printed::Json).map_err(|error| {
            let message = format!("the output of the script is no JSON: {error}");
            ToolError::new(ErrorKind::Permanent, message).details(Value::Object(finished.details))
        }),
        Form::Full => Ok(Printed::Full { exit_code: code, stdout, stderr: finished.stderr }),
    }
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
