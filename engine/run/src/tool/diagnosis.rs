//! Why a command failed: its exit code and what it printed, as an error kind.

use std::collections::BTreeMap;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::Rule;
use regex::RegexBuilder;
use serde_json::Value;

use super::ToolError;
use super::process::Finished;

/// How much of the end of standard output goes into the details of an error, in bytes.
const SHOWN_OUTPUT: usize = 4 * 1024;

/// What commands print when something is wrong, and what that means. The first match
/// decides; capital and small letters are the same.
const SIGNS: &[(ErrorKind, &str)] = &[
    (ErrorKind::Auth, r"\bunauthori[sz]ed\b|\bnot authori[sz]ed\b|\bforbidden\b"),
    (ErrorKind::Auth, r"\b(http|status|code|error:?)[ :=]*(401|403)\b|\b(401|403) (unauthorized|forbidden)"),
    (ErrorKind::Auth, r"\b(token|session|credentials?|login)( has| have| is| are)? (expired|invalid)\b"),
    (ErrorKind::Auth, r"authentication (required|failed)|must be logged in|not logged in|login required"),
    (ErrorKind::Auth, r"asked for the client to provide credentials|could not read (username|password)"),
    (ErrorKind::Auth, r"permission denied \((publickey|password|keyboard)|host key verification failed"),
    (ErrorKind::Network, r"no route to host|network is unreachable|network unreachable|host is down"),
    (
        ErrorKind::Network,
        r"connection (was )?(refused|reset|closed|aborted)|broken pipe|unexpected eof while reading",
    ),
    (ErrorKind::Network, r"could not resolve (host|hostname|proxy)|no such host|name or service not known"),
    (ErrorKind::Network, r"temporary failure in name resolution|dial tcp|cannot connect|failed to connect"),
    (ErrorKind::Timeout, r"\btimed out\b|\btime-?out\b|deadline exceeded"),
    (ErrorKind::Transient, r"too many requests|rate limit|service unavailable|bad gateway|try again later"),
    (ErrorKind::Transient, r"resource temporarily unavailable|temporarily unavailable|database is locked"),
    (ErrorKind::Transient, r"\.lock': file exists|another (git )?process|text file busy"),
    (ErrorKind::NotFound, r"no such file or directory|command not found|\bnot found\b|does not exist"),
    (ErrorKind::NotFound, r"unknown revision|did not match any|no such (ref|remote|branch|container|image)"),
    (ErrorKind::Invalid, r"unknown (option|flag|switch|command|argument)|invalid (option|argument)|^usage:"),
];

/// What commands print that have sent something and do not know what has become of it.
const LOST: &str = r"connection (was )?(reset|closed|aborted)|broken pipe|unexpected eof|bad gateway|\btimed out\b|\btime-?out\b|deadline exceeded|internal server error|\b(http|status|code|error:?)[ :=]*(500|502|504)\b";

/// The rule by which a command failed although its exit code is a success. What it printed is data then,
/// and with exit code 0 even standard error is chatter, unless the rule is meant for that.
pub(super) fn objection<'a>(finished: &Finished, rules: &'a [Rule]) -> Option<&'a Rule> {
    let unusual = finished.code() != Some(0);
    let said = |rule: &&Rule| {
        (unusual || rule.always) && rule.pattern.is_match(&finished.stderr)
            // An error page may begin with what it is, so all of it counts; it is no longer than allowed.
            || rule.always && rule.pattern.is_match(&String::from_utf8_lossy(&finished.stdout))
    };
    rules.iter().find(said)
}

/// The rule that fits a command that ended badly.
pub(super) fn fitting<'a>(finished: &Finished, rules: &'a [Rule]) -> Option<&'a Rule> {
    let stdout = tail(&finished.stdout);
    rules.iter().find(|rule| rule.pattern.is_match(&finished.stderr) || rule.pattern.is_match(&stdout))
}

