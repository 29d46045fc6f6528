//! Values that would become part of shell text: `sh -c "rm {{ args.path }}"` runs whatever the value says.

use std::collections::BTreeSet;

use super::Compiler;
use crate::diagnostic::Diagnostic;
use crate::shell::{self, Dialect};
use crate::source::Source;
use crate::template::Template;
use crate::tool::module::Argument;
use crate::yaml::Spanned;

const HINT: &str = "give the value as an argument, `sh -c 'echo \"$1\"' sh \"{{ … }}\"`, or in `env:`, and use it in double quotes";

/// Commands that take a script after `-c`.
const SHELLS: [&str; 12] =
    ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "rbash", "su", "runuser", "script"];

/// What is said of a value in a command for another machine.
const REMOTE: &str =
    "ssh hands its command to a shell on the other machine, which would run what is in this value";
const REMOTE_HINT: &str = "make one word of it, outside of other quotes: `{{ value | shell_quote }}`";

/// Options of `ssh` that have a value.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOopPQRSWw";

/// Commands that run the command behind their own options.
const WRAPPERS: [&str; 28] = [
    "env",
    "busybox",
    "toybox",
    "sudo",
    "doas",
    "nice",
    "ionice",
    "nohup",
    "timeout",
    "setsid",
    "stdbuf",
    "xargs",
    "time",
    "chroot",
    "unshare",
    "nsenter",
    "watch",
    "docker",
    "podman",
    "kubectl",
    "oc",
    "sshpass",
    "chrt",
    "taskset",
    "systemd-run",
    "find",
    "parallel",
    "strace",
];

/// What the arguments up to here say of the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is the command.
    Command,
    /// It may be the command that a wrapper runs.
    Behind,
    /// The same of one that has a shell run what follows `-c`.
    Flock,
    /// It is an option of `ssh`, or the host.
    Ssh,
    /// It belongs to an option of `ssh`.
    SshValue,
    /// It is a part of the command that a shell runs on another machine.
    Remote,
    /// It is for a command that is no shell.
    Other,
    /// The command is only known when it is called.
    Unknown,
    /// It is an option of a shell, or a file for it.
    Shell,
    /// It belongs to an option of a shell; whether there was a `-c`.
    Value(bool),
    /// It is the script, unless it is one more option.
    Script,
    /// It is what the script gets.
    Done,
}

/// Looks for the arguments that are scripts.
struct Search<'a> {
    source: &'a Source,
    found: Vec<Diagnostic>,
}

impl Compiler<'_> {
    /// Templates in what a shell takes for a script.
    pub(super) fn check_spliced(&mut self) {
        let mut search = Search { source: self.source, found: Vec::new() };
        self.tool
            .run
            .iter()
            .fold(vec![State::Command], |states, argument| search.argument(&states, argument));
        self.diagnostics.append(&mut search.found);
    }
}

/// The same of a command that is one list, such as that of a server.
pub(super) fn in_command(source: &Source, command: &[Spanned<String>]) -> Vec<Diagnostic> {
    let mut search = Search { source, found: Vec::new() };
    search.all(&[State::Command], command, false);
    search.found
}

