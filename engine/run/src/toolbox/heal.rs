//! The heal rules of all modules, the nearest first.

use std::collections::BTreeSet;

use aa_spec::check::tool_call;
use aa_spec::diagnostic::Diagnostic;
use aa_spec::heal::{HealPlan, HealRule, compile};
use aa_spec::source::Source;
use aa_spec::yaml::Spanned;

use super::{Entry, Toolbox};

/// A heal rule, and where it stands.
#[derive(Clone, Debug)]
pub struct HealEntry {
    /// The rule.
    pub plan: HealPlan,
    /// The same as it is written.
    pub rule: HealRule,
    /// What it mends; may be empty.
    pub description: String,
    /// `project`, `user`, `shipped` or a configured folder.
    pub layer: String,
    /// The file and line it is written in.
    pub place: String,
    /// The text of its module.
    pub source: Source,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Why what it calls cannot work.
    pub problems: Vec<Diagnostic>,
}

impl Toolbox {
    /// Every heal rule, the nearest first; one of a nearer folder hides those of the same name.
    /// Parses only modules that have any.
    pub fn heal_rules(&self) -> Vec<HealEntry> {
        let mut seen = BTreeSet::new();
        let mut rules = Vec::new();
        for entry in self.shelf.wanted().filter(|entry| entry.mentions("heal:")) {
            let Some(module) = &entry.parsed().module else { continue };
            for rule in &module.heal {
                let Ok(plan) = compile(rule, &entry.text.source) else { continue };
                if seen.insert(plan.name.clone()) {
                    rules.push(self.heal_entry(entry, rule, plan));
                }
            }
        }
        rules
    }

    /// What is wrong with modules that may have heal rules, and so have none.
    pub fn heal_problems(&self) -> Vec<Diagnostic> {
        let broken = self.shelf.wanted().filter(|entry| entry.mentions("heal:"));
        broken
            .filter(|entry| entry.parsed().module.is_none())
            .flat_map(|entry| entry.parsed().diagnostics.clone())
            .collect()
    }

    fn heal_entry(&self, entry: &Entry, rule: &HealRule, plan: HealPlan) -> HealEntry {
        let source = &entry.text.source;
        HealEntry {
            problems: self.action_problems(rule, source),
            plan,
            rule: rule.clone(),
            description: rule.description.as_ref().map_or("", |text| text.value.trim()).to_owned(),
            layer: entry.text.layer.clone(),
            place: format!("{}:{}", source.path, source.place(rule.name.span.start).line),
            source: source.clone(),
            enabled: rule.enabled.unwrap_or(true),
        }
    }

    /// What a rule calls, held against what is there. Skills are looked at by whoever knows them.
    fn action_problems(&self, rule: &HealRule, source: &Source) -> Vec<Diagnostic> {
        let Some(written) = &rule.r#do.tool else { return Vec::new() };
        match self.tool(&written.value) {
            Some(tool) => tool_call(rule, tool.spec(), source),
            None => self.no_such_tool(written, &[], source).into_iter().collect(),
        }
    }

    /// That a rule calls a tool which is not there, unless a server that nobody has asked may have it. Those that are
    /// near are there, too, though the toolbox does not know them.
    pub(crate) fn no_such_tool(
        &self,
        wanted: &Spanned<String>,
        near: &[&str],
        source: &Source,
    ) -> Option<Diagnostic> {
        if self.may_have(&wanted.value) {
            return None;
        }
        let message = format!("there is no tool `{}`", wanted.value);
        let problem =
            Diagnostic::error("unknown-tool", source, wanted.span, message).about(wanted.value.clone());
        let names = self.names();
        let known = near.iter().copied().chain(names.iter().map(String::as_str));
        Some(problem.suggest(&wanted.value, known))
    }
}
