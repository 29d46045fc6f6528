//! Skills by name, each read and checked once however many steps run it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{Catalog, Checker, Strictness};
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::name::fold;
use crate::plan::{Action, SkillPlan};
use crate::skill::Skill;
use crate::source::Source;

/// Skills in skills, counted from the outside.
const DEEPEST: usize = 32;

pub(super) struct Library<'c> {
    pub(super) catalog: &'c dyn Catalog,
    pub(super) strictness: Strictness,
    pub(super) secrets: Vec<String>,
    pub(super) config: Value,
    /// Errors in the skills that others run.
    pub(super) problems: Vec<Diagnostic>,
    /// Skills that ask or wait somewhere, by canonical name.
    pausing: BTreeSet<String>,
    /// Canonical name to plan; `None` when it has errors.
    done: BTreeMap<String, Option<Arc<SkillPlan>>>,
    /// Canonical names of the skills being read, outermost first.
    open: Vec<String>,
}

/// What became of a skill that a step runs.
pub(super) enum Lookup {
    /// It is fine, apart from warnings.
    Found(Arc<SkillPlan>),
    /// It has errors, which are reported.
    Faulty,
    /// No skill has that name.
    Unknown,
    /// It is being read: it runs itself, by way of these.
    Recursive(Vec<String>),
    /// Too many skills in skills.
    TooDeep,
}

impl<'c> Library<'c> {
    pub(super) fn new(catalog: &'c dyn Catalog, strictness: Strictness) -> Self {
        let (secrets, config) = (catalog.secret_names(), catalog.config());
        let (problems, pausing, done, open) = (Vec::new(), BTreeSet::new(), BTreeMap::new(), Vec::new());
        Self { catalog, strictness, secrets, config, problems, pausing, done, open }
    }

    /// Reads one text.
    pub(super) fn read(&mut self, source: &Source) -> (Option<SkillPlan>, Vec<Diagnostic>) {
        let (skill, mut diagnostics) = crate::shape::read::<Skill>(source);
        let plan = skill.map(|skill| {
            self.open.push(fold(&skill.name.value));
            let mut checker = Checker::new(source, self);
            let plan = checker.skill(&skill);
            diagnostics.append(&mut checker.diagnostics);
            self.open.pop();
            plan
        });
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        (plan, diagnostics)
    }

    /// The skill of a canonical name, with all the skills it runs.
    pub(super) fn skill(&mut self, name: &str) -> Lookup {
        if let Some(first) = self.open.iter().position(|open| open == name) {
            return Lookup::Recursive(self.open[first..].to_vec());
        }
        if !self.done.contains_key(name) {
            if self.open.len() >= DEEPEST {
                return Lookup::TooDeep;
            }
            let Some(source) = self.catalog.skill(name) else { return Lookup::Unknown };
            let plan = self.read_named(name, &source);
            self.done.insert(name.to_owned(), plan);
        }
        match self.done.get(name) {
            Some(Some(plan)) => Lookup::Found(Arc::clone(plan)),
            _ => Lookup::Faulty,
        }
    }

    fn read_named(&mut self, name: &str, source: &Source) -> Option<Arc<SkillPlan>> {
        let (plan, diagnostics) = self.read(source);
        let faulty = has_errors(&diagnostics);
        if plan.as_ref().is_some_and(|plan| plan.steps.iter().any(|step| self.pauses(&step.action))) {
            self.pausing.insert(name.to_owned());
        }
        self.problems.extend(diagnostics.into_iter().filter(|problem| problem.severity == Severity::Error));
        // The name that steps use, whatever the file calls itself.
        plan.filter(|_| !faulty).map(|plan| Arc::new(SkillPlan { name: name.to_owned(), ..plan }))
    }

    /// Whether an action asks or waits, by itself or in the skill it runs.
    pub(super) fn pauses(&self, action: &Action) -> bool {
        match action {
            Action::Confirm { .. } | Action::WaitFor { .. } | Action::WaitUntil { .. } => true,
            Action::Skill { skill, .. } => self.pausing.contains(skill),
            Action::Tool { .. } | Action::Return { .. } => false,
        }
    }

    /// All that were read besides the first.
    pub(super) fn into_skills(self) -> BTreeMap<String, SkillPlan> {
        let plans = self.done.into_iter().filter_map(|(name, plan)| Some((name, plan?)));
        plans.map(|(name, plan)| (name, Arc::unwrap_or_clone(plan))).collect()
    }
}
