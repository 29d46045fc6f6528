//! A problem in a user's text: a value, not an error.
//!
//! Everything that reads user text returns what it could read plus all its
//! diagnostics. Each has a stable code from [`CODES`]; every code has a fixture in
//! `tests/fixtures/skills/bad` (a test checks both directions).

use serde::Serialize;

use crate::fix::{self, Edit};
use crate::source::{Place, Source, Span};

/// Every code with its meaning, in the order of the codes.
pub const CODES: &[(&str, &str)] = &[
    ("aliased-argument", "an argument under a name that the tool only puts up with"),
    (
        "ambiguous-boolean",
        "an unquoted `yes`, `no`, `on` or `off`, which some readers of YAML take for a boolean",
    ),
    ("bad-answer", "a canned answer that gives nothing, or several things at once"),
    ("bad-argument", "an argument that does not fit what the tool or skill takes"),
    ("bad-arguments", "`args` that are no mapping"),
    ("bad-channel", "a way to tell people that cannot work"),
    ("bad-cron", "text that is no cron pattern"),
    ("bad-default", "a default that does not fit its input or field"),
    ("bad-duration", "text that is not a duration such as `30s`"),
    ("bad-example", "an example that does not fit the tool's arguments"),
    ("bad-expression", "an expression that does not compile"),
    ("bad-foreach", "a `foreach` over something that is no list"),
    ("bad-form", "a form with something in it that cannot be asked"),
    ("bad-host", "a host or a web page that is not written like one"),
    ("bad-interval", "an interval that is too short"),
    ("bad-issuer", "an issuer of tokens without an audience, keys or algorithms that can be used"),
    ("bad-key", "a key that is not said, is said in two ways, or has a hash or an expiry that is none"),
    ("bad-moment", "text that is no moment, or one that clocks skip"),
    ("bad-name", "a name with characters that names cannot have"),
    ("bad-option", "a default answer that is not among the options"),
    ("bad-pattern", "a regular expression that does not compile"),
    ("bad-principal", "the name of a principal with characters that it cannot have, or one that is taken"),
    ("bad-retry", "a `retry` that never tries again, or far too often"),
    ("bad-scope", "what is said that somebody may use is no scope"),
    ("bad-template", "a template that does not compile"),
    ("bad-then", "a `then` that does not return"),
    ("bad-value", "a value that is not among the possible ones"),
    ("bad-wait", "a `wait` that is neither a duration nor a time"),
    ("bad-zone", "a time zone that does not exist"),
    ("bare-input", "an input read without `inputs.` before its name"),
    ("calculated-shell", "a text that a script would calculate with, and run if it is a command"),
    ("check-only-step", "a step that only has `validate`"),
    ("compute-callee", "a call in Python of something that is not named on the spot"),
    ("compute-import", "Python that wants a module or function which is not there"),
    ("compute-lost-change", "a value of the skill that a block changes for nothing"),
    ("compute-no-result", "a `compute` step that gives nothing"),
    ("compute-retry", "a `retry` that makes calls again which must not be repeated"),
    ("compute-slow-pattern", "a pattern in Python that is compiled again each time round a loop"),
    ("compute-syntax", "a `compute` step that is not Python"),
    ("compute-unavailable", "a `compute` step, in a build that has no `compute`"),
    ("compute-unsupported", "Python that the interpreter does not have"),
    ("cycle", "steps that wait for each other"),
    ("deep-skills", "skills that run skills too deep down, or too often"),
    ("duplicate-argument", "one argument under two names, or two under one"),
    ("duplicate-key", "a key written twice in one mapping"),
    ("duplicate-name", "two steps, inputs or outputs of one name"),
    ("duplicate-option", "the same answer twice among the options"),
    ("duplicate-output", "a result that another step overwrites"),
    ("duplicate-rule", "two heal rules of one name in a module"),
    ("duplicate-tool", "two tools of one name in a module"),
    ("empty-persona", "a persona that shows nothing"),
    ("faulty-persona", "a schedule whose persona has errors"),
    ("faulty-skill", "a step that runs a skill with errors"),
    ("file-too-large", "a file longer than what is read"),
    ("foreign-key", "a key of another system, which has a different name or no effect here"),
    ("foreign-skill", "a schedule whose persona does not have its skill"),
    ("foreign-word", "a word of another system for something that is called differently here"),
    ("forward-reference", "a template that reads what comes later"),
    ("heal-action", "a heal rule that calls nothing, or several things at once"),
    ("heal-bound", "a bound of a heal rule that is none"),
    ("heal-match", "a heal rule for every failure"),
    ("idle-keyword", "a keyword of a schema that says nothing about values of its type"),
    ("idle-scope", "a scope that opens nothing for the tenant of whoever has it"),
    ("item-outside-foreach", "`item` or `index` where nothing is repeated"),
    ("list-form", "a mapping, or nothing, where a list belongs"),
    ("listener-effect", "a listener that asks with a tool that may change something"),
    ("manual-step", "a step that only describes what a person has to do"),
    ("misplaced-step", "a step among the outputs"),
    ("missing-argument", "an argument that the tool needs and is not given"),
    ("missing-description", "something of a tool that nobody is told about"),
    ("missing-example", "a tool without an example"),
    ("missing-file", "a file that another one names and that cannot be read"),
    ("missing-input", "an input that the skill needs and is not given"),
    ("missing-key", "a key that must be there and is not"),
    ("missing-output", "a tool that does not say what it gives"),
    ("missing-undo", "a step that changes something and cannot be taken back"),
    ("name-mismatch", "a skill, tool module or persona that is not called like its file"),
    ("never-due", "a schedule that would never run"),
    ("no-steps", "a skill without a step"),
    ("not-utf8", "a file that is not text"),
    ("plain-key", "a key that is written down, where a secret belongs"),
    ("poll-effect", "a poll of a tool that does not only read"),
    ("recursive-skill", "a skill that would run itself"),
    ("reserved-name", "a result under a name that means something else in templates"),
    ("schedule-trigger", "a schedule that nothing makes due, or several things at once"),
    ("secret-in-command", "a secret on a command line, where everybody on the machine can read it"),
    ("secret-in-form", "a form that asks for a secret"),
    ("secret-outside-arguments", "a secret used anywhere but in a tool's arguments"),
    ("secret-worked-on", "a secret that is more than passed on"),
    ("self-reference", "a step that waits for itself"),
    ("skill-as-tool", "a skill run as if it were a tool, or by way of the tool `skill_run`"),
    ("skill-retry", "a `retry` that makes writes of a sub-skill again which must not be repeated"),
    ("spelled-value", "a value written as another type than it has"),
    ("spliced-shell", "a template in a script, whose value could change what the script does"),
    ("step-kind", "a step that does nothing, or several things at once"),
    ("step-outputs", "a list of outputs in a step"),
    ("stray-key", "a key that does nothing in a step or schedule of this kind"),
    ("template-in-constant", "a template where only constants are read"),
    ("templated-condition", "a condition with templates and other text around them"),
    ("then-steps", "steps inside a `then`"),
    ("too-many-edges", "steps that wait for each other too often"),
    ("unclear-shell", "a script of which it is not certain what a shell makes of it with values"),
    ("undeclared-command", "a command that a module runs and does not say it requires"),
    ("undo-on-read", "an `undo` for a step that changes nothing"),
    ("unfit-result", "a canned result that the tool would not give"),
    ("unknown-argument", "an argument that the tool does not have"),
    ("unknown-channel", "a channel that is not configured"),
    ("unknown-env", "an environment variable that is not declared"),
    ("unknown-field", "a field that the value does not have"),
    ("unknown-input", "an input that the skill does not have"),
    ("unknown-key", "a key that has no meaning where it stands"),
    ("unknown-module", "a tool module that does not exist"),
    ("unknown-persona", "a persona that does not exist"),
    ("unknown-reference", "a name in a template or expression that nothing defines"),
    ("unknown-role", "a role that nothing says the rights of"),
    ("unknown-secret", "a secret that is not configured"),
    ("unknown-skill", "a skill that does not exist"),
    ("unknown-step", "a step that the skill does not have, or that does not do what is said of it"),
    ("unknown-tool", "a tool that does not exist"),
    ("unquoted-template", "a template without quotes, which YAML takes for a mapping"),
    ("unreachable-step", "a step after one that always ends the skill"),
    ("unread-answer", "a question whose answer decides nothing"),
    ("unused-answer", "a canned answer that nothing has asked for"),
    ("unused-default", "a default that is never used"),
    ("unused-input", "an input that nothing reads"),
    ("validate-command", "a command in `validate`"),
    ("validate-form", "a `validate` in the form of another system"),
    ("write-retry", "a `retry` that does not cover failures after which a write may have acted"),
    ("written-secret", "a secret that is written down where only a reference to one may stand"),
    ("wrong-type", "a value of another type than the key has"),
    ("yaml-alias", "an alias that cannot be followed"),
    ("yaml-budget", "a file that unfolds to too much"),
    ("yaml-documents", "more than one document in a file"),
    ("yaml-key", "a key that is not text"),
    ("yaml-number", "a number that readers of YAML take for different values, or that no number can hold"),
    ("yaml-syntax", "text that is not YAML"),
    ("yaml-tag", "a tag, which has no meaning here"),
];

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works, but is likely not what was meant.
    Warning,
    /// Cannot run.
    Error,
}

