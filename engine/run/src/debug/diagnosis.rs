//! Plain rules over an error: what it points to.

use aa_spec::tool::ErrorKind;
use regex::RegexBuilder;
use serde_json::Value;

use super::{Cause, Finding, Saying};
use crate::event::StepError;

/// An option that a command does not know, in the words of many commands.
const UNKNOWN_FLAG: &str = r#"(?:unknown|unrecogni[sz]ed|invalid|unexpected|illegal|no such)(?: long| short| shorthand| command[ -]line)? (?:flag|option|argument|switch|parameter)s?(?: found)?s?[: ]*(?:--? )?['"`‘’]?(--?[A-Za-z][\w-]*)"#;
/// The same where the dashes are left out: `unrecognized option 'foo'`.
const UNKNOWN_WORD: &str =
    r#"(?:unknown|unrecogni[sz]ed|invalid|illegal) option[: ]*(?:-- )?['"`‘’]([A-Za-z][\w-]*)"#;
/// An option that a command would like instead.
const RATHER: &str = r#"\b(?:did you mean|similar (?:argument|option)s?(?: exists)?(?: is)?|maybe you meant|perhaps you meant|use|replaced (?:by|with)|renamed to)[: ]*(?:to )?['"`‘’]?(--?[A-Za-z][\w-]*)"#;
/// An option that a command wants when nobody can answer it.
const INSTEAD_OF_ASKING: &str = r#"\b(?:use|pass|with|try|add|specify|set|provide)(?: the)?(?: flag| option)?[: ]*['"`‘’]?(--[a-z][\w-]*|-y)\b"#;
/// Options that only keep a command from asking. Whatever else it names, e.g. `--force` or
/// `--hard`, may do more than that, so a person has to decide.
const HARMLESS: [&str; 12] = [
    "-y",
    "--yes",
    "--assume-yes",
    "--assumeyes",
    "--batch",
    "--batch-mode",
    "--no-input",
    "--no-interaction",
    "--no-interactive",
    "--no-prompt",
    "--non-interactive",
    "--noninteractive",
];
/// A command that wants to ask.
const ASKS: &str =
    r"not a (?:tty|terminal)|is not a tty|no tty|stdin is not|interactive|are you sure|\[y/n\]|confirm";

/// Everything that the error says.
pub(crate) fn text(error: &StepError) -> String {
    let said = |name: &str| error.details.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}\n{}\n{}", error.message, said("stderr"), said("stdout"))
}

/// What a server that says something else than before points to.
pub(super) fn trust(module: &str, now: &Saying) -> Option<Finding> {
    let what = match now {
        Saying::Other { .. } => "describes it differently than what is trusted",
        Saying::Gone => "does not have it any more",
        Saying::Same | Saying::Nothing { .. } => return None,
    };
    let message = format!(
        "calls are held back: its server {what}; `aa tool trust {module}` shows all that has changed"
    );
    Some(Finding { cause: Cause::NotTrusted, message })
}

/// What an error points to, the most telling first.
pub(super) fn all(error: &StepError) -> Vec<Finding> {
    let text = text(error);
    let rules: [fn(&StepError, &str) -> Option<Finding>; 9] = [
        command_not_found,
        wrong_argument,
        unknown_flag,
        asks_person,
        output_shape,
        auth,
        network,
        timeout,
        exit_code,
    ];
    let mut found: Vec<Finding> = rules.iter().filter_map(|rule| rule(error, &text)).collect();
    if found.is_empty() {
        let message = match error.kind {
            ErrorKind::NotFound => {
                (Cause::NotFound, "what it was asked for is not there: look at the arguments")
            }
            _ => (Cause::Unclear, "no rule knows this error: read what the command printed"),
        };
        found.push(Finding { cause: message.0, message: message.1.to_owned() });
    }
    found
}

fn command_not_found(error: &StepError, text: &str) -> Option<Finding> {
    let ours = first(r"there is no command `([^`]+)`", text);
    let shells = || first(r"(?:^|: )([\w./-]+): (?:command )?not found\s*$", text);
    let code = || error.details.get("exit_code").and_then(Value::as_i64) == Some(127);
    let command = ours.or_else(|| shells().filter(|_| code()))?;
    let message = format!("the command `{command}` is not on the path: install it, or mend `run`");
    Some(Finding { cause: Cause::CommandNotFound, message })
}