impl Search<'_> {
    fn argument(&mut self, states: &[State], argument: &Argument) -> Vec<State> {
        match argument {
            Argument::Always(text) => self.all(states, std::slice::from_ref(text), false),
            Argument::Options(options) => self.all(states, std::slice::from_ref(&options.options), true),
            Argument::When(when) => {
                let mut after = self.all(states, &when.then, false);
                after.extend(self.all(states, &when.r#else, false));
                after
            }
        }
    }

    fn all(&mut self, states: &[State], texts: &[Spanned<String>], options: bool) -> Vec<State> {
        let mut states = states.to_vec();
        for text in texts {
            states = states.iter().map(|state| self.next(*state, text, options)).collect();
        }
        states.dedup();
        states
    }

    /// What follows a text, which may be wrong where it stands.
    fn next(&mut self, state: State, text: &Spanned<String>, options: bool) -> State {
        let open = is_open(&text.value);
        let script =
            state == State::Script || (state == State::Shell && (options || text.value.starts_with('-')));
        if open && script {
            let message = "a value in the script of a shell could change what it does";
            self.found.push(Diagnostic::error("spliced-shell", self.source, text.span, message).hint(HINT));
            return State::Done;
        }
        if open && state == State::Remote && !is_quoted(&text.value) {
            self.found
                .push(Diagnostic::error("spliced-shell", self.source, text.span, REMOTE).hint(REMOTE_HINT));
        }
        if state == State::Script && !text.value.starts_with('-') {
            self.nested(text);
        }
        if open { after_value(state, &text.value) } else { after_text(state, &text.value) }
    }

    /// A script that makes what it gets a part of one more script. What cannot be read is left to whoever wrote it.
    fn nested(&mut self, script: &Spanned<String>) {
        let reading = shell::read(&script.value, &BTreeSet::new(), Dialect::Bash);
        if let Some(refusal) = reading.ok().and_then(|reading| reading.spliced) {
            let problem = Diagnostic::error("spliced-shell", self.source, script.span, refusal.message);
            self.found.push(problem.hint(refusal.hint));
        }
    }
}

/// Whether a text is another one with each call.
fn is_open(text: &str) -> bool {
    Template::parse(&serde_json::Value::String(text.to_owned()))
        .is_ok_and(|template| !template.references().is_empty())
}

/// Whether a shell reads each value in a text as one word: it is quoted, and does not stand in other quotes.
fn is_quoted(text: &str) -> bool {
    const NAME: &str = "_value";
    let quoted = Template::parse(&serde_json::Value::String(text.to_owned()))
        .is_ok_and(|template| template.is_shell_quoted());
    let Some(script) = filled(text, &format!("${NAME}")) else { return false };
    quoted
        && shell::read(&script, &BTreeSet::from([NAME]), Dialect::Sh)
            .is_ok_and(|reading| reading.script == filled(text, &format!("\"${NAME}\"")).unwrap_or_default())
}

/// A text with this in place of its values, and without what only decides about them.
fn filled(text: &str, with: &str) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min() {
        let (end, value) = match rest.as_bytes()[at + 1] {
            b'{' => ("}}", with),
            b'%' => ("%}", ""),
            _ => ("#}", ""),
        };
        filled.push_str(&rest[..at]);
        filled.push_str(value);
        rest = &rest[at + 2 + rest[at + 2..].find(end)? + 2..];
    }
    Some(filled + rest)
}

fn after_value(state: State, text: &str) -> State {
    match state {
        State::Command => State::Unknown,
        State::Ssh if text.starts_with('-') => State::Ssh,
        State::Ssh | State::Remote => State::Remote,
        State::SshValue => State::Ssh,
        State::Behind | State::Flock => state,
        State::Value(true) => State::Script,
        State::Value(false) => State::Shell,
        State::Other | State::Unknown => State::Other,
        State::Shell | State::Script | State::Done => State::Done,
    }
}

fn after_text(state: State, text: &str) -> State {
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text).trim_end_matches(".exe");
    let option = text.starts_with(['-', '+']);
    let has_script = option && !text.starts_with("--") && text.contains('c') || text == "--command";
    match state {
        State::Command | State::Behind | State::Flock if SHELLS.contains(&name) => State::Shell,
        State::Command | State::Behind if name == "flock" => State::Flock,
        State::Command | State::Behind if name == "ssh" => State::Ssh,
        State::Ssh if option => after_ssh_option(text),
        State::SshValue => State::Ssh,
        State::Ssh | State::Remote => State::Remote,
        State::Command if WRAPPERS.contains(&name) => State::Behind,
        State::Other if text == "--" => State::Behind,
        // `flock file -c script`
        State::Flock | State::Unknown if has_script => State::Script,
        State::Flock => State::Flock,
        State::Behind => State::Behind,
        State::Command | State::Other | State::Unknown => State::Other,
        State::Value(true) => State::Script,
        State::Value(false) => State::Shell,
        State::Shell | State::Script if option => {
            let script = state == State::Script || has_script;
            match (text.ends_with(['o', 'O']) && !text.starts_with("--"), script) {
                (true, script) => State::Value(script),
                (false, true) => State::Script,
                (false, false) => State::Shell,
            }
        }
        State::Shell | State::Script | State::Done => State::Done,
    }
}

