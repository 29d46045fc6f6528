//! What went wrong, in words that help a model to do better.

use aa_run::engine::{Engine, StartError};
use aa_run::event::StepError;
use aa_spec::diagnostic::{Diagnostic, Severity};
use aa_spec::input::InputError;
use aa_spec::tool::{ErrorKind, ToolSpec};
use serde_json::Value;
use std::fmt::Write as _;

use super::follow::answer::LATER;

/// Characters of what a command said that are shown.
const SAID: usize = 2000;

/// Known issues that are shown.
const ISSUES: usize = 3;

/// Why a run of a skill cannot start: all of it at once.
pub(crate) fn start(skill: &str, error: &StartError) -> String {
    match error {
        StartError::UnknownSkill { name, suggestion } => {
            let near =
                suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("there is no skill `{name}`{near} skill_search finds skills by words.")
        }
        StartError::Invalid(diagnostics) => {
            let errors = diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
            let lines: Vec<String> = errors.map(problem).collect();
            format!("nothing was started: the skill `{skill}` has errors\n{}", lines.join("\n"))
        }
        StartError::Inputs(errors) => {
            let lines: Vec<String> = errors.iter().map(input).collect();
            let ask = format!("skill_describe(skill_name: \"{skill}\") says which inputs it takes.");
            format!("nothing was started: the inputs do not fit\n{}\n{ask}", lines.join("\n"))
        }
        StartError::PlanChanged { wanted, found } => format!(
            "nothing was started: the plan is not the one that was agreed to (`{wanted}`), it is `{found}` now. Look at skill_plan again."
        ),
        StartError::Draining => format!("nothing was started: {error}. {LATER}"),
        other => format!("nothing was started: {other}"),
    }
}

/// Why a call of a tool that would be a run cannot start.
pub(crate) fn call(spec: &ToolSpec, error: &StartError) -> String {
    match error {
        StartError::Inputs(_) | StartError::Invalid(_) => {
            let lines = match error {
                StartError::Inputs(errors) => errors.iter().map(input).collect::<Vec<_>>().join("\n"),
                other => reasons(other),
            };
            format!("`{}` was not called:\n{lines}\n{}", spec.name, arguments(spec))
        }
        StartError::Draining => format!("`{}` was not called: {error}. {LATER}", spec.name),
        other => format!("`{}` was not called: {other}", spec.name),
    }
}

/// Why something cannot be used, with all that is wrong in its text.
pub(crate) fn reasons(error: &StartError) -> String {
    match error {
        StartError::Invalid(diagnostics) => {
            format!("{error}\n{}", diagnostics.iter().map(problem).collect::<Vec<_>>().join("\n"))
        }
        other => other.to_string(),
    }
}

fn input(error: &InputError) -> String {
    let hint = if error.hint.is_empty() { String::new() } else { format!(" ({})", error.hint) };
    format!("- {error}{hint}")
}

fn problem(problem: &Diagnostic) -> String {
    let place = problem.source.place(problem.span.start);
    let hint = if problem.hint.is_empty() { String::new() } else { format!(" ({})", problem.hint) };
    format!("- {}:{}: {}{hint}", problem.source.path, place.line, problem.message)
}

/// Why a call of a tool failed, what is known of that, and what to do about it.
pub(crate) fn tool(engine: &Engine, spec: &ToolSpec, error: &StepError) -> String {
    let name = &spec.name;
    if error.kind == ErrorKind::Invalid {
        return format!("`{name}` was not called: {}\n{}", error.message, arguments(spec));
    }
    let mut text = format!("`{name}` failed: {}", error.message);
    for stream in ["stderr", "stdout"] {
        let said = error.details[stream].as_str().map(str::trim).unwrap_or_default();
        if !said.is_empty() && !error.message.contains(said) {
            let _ = write!(text, "\n{stream}: {}", end(said));
            break;
        }
    }
    let issues = engine.known_issues(name, &error.message).unwrap_or_default();
    for issue in issues.iter().take(ISSUES) {
        let _ = write!(text, "\nKnown issue: {}", told(issue));
    }
    let line = error.message.lines().next().unwrap_or_default();
    text + &format!(
        "\nTo find out why: debug_tool(tool_name: \"{name}\", error_message: {})",
        Value::from(line)
    )
}

/// What a tool takes.
fn arguments(spec: &ToolSpec) -> String {
    let known: Vec<&String> =
        spec.input["properties"].as_object().into_iter().flat_map(|all| all.keys()).collect();
    let required: Vec<&str> =
        spec.input["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let argument = |name: &&String| {
        let must = if required.contains(&name.as_str()) { " (required)" } else { "" };
        format!("`{name}`{must}")
    };
    if known.is_empty() {
        return "It takes no arguments.".to_owned();
    }
    format!("It takes {}.", known.iter().map(argument).collect::<Vec<_>>().join(", "))
}

/// A known issue in one line.
fn told(issue: &Value) -> String {
    let fields = ["pattern", "error_pattern", "meaning", "root_cause", "fix", "fix_applied"];
    let said: Vec<&str> = fields.iter().filter_map(|field| issue[*field].as_str()).collect();
    if said.is_empty() { issue.to_string() } else { said.join("; ") }
}

/// The end of a long text.
fn end(text: &str) -> &str {
    let letters = text.chars().count();
    let start = text.char_indices().nth(letters.saturating_sub(SAID)).map_or(0, |(at, _)| at);
    &text[start..]
}
