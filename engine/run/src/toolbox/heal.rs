//! The heal rules of all modules, the nearest first.

use std::collections::BTreeSet;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::heal::{HealPlan, HealRule, compile};
use aa_spec::plan::Action;
use aa_spec::source::Source;
use aa_spec::tool::ToolSpec;

use super::{Entry, Toolbox};

/// A heal rule, and where it stands.
#[derive(Clone, Debug)]
pub struct HealEntry {
    /// The rule.
    pub plan: HealPlan,
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
            problems: self.action_problems(&plan, rule, source),
            plan,
            description: rule.description.as_ref().map_or("", |text| text.value.trim()).to_owned(),
            layer: entry.text.layer.clone(),
            place: format!("{}:{}", source.path, source.place(rule.name.span.start).line),
            source: source.clone(),
            enabled: rule.enabled.unwrap_or(true),
        }
    }

    /// What a rule calls, held against what is there. Skills are looked at by whoever knows them.
    fn action_problems(&self, plan: &HealPlan, rule: &HealRule, source: &Source) -> Vec<Diagnostic> {
        let (Action::Tool { tool: name, args, .. }, Some(written)) = (&plan.action, &rule.r#do.tool) else {
            return Vec::new();
        };
        let error = |code, message: String| Diagnostic::error(code, source, written.span, message);
        let Some(tool) = self.tool(name) else {
            let names = self.names();
            let problem = error("unknown-tool", format!("there is no tool `{}`", written.value));
            return vec![problem.suggest(&written.value, names.iter().map(String::as_str))];
        };
        let (known, required) = arguments(tool.spec());
        let unknown = args.keys().filter(|arg| !known.contains(&arg.as_str()));
        let unknown = unknown.map(|arg| {
            let problem = error("unknown-argument", format!("`{name}` has no argument `{arg}`"));
            problem.suggest(arg, known.iter().copied())
        });
        let missing = required.iter().filter(|arg| !args.contains_key(**arg));
        let missing = missing.map(|arg| error("missing-argument", format!("`{name}` needs `{arg}`")));
        unknown.chain(missing).collect()
    }
}

/// The arguments that a tool has, and those that it needs.
fn arguments(spec: &ToolSpec) -> (Vec<&str>, Vec<&str>) {
    let known = spec.input["properties"].as_object().into_iter().flat_map(|properties| properties.keys());
    let required = spec.input["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
    (known.map(String::as_str).collect(), required.collect())
}
