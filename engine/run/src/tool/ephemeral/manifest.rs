//! `ephemeral.yaml` in the root of a repository: how its service is built, run and judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::shape;
use aa_spec::source::{Source, Span};
use aa_spec::template::{Missing, Scope, Template};
use aa_spec::tool::ErrorKind;
use aa_spec::yaml::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::tool::ToolError;

/// Name of the file.
pub(super) const FILE: &str = "ephemeral.yaml";
/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;
/// Status of a smoke check that names none.
const OK: u16 = 200;

/// How a service is deployed to an ephemeral namespace. Commands are lists of
/// arguments, run in the folder of the file. Arguments, paths and expected texts are
/// templates over `commit`, `namespace`, `port` and `url`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "aa ephemeral service")]
pub struct Manifest {
    /// Name of the service, for people.
    pub service: Spanned<String>,
    /// Commands that build it, in order.
    pub build: Vec<Spanned<Vec<Spanned<String>>>>,
    /// Commands that test the build, in order.
    #[serde(default)]
    pub test: Vec<Spanned<Vec<Spanned<String>>>>,
    /// Command that serves on `127.0.0.1` at the port in the environment variable `PORT`.
    pub run: Spanned<Vec<Spanned<String>>>,
    /// Path that answers with a status from 200 to 299 once the service is ready.
    pub health: Spanned<String>,
    /// What a fresh deployment must answer.
    #[serde(default)]
    pub smoke: Vec<SmokeCheck>,
    /// Environment variables of the service.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// One request to a fresh deployment and what it must answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeCheck {
    /// Path to GET, with its query if it has one.
    pub path: Spanned<String>,
    /// Status that it must answer with (default 200).
    #[serde(default)]
    pub status: Option<Spanned<u16>>,
    /// Text that its body must hold.
    #[serde(default)]
    pub contains: Option<Spanned<String>>,
}

/// What the templates of a manifest may read.
#[derive(Clone, Debug, Default)]
pub(super) struct Values<'a> {
    /// Full id of the commit.
    pub(super) commit: &'a str,
    /// Name of the namespace.
    pub(super) namespace: &'a str,
    /// Port of the service; 0 before it has one.
    pub(super) port: u16,
}

/// A smoke check with its templates filled in.
#[derive(Clone, Debug)]
pub(super) struct FilledCheck {
    /// Path to GET.
    pub(super) path: String,
    /// Status that it must answer with.
    pub(super) status: u16,
    /// Text that its body must hold.
    pub(super) contains: Option<String>,
}

impl Manifest {
    /// Reads the manifest of a checkout.
    pub(super) fn read(checkout: &Path) -> Result<Self, ToolError> {
        let path = checkout.join(FILE);
        let missing = || {
            ToolError::new(ErrorKind::NotFound, format!("the commit has no `{FILE}`")).details(json!({
                "hint": "it says how the service is built and run: `build: [[make]]`, `run: [./app]`, `health: /healthz`",
            }))
        };
        let size = fs::metadata(&path).map_err(|_| missing())?.len();
        if size > LARGEST {
            return Err(ToolError::new(
                ErrorKind::Invalid,
                format!("`{FILE}` is larger than {LARGEST} bytes"),
            ));
        }
        let text = fs::read_to_string(&path)
            .map_err(|error| ToolError::new(ErrorKind::Invalid, format!("cannot read `{FILE}`: {error}")))?;
        Self::parse(&text)
    }