fn wrong_argument(_: &StepError, text: &str) -> Option<Finding> {
    let what = first(r"the arguments of `[^`]+` do not fit: (.+)", text)?;
    let message = format!("an argument does not fit what the tool declares: {what}");
    Some(Finding { cause: Cause::WrongArgument, message })
}

/// The option that a command does not know, and the one that it would like instead.
pub(super) fn flags(text: &str) -> Option<(String, Option<String>)> {
    let dashed = |word: String| if word.len() == 1 { format!("-{word}") } else { format!("--{word}") };
    let wrong = first(UNKNOWN_FLAG, text).or_else(|| first(UNKNOWN_WORD, text).map(dashed))?;
    let rather = first(RATHER, text).filter(|rather| *rather != wrong);
    Some((wrong, rather))
}

fn unknown_flag(_: &StepError, text: &str) -> Option<Finding> {
    let (wrong, rather) = flags(text)?;
    let message = match rather {
        Some(rather) => format!("the command has no option `{wrong}`; it says `{rather}` instead"),
        None => format!("the command has no option `{wrong}`: its version may be another one"),
    };
    Some(Finding { cause: Cause::UnknownFlag, message })
}

/// The option with which a command that wants to ask goes on without, and which does no more.
pub(super) fn instead_of_asking(text: &str) -> Option<String> {
    first(ASKS, text)?;
    first(INSTEAD_OF_ASKING, text).filter(|option| HARMLESS.contains(&option.as_str()))
}

fn asks_person(_: &StepError, text: &str) -> Option<Finding> {
    first(ASKS, text)?;
    let message = match instead_of_asking(text) {
        Some(flag) => format!("the command wants to ask a person; with `{flag}` it does not"),
        None => "the command wants to ask a person: find the option with which it does not".to_owned(),
    };
    Some(Finding { cause: Cause::AsksPerson, message })
}

fn output_shape(_: &StepError, text: &str) -> Option<Finding> {
    let read = first(r"cannot read what `[^`]+` printed: (.+)", text);
    let declared = || first(r"the result of `[^`]+` is not what it declares: (.+)", text);
    let what = read.or_else(declared)?;
    let message = format!("what the command prints is not what the definition expects: {what}");
    Some(Finding { cause: Cause::OutputShape, message })
}

fn auth(error: &StepError, _: &str) -> Option<Finding> {
    let message = "one is not logged in, or not allowed: `aa heal test` says what would be done about it";
    (error.kind == ErrorKind::Auth).then(|| Finding { cause: Cause::Auth, message: message.to_owned() })
}

fn network(error: &StepError, _: &str) -> Option<Finding> {
    let message = "the other side cannot be reached: is the network there, and the VPN?";
    (error.kind == ErrorKind::Network).then(|| Finding { cause: Cause::Network, message: message.to_owned() })
}

fn timeout(error: &StepError, _: &str) -> Option<Finding> {
    let message = "it took longer than it may: raise `timeout`, of the tool or of the step";
    (error.kind == ErrorKind::Timeout).then(|| Finding { cause: Cause::Timeout, message: message.to_owned() })
}

/// An exit code other than 0 of a command that printed a result and no complaint.
pub(super) fn doubtful_code(error: &StepError) -> Option<i64> {
    let said =
        |name: &str| error.details.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let code = error.details.get("exit_code").and_then(Value::as_i64)?;
    ((1..=2).contains(&code) && said("stderr").is_empty() && error.message.contains("ended with exit code"))
        .then_some(code)
}

fn exit_code(error: &StepError, _: &str) -> Option<Finding> {
    let code = doubtful_code(error)?;
    let message = format!(
        "it complained of nothing and ended with exit code {code}: where that means \"nothing found\" or \
         \"there is a difference\", it belongs into `exit: {{ok: [0, {code}]}}`"
    );
    Some(Finding { cause: Cause::ExitCode, message })
}

/// What the first group of a pattern finds, or else the whole match; in any case, by line.
fn first(pattern: &str, text: &str) -> Option<String> {
    let pattern = RegexBuilder::new(pattern).case_insensitive(true).multi_line(true).build().ok()?;
    let found = pattern.captures(text)?;
    Some(found.get(1).or_else(|| found.get(0))?.as_str().to_owned())
}