/// The error of a command that ended badly, and the rule that fits. Whether it has acted is open when it was killed, or
/// speaks of an answer that it has not got.
pub(super) fn failed(
    program: &str,
    finished: &Finished,
    rule: Option<&Rule>,
    kinds: &BTreeMap<i32, ErrorKind>,
) -> ToolError {
    let stdout = tail(&finished.stdout);
    let said = if finished.stderr.trim().is_empty() { &stdout } else { &finished.stderr };
    let by_code = || finished.code().and_then(|code| kinds.get(&code).copied());
    let kind =
        rule.map(|rule| rule.kind).or_else(by_code).or_else(|| sign(said)).unwrap_or(ErrorKind::Permanent);

    if finished.code().is_some() && kind != ErrorKind::Timeout && !matches(LOST, said) {
        finished.refused();
    }
    let how = match finished.code() {
        Some(code) => format!("`{program}` ended with exit code {code}"),
        None => format!("`{program}` was ended by a signal"),
    };
    let message = match telling_line(said) {
        Some(line) => format!("{how}: {line}"),
        None => how,
    };
    let mut details = finished.details.clone();
    if !stdout.is_empty() {
        details.insert("stdout".into(), stdout.clone().into());
    }
    if let Some(rule) = rule.filter(|rule| !rule.hint.is_empty()) {
        details.insert("hint".into(), rule.hint.clone().into());
    }
    ToolError::new(kind, message).details(Value::Object(details))
}

pub(super) fn sign(said: &str) -> Option<ErrorKind> {
    SIGNS.iter().find(|(_, pattern)| matches(pattern, said)).map(|(kind, _)| *kind)
}

fn matches(pattern: &str, said: &str) -> bool {
    let pattern = RegexBuilder::new(pattern).case_insensitive(true).multi_line(true).build();
    pattern.is_ok_and(|pattern| pattern.is_match(said))
}

/// The line that says most: the last that calls itself an error, or else the last.
fn telling_line(said: &str) -> Option<&str> {
    let is_error = |line: &&str| {
        let start = line.get(..6).unwrap_or(line).to_ascii_lowercase();
        start.starts_with("error") || start.starts_with("fatal")
    };
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.clone().rfind(is_error).or_else(|| lines.next_back())
}

/// The end of what was printed, from the start of a line.
fn tail(stdout: &[u8]) -> String {
    let start = stdout.len().saturating_sub(SHOWN_OUTPUT);
    let shown = match stdout[start..].iter().position(|byte| *byte == b'\n') {
        Some(newline) if start > 0 => &stdout[start + newline + 1..],
        None if start > 0 => &[],
        _ => stdout,
    };
    String::from_utf8_lossy(shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_regular_expressions_and_mean_what_they_say() {
        let cases = [
            ("error: You must be logged in to the server (Unauthorized)", Some(ErrorKind::Auth)),
            ("git@host: Permission denied (publickey).", Some(ErrorKind::Auth)),
            ("remote: HTTP 403", Some(ErrorKind::Auth)),
            (
                "fatal: could not read Username for 'https://x': terminal prompts disabled",
                Some(ErrorKind::Auth),
            ),
            ("merge request !1403 is broken", None),
            ("mkdir: cannot create directory: Permission denied", None),
            ("dial tcp: lookup api on 10.0.0.1: no such host", Some(ErrorKind::Network)),
            ("ssh: connect to host x port 22: Connection refused", Some(ErrorKind::Network)),
            ("fatal: unable to access: Could not resolve host: x", Some(ErrorKind::Network)),
            ("product of timeouts", None),
            ("context deadline exceeded", Some(ErrorKind::Timeout)),
            ("fatal: Unable to create '/r/.git/index.lock': File exists.", Some(ErrorKind::Transient)),
            ("cat: x: No such file or directory", Some(ErrorKind::NotFound)),
            ("error: pathspec 'x' did not match any file(s) known to git", Some(ErrorKind::NotFound)),
            ("tar: invalid option -- 'Q'", Some(ErrorKind::Invalid)),
            ("", None),
        ];
        for (said, kind) in cases {
            assert_eq!(sign(said), kind, "{said}");
        }
        for (_, pattern) in SIGNS {
            assert!(regex::Regex::new(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn the_telling_line_is_found() {
        let cases = [
            ("a\nb\n\n", Some("b")),
            ("fatal: x\nhint: y\n", Some("fatal: x")),
            ("Error: one\nerror: two\nmore", Some("error: two")),
            ("\n", None),
        ];
        for (said, line) in cases {
            assert_eq!(telling_line(said), line);
        }
    }
}