/// One problem, with its place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code in kebab case, e.g. `unknown-key`.
    pub code: &'static str,
    /// Whether it stops a run.
    pub severity: Severity,
    /// One line, lower case, literals in back-ticks, no full stop.
    pub message: String,
    /// The text it is in.
    pub source: Source,
    /// Where in that text.
    pub span: Span,
    /// Words for the marked place; empty when the message says it all.
    pub label: String,
    /// What to do, as a sentence fragment; empty when there is nothing to add.
    pub hint: String,
    /// What it is about, for those who count: the name of a missing tool, an argument as
    /// `tool.argument`; often empty.
    pub subject: String,
    /// Changes to the text that do away with it, where it is clear what was meant.
    pub fix: Vec<Edit>,
}

impl Diagnostic {
    /// An error at a span.
    pub fn error(code: &'static str, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            source: source.clone(),
            span,
            label: String::new(),
            hint: String::new(),
            subject: String::new(),
            fix: Vec::new(),
        }
    }

    /// A warning at a span.
    pub fn warning(code: &'static str, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, source, span, message) }
    }

    /// Adds words for the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Adds the changes that do away with it.
    #[must_use]
    pub fn fix(mut self, edits: Vec<Edit>) -> Self {
        self.fix = edits;
        self
    }

    /// Adds the known name that was most likely meant, or else all of them when they are few.
    #[must_use]
    pub fn suggest<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match crate::name::suggest(wrong, known.iter().copied()) {
            Some(meant) => {
                let typo = crate::name::slip(wrong, known.iter().copied());
                let edit = typo.and_then(|meant| fix::word(&self.source, self.span, wrong, meant));
                self.hint(format!("did you mean `{meant}`?")).fix(edit.into_iter().collect())
            }
            None if (1..=16).contains(&known.len()) => {
                self.hint(format!("known: {}", crate::name::list(&known)))
            }
            None => self,
        }
    }

    /// Line and column where it starts.
    pub fn place(&self) -> Place {
        self.source.place(self.span.start)
    }
}

/// True when any of them stops a run.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

#[cfg(test)]
mod tests;