    /// Reads the text of a manifest.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let source = Source::new(FILE, text);
        let (manifest, mut problems) = shape::read::<Self>(&source);
        if let Some(manifest) = &manifest {
            manifest.check(&source, &mut problems);
        }
        match manifest {
            Some(manifest) if !has_errors(&problems) => Ok(manifest),
            _ => Err(refused(&problems)),
        }
    }

    fn check(&self, source: &Source, problems: &mut Vec<Diagnostic>) {
        let mut report = |span: Span, message: String| {
            problems.push(Diagnostic::error("bad-value", source, span, message));
        };
        let commands = self.build.iter().chain(&self.test).chain([&self.run]);
        let mut templates = Vec::new();
        for command in commands {
            match command.value.first() {
                None => report(command.span, "a command has no words".to_owned()),
                Some(program) if program.value.is_empty() => {
                    report(program.span, "a command has no name".to_owned());
                }
                Some(_) => templates.extend(&command.value),
            }
        }
        let paths = self.smoke.iter().map(|check| &check.path).chain([&self.health]);
        for path in paths {
            if !path.value.starts_with('/') {
                report(path.span, format!("`{}` is not a path: it does not start with `/`", path.value));
            }
            templates.push(path);
        }
        templates.extend(self.smoke.iter().filter_map(|check| check.contains.as_ref()));
        for template in templates {
            if let Some(problem) = template_problem(&template.value) {
                report(template.span, problem);
            }
        }
    }

    /// The commands that build the service.
    pub(super) fn build_commands(&self, values: &Values<'_>) -> Result<Vec<Vec<String>>, ToolError> {
        self.build.iter().map(|command| fill_command(&command.value, values)).collect()
    }

    /// The commands that test the build.
    pub(super) fn test_commands(&self, values: &Values<'_>) -> Result<Vec<Vec<String>>, ToolError> {
        self.test.iter().map(|command| fill_command(&command.value, values)).collect()
    }

    /// The command that serves.
    pub(super) fn run_command(&self, values: &Values<'_>) -> Result<Vec<String>, ToolError> {
        fill_command(&self.run.value, values)
    }

    /// The path of the health check.
    pub(super) fn health_path(&self, values: &Values<'_>) -> Result<String, ToolError> {
        fill(&self.health.value, values)
    }

    /// The smoke checks.
    pub(super) fn smoke_checks(&self, values: &Values<'_>) -> Result<Vec<FilledCheck>, ToolError> {
        let fill_check = |check: &SmokeCheck| {
            Ok(FilledCheck {
                path: fill(&check.path.value, values)?,
                status: check.status.as_ref().map_or(OK, |status| status.value),
                contains: check.contains.as_ref().map(|text| fill(&text.value, values)).transpose()?,
            })
        };
        self.smoke.iter().map(fill_check).collect()
    }
}

/// Names that templates of a manifest may read.
const NAMES: [&str; 4] = ["commit", "namespace", "port", "url"];

fn template_problem(text: &str) -> Option<String> {
    match Template::parse(&Value::from(text)) {
        Err(error) => Some(format!("this is not a template: {}", error.message)),
        Ok(template) if template.has_python() => Some("this is Python, which does not run here".to_owned()),
        Ok(template) => {
            let unknown = template.references().into_iter().find(|name| !NAMES.contains(&name.as_str()))?;
            Some(format!("there is no `{unknown}` here; there are `{}`", NAMES.join("`, `")))
        }
    }
}

fn fill_command(command: &[Spanned<String>], values: &Values<'_>) -> Result<Vec<String>, ToolError> {
    command.iter().map(|word| fill(&word.value, values)).collect()
}

fn fill(text: &str, values: &Values<'_>) -> Result<String, ToolError> {
    let mut scope = Scope::default();
    scope.set("commit", &json!(values.commit));
    scope.set("namespace", &json!(values.namespace));
    scope.set("port", &json!(values.port));
    scope.set("url", &json!(format!("http://127.0.0.1:{}", values.port)));
    let wrong =
        |message: String| ToolError::new(ErrorKind::Invalid, format!("`{FILE}`: `{text}`: {message}"));
    let template = Template::parse(&Value::from(text)).map_err(|error| wrong(error.message))?;
    match template.render(&scope, Missing::Fail).map_err(|error| wrong(error.message))? {
        Some(Value::String(text)) => Ok(text),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        _ => Err(wrong("it does not give a text".to_owned())),
    }
}

/// One error for all that is wrong with a manifest.
fn refused(problems: &[Diagnostic]) -> ToolError {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let place = problem.place();
            let hint = if problem.hint.is_empty() { String::new() } else { format!(" ({})", problem.hint) };
            format!("{FILE}:{}:{}: {}{hint}", place.line, place.column, problem.message)
        })
        .collect();
    let first = lines.first().cloned().unwrap_or_else(|| format!("`{FILE}` cannot be read"));
    let message = match lines.len() {
        0 | 1 => first,
        count => format!("{first}, and {} more", count - 1),
    };
    ToolError::new(ErrorKind::Invalid, message).details(json!({ "problems": lines }))
}
