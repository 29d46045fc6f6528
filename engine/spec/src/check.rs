//! Authored skill to canonical plan: every reference resolved, every problem collected.
//!
//! A check never stops at the first problem: whatever is wrong with one step, the
//! others are looked at as if it were right. Codes of all problems are in
//! [`crate::diagnostic::CODES`].

mod action;
mod answer;
mod argument;
mod bare;
#[cfg(feature = "compute")]
mod compute;
mod declaration;
mod fit;
mod form;
mod heal;
mod library;
mod names;
mod nowhere;
mod order;
mod place;
mod reference;
mod schedule;
mod script;
mod skill;
pub(crate) mod spelling;
mod step;
mod sub_skill;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::heal::{skill_call, tool_call};
use self::library::Library;
use self::names::Names;
pub use self::nowhere::Nowhere;
use self::place::Lines;
pub use self::schedule::{Missed, Personas, check_uses};
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::heal::HealPlan;
use crate::plan::{FORMAT, Plan, SkillPlan};
use crate::source::{Source, Span};
use crate::template::Segment;
use crate::tool::ToolSpec;

/// What a skill may refer to. Implemented by whoever knows the tools and skills.
pub trait Catalog {
    /// The tool of that name (`-` and `_` are the same letter).
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>>;
    /// Whether a tool puts an argument on a command line, which everybody on the machine can read. Only asked for
    /// arguments with a secret in them.
    fn is_on_command_line(&self, _tool: &str, _argument: &str) -> bool {
        false
    }
    /// Whether there may be a tool of that name that is not known yet: of a server that nobody has asked.
    fn may_have_tool(&self, _name: &str) -> bool {
        false
    }
    /// Every tool name, for suggestions. May be slow: only called on errors.
    fn tool_names(&self) -> Vec<String>;
    /// The text of the skill of that name.
    fn skill(&self, name: &str) -> Option<Source>;
    /// Whether a skill is from a folder that is read leniently.
    fn is_lenient(&self, _name: &str) -> bool {
        false
    }
    /// Every skill name, for suggestions. Only called on errors.
    fn skill_names(&self) -> Vec<String>;
    /// The heal rules for failures of these tools, the nearest first; an empty name stands for what is no tool. Only asked
    /// for when a step may need them.
    fn heal_rules(&self, _tools: &[String]) -> Vec<HealPlan> {
        Vec::new()
    }
    /// Names of the configured secrets.
    fn secret_names(&self) -> Vec<String>;
    /// The `values:` of the configuration, which skills see as `config`.
    fn config(&self) -> serde_json::Value;
}

/// How strictly to read a skill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strictness {
    /// Unknown names become warnings and read as null.
    pub lenient: bool,
    /// Also ask for what is merely good practice, e.g. `undo` on writes.
    pub strict: bool,
}

/// What a lenient reading only warns of: it is left out, or reads as null.
const LOWERED: [&str; 4] = ["skill-as-tool", "step-outputs", "unknown-key", "validate-command"];

impl Strictness {
    /// Makes warnings of the problems that a lenient reading can live with.
    fn lower(self, diagnostics: &mut [Diagnostic]) {
        let lowered = diagnostics.iter_mut().filter(|found| self.lenient && LOWERED.contains(&found.code));
        lowered.for_each(|found| found.severity = Severity::Warning);
    }
}

/// Reads and checks one skill, and the skills it runs.
///
/// Returns the plan when there is no error among the diagnostics. Those of the skill
/// come first, in the order of its text, then the errors of the skills it runs.
pub fn check(
    source: &Source,
    catalog: &dyn Catalog,
    strictness: Strictness,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut library = Library::new(catalog, strictness);
    let (skill, mut diagnostics) = library.read(source);
    diagnostics.append(&mut library.problems);
    let Some(skill) = skill.filter(|_| !has_errors(&diagnostics)) else { return (None, diagnostics) };
    let heal = library.heal_rules(&skill);
    (Some(Plan { format: FORMAT, skill, skills: library.into_skills(), heal }), diagnostics)
}

/// The heal rules that a skill may need which nobody has written, and the skills that they run.
pub fn heal_rules(skill: &SkillPlan, catalog: &dyn Catalog) -> (Vec<HealPlan>, BTreeMap<String, SkillPlan>) {
    let mut library = Library::new(catalog, Strictness::default());
    (library.heal_rules(skill), library.into_skills())
}

/// The check of one skill.
struct Checker<'a, 'c> {
    source: &'a Source,
    lines: Lines,
    library: &'a mut Library<'c>,
    names: Names,
    /// Inputs that something reads.
    used_inputs: BTreeSet<String>,
    /// The way to an item of the step that is looked at.
    item_source: Option<Vec<Segment>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a, 'c> Checker<'a, 'c> {
    fn new(source: &'a Source, library: &'a mut Library<'c>) -> Self {
        let lines = Lines::of(&source.text);
        let (names, used_inputs, diagnostics) = (Names::default(), BTreeSet::new(), Vec::new());
        Self { source, lines, library, names, used_inputs, item_source: None, diagnostics }
    }

    fn error(&self, code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, span, message)
    }

    fn warning(&self, code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, self.source, span, message)
    }

    /// A problem that a lenient reading only warns of, because the name reads as null.
    fn unknown(&self, code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        let severity = if self.library.strictness.lenient { Severity::Warning } else { Severity::Error };
        Diagnostic { severity, ..self.error(code, span, message) }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

#[cfg(test)]
mod tests;
