//! What a failure says about the call: whether it was a mistake, which, and its mark.

use std::collections::BTreeSet;

use aa_spec::template::seal;
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value};

use super::{Category, Mark, of_call};
use crate::event::StepError;

/// Longest value that an argument is known by, in characters.
const LONGEST: usize = 200;

/// Fails like this for reasons outside the call.
const OUTSIDE: &[&str] = &[
    "unauthorized",
    "unauthorised",
    "forbidden",
    "permission denied",
    "not logged in",
    "token expired",
    "token has expired",
    "authentication",
    "connection refused",
    "connection reset",
    "no route to host",
    "could not resolve",
    "name resolution",
    "network is unreachable",
    "timed out",
    "timeout",
    "certificate",
    "service unavailable",
    "bad gateway",
];

/// A value is missing that nobody has given: there is nothing to know the call by.
const LEFT_OUT: &[&str] = &["missing required", "required property", "required argument", "is required"];

/// The tool wants a person at a terminal.
const TERMINAL: &[&str] = &["not a tty", "not a terminal", "inappropriate ioctl"];

/// A value is written wrongly.
const FORM: &[&str] = &[
    "invalid format",
    "malformed",
    "must match",
    "does not match",
    "not a valid",
    "is not valid",
    "cannot parse",
    "could not parse",
    "manifest unknown",
    "bad revision",
];

/// Something is not there that the call takes for granted.
const PRECONDITION: &[&str] = &[
    "not a git repository",
    "has no upstream",
    "no upstream",
    "not initialized",
    "not initialised",
    "not configured",
    "no such file or directory",
    "nothing to commit",
    "is not running",
    "not installed",
    "uncommitted changes",
];

/// Another tool comes first: the tool, what it says then, and the other tool.
const ORDERS: &[(&str, &[&str], &str)] = &[
    ("bonfire_deploy", &["not reserved", "no reserved", "no namespace"], "bonfire_namespace_reserve"),
    ("bonfire_namespace_release", &["not owned", "does not own", "not yours"], "bonfire_namespace_list"),
    ("gitlab_mr_create", &["source branch", "source_branch", "not been pushed"], "git_push"),
    ("git_push", &["no commits", "src refspec"], "git_commit"),
];

/// How an error speaks of what comes first.
const FIRST: &[&str] = &[" first", "before", "must be called", "did you forget", "needs "];

/// Characters of a whole commit hash, which images are tagged with.
const COMMIT: usize = 40;

/// A mistake that was recognised.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) category: Category,
    pub(super) mark: Mark,
    pub(super) advice: String,
}

/// A call that failed.
#[derive(Clone, Copy)]
pub(super) struct Failed<'a> {
    pub(super) tool: &'a str,
    pub(super) args: &'a Map<String, Value>,
    pub(super) error: &'a StepError,
    /// Tools that have succeeded in the run; `None` when its beginning is not known.
    pub(super) done: Option<&'a BTreeSet<String>>,
    /// Whether there is a tool of that name.
    pub(super) is_tool: &'a dyn Fn(&str) -> bool,
}

/// What mistake a failed call has made, if it is one that can be known again.
pub(super) fn classify(failed: Failed<'_>) -> Option<Found> {
    let text = said(failed.error);
    if is_outside(failed.error.kind) || has(&text, OUTSIDE) || has(&text, LEFT_OUT) {
        return None;
    }
    if let Some(found) = order(failed, &text) {
        return Some(found);
    }
    let whole = |category, advice: &str| Found {
        category,
        mark: Mark::Call { digest: of_call(failed.args) },
        advice: advice.to_owned(),
    };
    if has(&text, TERMINAL) {
        return Some(whole(Category::WrongTool, "it wants a terminal; use a tool or flag that needs none"));
    }
    let found = short_tag(failed.args, &text).or_else(|| argument(failed.args, &text));
    if let Some(found) = found.or_else(|| missing_tag(failed.args, &text)) {
        return Some(found);
    }
    has(&text, PRECONDITION)
        .then(|| whole(Category::MissingPrerequisite, "make sure of what it says before the call"))
}

/// Failures of these kinds say nothing about the call.
const fn is_outside(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Auth
        | ErrorKind::Network
        | ErrorKind::Timeout
        | ErrorKind::Transient
        | ErrorKind::Cancelled => true,
        ErrorKind::Permanent | ErrorKind::NotFound | ErrorKind::Invalid => false,
    }
}

