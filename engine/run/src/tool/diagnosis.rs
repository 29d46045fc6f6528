//! Why a command failed: its exit code and what it printed, as an error kind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::Rule;
use regex::{Regex, RegexBuilder};
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

/// What is said where what was to act was not reached, or would not begin.
const NOT_BEGUN: &[&str] = &[
    r"connection (was )?refused|\bwas refused\b|no route to host|host is (down|unreachable)",
    r"network is (unreachable|down)|network unreachable",
    r"could not resolve (host|hostname|proxy)|no such host|name or service not known|nodename nor servname",
    r"(temporary )?failure in name resolution|getaddrinfo (failed|enotfound|eai_again)|failed to establish a new connection",
    r"\bdial (tcp|udp|unix)\b[^\n]{0,200}?(i/o timeout|timed out)|\bdial (tcp|udp|unix)\b|tls handshake timeout",
    r"connect to [^\n]{0,200}?timed out|connection timed out after \d+",
    r"(failed to|cannot|could not|couldn't|unable to) connect\b[^\n]{0,200}?(timeout was reached|connection timed out)",
    r"(failed to|cannot|could not|couldn't|unable to) connect\b|error during connect",
    r"too ?many ?requests|\brate.?limit(ed)?\b|\b429\b",
    r"resource temporarily unavailable|database is locked|text file busy",
    r"\.lock': file exists|another (git )?process",
];

/// What is said where something was sent and nobody knows what has become of it.
const LOST: &[&str] = &[
    r"\b(connection|conn|stream|session)\b[^\n]{0,40}?\b(reset|closed|aborted|lost|terminat(ed|ion)|dropped|broken)\b",
    r"closed (the )?connection|reset by peer|econnreset|epipe|broken pipe|socket hang ?up|hung up",
    r"\beof\b|empty reply|without (a )?response|no response|prematurely",
    r"\btimed out\b|\btime-?out\b|deadline exceeded",
    r"bad gateway|gateway time-?out|internal[ _]?(server[ _])?error|fatal_error|service[ _]unavailable",
    r"\b(http|status|code|error:?)[ :=]*(500|502|503|504)\b",
];

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

/// Whether what failed for a reason, and has said something, has certainly not done what it was asked for.
///
/// It says so by most of what it can say. Where it would be tried again, only a word that nothing has begun counts, and
/// where it speaks of an answer that it has not got, nothing does.
pub(super) fn has_refused(kind: ErrorKind, said: &str) -> bool {
    // Made once: what is done for each of many items may fail as often.
    static NEITHER: LazyLock<Option<(Regex, Regex)>> = LazyLock::new(|| any(NOT_BEGUN).zip(any(LOST)));
    let Some((not_begun, lost)) = &*NEITHER else { return false };
    let rest = not_begun.replace_all(said, " ");
    !lost.is_match(&rest) && (!ErrorKind::PASSING.contains(&kind) || rest != said)
}

/// The error of a command that ended badly, and the rule that fits. Whether it has acted is open when it was killed, or
/// does not say that it has not.
pub(super) fn failed(
    program: &str,
    finished: &Finished,
    rule: Option<&Rule>,
    kinds: &BTreeMap<i32, ErrorKind>,
) -> ToolError {
    let error = ended_badly(program, finished, rule, kinds);
    let said = format!("{}\n{}", finished.stderr, tail(&finished.stdout));
    if finished.code().is_some() && has_refused(error.kind, &said) {
        finished.refused();
    }
    error
}

/// The same of a command that may have done a part of what it is for, whatever it says.
pub(super) fn ended_badly(
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

/// Any of these phrases.
fn any(phrases: &[&str]) -> Option<Regex> {
    RegexBuilder::new(&phrases.join("|")).case_insensitive(true).build().ok()
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
        for pattern in SIGNS.iter().map(|(_, pattern)| pattern).chain(NOT_BEGUN).chain(LOST) {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
        assert!(any(NOT_BEGUN).is_some() && any(LOST).is_some());
    }

    #[test]
    fn what_says_that_nothing_has_begun_has_refused() {
        for said in [
            "ssh: connect to host x port 22: Connection refused",
            "ssh: connect to host x port 22: Connection timed out",
            "curl: (28) Failed to connect to x port 443 after 5001 ms: Timeout was reached",
            "Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout",
            "Unable to connect to the server: net/http: TLS handshake timeout",
            "dial tcp: lookup api on 10.0.0.1: no such host",
            "fatal: unable to access 'https://x/': Could not resolve host: x",
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
            "HTTP 429 Too Many Requests",
            "ratelimited",
            "fatal: Unable to create '/r/.git/index.lock': File exists.",
            "error: You must be logged in to the server (Unauthorized)",
            "Error from server (NotFound): pods \"x\" not found",
            "Error from server (AlreadyExists): namespaces \"x\" already exists",
            "error: 3 of 5 tests failed",
        ] {
            assert!(has_refused(sign(said).unwrap_or(ErrorKind::Permanent), said), "{said}");
        }
    }

    #[test]
    fn what_does_not_say_so_may_have_acted() {
        for said in [
            "Unable to connect to the server: EOF",
            "error: failed to patch: Patch \"https://x/api\": EOF",
            "Unable to connect to the server: context deadline exceeded",
            "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            "read tcp 10.0.0.2:1->10.0.0.1:6443: read: connection reset by peer",
            "read tcp 10.0.0.2:1->10.0.0.1:6443: i/o timeout",
            "dial tcp 10.0.0.1:6443: connect: connection refused\nhttp2: client connection lost",
            "curl: (52) Empty reply from server",
            "curl: (28) Operation timed out after 5000 milliseconds with 0 bytes received",
            "Error: read ECONNRESET",
            "Error: socket hang up",
            "fatal: the remote end hung up unexpectedly",
            "http.client.RemoteDisconnected: Remote end closed connection without response",
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            "Error from server (InternalError): an error on the server",
            "502 Bad Gateway",
            "503 Service Unavailable",
            "internal_error",
            "remote: HTTP 500",
        ] {
            assert!(!has_refused(sign(said).unwrap_or(ErrorKind::Permanent), said), "{said}");
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