/// `-p 22`, `-p22`, `-4p 22`
fn after_ssh_option(text: &str) -> State {
    match text.find(|letter| SSH_VALUES.contains(letter)) {
        Some(at) if at + 1 == text.len() => State::SshValue,
        _ => State::Ssh,
    }
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    fn codes(run: &str) -> Vec<&'static str> {
        let text = format!(
            "module: m\ndescription: d\nconfig: {{c: {{default: x}}}}\ntools:\n  - name: m_t\n    description: d\n    effect: read\n    input: {{a: {{type: string}}, l: {{type: array}}}}\n    run: {run}\n"
        );
        let (module, problems) = super::super::check(&Source::new("m.yaml", text));
        assert!(module.is_some(), "{run}: {problems:?}");
        problems.into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn scripts_of_shells_have_no_templates() {
        let spliced = [
            "[sh, -c, 'echo {{ a }}']",
            "[/bin/bash, -lc, 'echo {{ a }}', x]",
            "[sh, -e, -c, '{{ a }}']",
            "[sh, -c, -e, '{{ a }}']",
            "[bash, -o, pipefail, -c, '{{ a }}']",
            "[bash, -co, pipefail, '{{ a }}']",
            "[env, 'X={{ a }}', dash, -ec, '{{ a }}']",
            "[busybox, sh, -c, '{{ a }}']",
            "[kubectl, exec, '{{ a }}', --, sh, -c, '{{ a }}']",
            "[su, -c, '{{ a }}', root]",
            "[zsh, '-{{ a }}']",
            "[bash, -c, 'eval \"ls $1\"', sh, '{{ a }}']",
            "[bash, -c, 'x=\"ls $1\"; ssh host \"$x\"', sh, '{{ a }}']",
            "[flock, f, -c, 'ls {{ a }}']",
            "[script, -qc, 'ls {{ a }}', /dev/null]",
            "[sh, {options: '{{ l }}'}, x]",
            "[sh, -c, 'echo {{ config.c }}']",
            "['{{ config.c }}', -c, '{{ a }}']",
            "[sh, {if: a, then: [-c, '{{ a }}'], else: [x]}]",
            "[sh, {if: a, then: [-c], else: [x]}, '{{ a }}']",
            "[ssh, host, ls, '{{ a }}']",
            "[ssh, -p, '22', -oUser=me, '{{ config.c }}', 'ls {{ a }}']",
            "[timeout, '5', ssh, host, '{{ a | shell_quote | upper ~ a }}']",
            "[ssh, host, \"ls '{{ a | shell_quote }}'\"]",
            "[ssh, host, '{% for x in l %}{{ x | shell_quote }}{% endfor %}']",
        ];
        for run in spliced {
            assert_eq!(codes(run), ["spliced-shell"], "{run}");
        }
    }

    #[test]
    fn what_a_script_gets_may_be_anything() {
        let fine = [
            "[sh, -c, 'echo \"$1\"', sh, '{{ a }}']",
            "[sh, -c, \"echo {{ '{{' }}\", sh, '{{ a }}']",
            "[sh, '{{ a }}', -c, '{{ a }}']",
            "[bash, -o, '{{ a }}', -c, 'echo', '{{ a }}']",
            "[grep, -c, '{{ a }}']",
            "[ssh, -i, '{{ a }}', '-p{{ a }}', '{{ a }}', ls -l]",
            "[ssh, host, --, 'ls -l {{ a | shell_quote }} {{ l | shell_quote }}', '{{ a | shell_quote }}']",
            "[ssh, host, '{% if a %}ls{% else %}df{% endif %} {{ l | map(\"shell_quote\") | join(\" \") }}']",
            "[rg, sh, -c, '{{ a }}']",
            "[env, git, -c, '{{ a }}']",
            "['{{ config.c }}', '{{ a }}', -c, '{{ a }}']",
            "[sh, {if: a, then: [-c, 'echo'], else: [x]}, '{{ a }}']",
        ];
        for run in fine {
            assert_eq!(codes(run), [] as [&str; 0], "{run}");
        }
    }
}