/// All that was said, in small letters.
fn said(error: &StepError) -> String {
    let mut text = without_own(error).to_owned();
    match error.details.get("stderr") {
        Some(Value::String(stderr)) => text.extend(["\n", stderr]),
        Some(Value::Array(lines)) => {
            lines.iter().filter_map(Value::as_str).for_each(|line| text.extend(["\n", line]));
        }
        _ => {}
    }
    text.to_lowercase()
}

/// The message as far as others have said it. What begins with the request that was made is our own word: that a value
/// stands in it says nothing of the value.
fn without_own(error: &StepError) -> &str {
    let part = |name: &str| error.details.get(name).and_then(Value::as_str);
    let request = part("method").zip(part("url")).map(|(method, url)| format!("{method} `{url}`"));
    let rest = request.and_then(|request| error.message.strip_prefix(&request));
    let rest = rest.map(|rest| rest.trim_start_matches(" gave status ").trim_start_matches(char::is_numeric));
    rest.unwrap_or(&error.message)
}

fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|words| text.contains(words))
}

/// A tool that has to be called first: by the table, or because the error names it.
fn order(failed: Failed<'_>, text: &str) -> Option<Found> {
    let done = failed.done?;
    let known = ORDERS.iter().find(|(tool, says, _)| *tool == failed.tool && has(text, says));
    let named = || {
        let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut names = names.filter(|name| name.contains('_') && *name != failed.tool);
        has(text, FIRST).then(|| names.find(|name| (failed.is_tool)(name))).flatten()
    };
    let first = known.map(|(.., first)| *first).or_else(named)?;
    (!done.contains(first)).then(|| Found {
        category: Category::WorkflowSequence,
        mark: Mark::Before { tool: first.to_owned() },
        advice: format!("call `{first}` first"),
    })
}

/// An image that is not there under the abbreviated hash of a commit.
fn short_tag(args: &Map<String, Value>, text: &str) -> Option<Found> {
    let is_short = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        (4..COMMIT).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
    };
    let tags = args.iter().filter(|(name, value)| name.contains("tag") && is_short(value));
    let (name, _) = text.contains("manifest unknown").then(|| tags.into_iter().next())??;
    Some(Found {
        category: Category::ParameterFormat,
        mark: Mark::Short { argument: name.clone(), than: COMMIT },
        advice: format!("images are tagged with all {COMMIT} characters of the commit"),
    })
}

/// An image that is not there, where the registry does not say under which tag: the only one there is.
fn missing_tag(args: &Map<String, Value>, text: &str) -> Option<Found> {
    let is_tag = |name: &str, value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty() && !seal::contains(text));
        name.contains("tag") && text.is_some_and(|text| text.chars().count() <= LONGEST)
    };
    let mut tags = args.iter().filter(|(name, value)| is_tag(name, value));
    let (Some((name, value)), None) = (tags.next(), tags.next()) else { return None };
    text.contains("manifest unknown").then(|| Found {
        category: Category::IncorrectParameter,
        mark: Mark::Value { argument: name.clone(), value: value.clone() },
        advice: format!("use another value of `{name}`"),
    })
}

/// The argument that the error is about: its value is in the text, or its name is.
fn argument(args: &Map<String, Value>, text: &str) -> Option<Found> {
    let (name, value, _) = args
        .iter()
        .filter_map(|(name, value)| Some((name, value, weight(name, value, text)?)))
        .max_by_key(|(.., weight)| *weight)?;
    let category = if has(text, FORM) { Category::ParameterFormat } else { Category::IncorrectParameter };
    let advice = match category {
        Category::ParameterFormat => format!("write `{name}` in another form"),
        _ => format!("use another value of `{name}`"),
    };
    Some(Found { category, mark: Mark::Value { argument: name.clone(), value: value.clone() }, advice })
}

/// How much the text is about an argument: named and quoted, named, or quoted; longer values
/// say more.
fn weight(name: &str, value: &Value, text: &str) -> Option<(u8, usize)> {
    let words = match value {
        Value::String(words) if !seal::contains(words) => words.to_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let length = words.chars().count();
    let name = name.to_lowercase();
    let named = ['`', '\'', '"'].iter().any(|quote| text.contains(&format!("{quote}{name}{quote}")))
        || text.contains(&format!("--{}", name.replace('_', "-")));
    let quoted = (value.is_number() || length >= 2) && has_token(text, &words);
    let rank = u8::from(named) + 2 * u8::from(quoted);
    (rank > 0 && length <= LONGEST).then_some((rank, length))
}

/// Whether a text has another in it that does not go on to either side.
fn has_token(text: &str, token: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(token)
        .any(|(at, _)| !text[..at].ends_with(goes_on) && !text[at + token.len()..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(tool: &str, args: &Value, kind: ErrorKind, message: &str) -> Option<Found> {
        let done = BTreeSet::from(["git_add".to_owned()]);
        classify(Failed {
            tool,
            args: args.as_object().unwrap(),
            error: &StepError::new(kind, message),
            done: Some(&done),
            is_tool: &|name| ["git_add", "git_commit", "quay_login"].contains(&name),
        })
    }

    #[test]
    fn failures_are_told_apart() {
        use Category::{
            IncorrectParameter, MissingPrerequisite, ParameterFormat, WorkflowSequence, WrongTool,
        };
        let value = |argument: &str, value: Value| Mark::Value { argument: argument.to_owned(), value };
        let before = |tool: &str| Mark::Before { tool: tool.to_owned() };
        let cases = [
            (
                "git_checkout",
                json!({"target": "mian", "repo": "."}),
                "pathspec 'mian' did not match",
                IncorrectParameter,
                value("target", json!("mian")),
            ),
            (
                "mr_view",
                json!({"mr_id": 12, "project": "a/b"}),
                "no merge request 12 in a/b",
                IncorrectParameter,
                value("project", json!("a/b")),
            ),
            (
                "mr_view",
                json!({"mr_id": 12}),
                "no merge request 12",
                IncorrectParameter,
                value("mr_id", json!(12)),
            ),
            (
                "t",
                json!({"since": "soon", "soon": "x"}),
                "invalid format of `since`: soon",
                ParameterFormat,
                value("since", json!("soon")),
            ),
            (
                "t",
                json!({"depth": 1}),
                "`depth` must not be so small",
                IncorrectParameter,
                value("depth", json!(1)),
            ),
            (
                "deploy",
                json!({"image_tag": "abc1234"}),
                "manifest unknown",
                ParameterFormat,
                Mark::Short { argument: "image_tag".to_owned(), than: 40 },
            ),
            (
                "deploy",
                json!({"image_tag": "v1.4-rc", "app": "shop"}),
                "manifest unknown",
                IncorrectParameter,
                value("image_tag", json!("v1.4-rc")),
            ),
            (
                "git_push",
                json!({}),
                "error: src refspec main does not match any",
                WorkflowSequence,
                before("git_commit"),
            ),
            ("image_copy", json!({}), "call quay_login first", WorkflowSequence, before("quay_login")),
            (
                "sh",
                json!({"a": true}),
                "the input device is not a TTY",
                WrongTool,
                Mark::Call { digest: of_call(json!({"a": true}).as_object().unwrap()) },
            ),
            (
                "git_log",
                json!({"repo": "x/y"}),
                "fatal: not a git repository",
                MissingPrerequisite,
                Mark::Call { digest: of_call(json!({"repo": "x/y"}).as_object().unwrap()) },
            ),
        ];
        for (tool, args, message, category, mark) in cases {
            let found = found(tool, &args, ErrorKind::Permanent, message).expect(message);
            assert_eq!((found.category, found.mark), (category, mark), "{message}");
            assert!(!found.advice.is_empty());
        }
    }

    #[test]
    fn what_fails_for_other_reasons_is_no_mistake() {
        let args = json!({"branch": "main", "token": seal::seal("T")});
        for kind in [
            ErrorKind::Auth,
            ErrorKind::Network,
            ErrorKind::Timeout,
            ErrorKind::Transient,
            ErrorKind::Cancelled,
        ] {
            assert_eq!(found("t", &args, kind, "no branch 'main'"), None, "{kind:?}");
        }
        for message in [
            "branch 'main': connection refused",
            "branch 'main': 401 Unauthorized",
            "the operation timed out for main",
            "missing required argument `branch`",
            "it exploded",
            "domain of maintenance",
            "call git_add first",
            "call nothing_known first",
        ] {
            assert_eq!(found("t", &args, ErrorKind::Permanent, message), None, "{message}");
        }
    }

    #[test]
    fn what_a_command_wrote_counts_as_said() {
        let mut error = StepError::new(ErrorKind::Permanent, "git exited with 1");
        error.details = json!({"stderr": "error: pathspec 'mian' did not match"});
        let args = json!({"target": "mian"});
        let failed = Failed {
            tool: "git_checkout",
            args: args.as_object().unwrap(),
            error: &error,
            done: None,
            is_tool: &|_| false,
        };
        assert!(classify(failed).is_some());
    }
}
