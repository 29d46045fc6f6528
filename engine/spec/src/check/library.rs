//! Skills by name, each read and checked once however many steps run it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{Catalog, Checker, Strictness};
use crate::compute::{Block, CalleeKind};
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::name::fold;
use crate::plan::{Action, SkillPlan, StepPlan};
use crate::source::Source;

/// Skills in skills, counted from the outside.
const DEEPEST: usize = 32;
/// Steps of a skill, those of the skills it runs counted every time.
const MOST_STEPS: usize = 100_000;

pub(super) struct Library<'c> {
    pub(super) catalog: &'c dyn Catalog,
    pub(super) strictness: Strictness,
    pub(super) secrets: Vec<String>,
    pub(super) config: Value,
    /// Errors in the skills that others run.
    pub(super) problems: Vec<Diagnostic>,
    /// Skills that ask or wait somewhere, by canonical name.
    pausing: BTreeSet<String>,
    /// Steps of skills, all told.
    sizes: BTreeMap<String, usize>,
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
        Self {
            catalog,
            strictness,
            secrets,
            config,
            problems: Vec::new(),
            pausing: BTreeSet::new(),
            sizes: BTreeMap::new(),
            done: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    /// Reads one text.
    pub(super) fn read(&mut self, source: &Source) -> (Option<SkillPlan>, Vec<Diagnostic>) {
        let (skill, mut diagnostics) = crate::dialect::read(source);
        self.strictness.lower(&mut diagnostics);
        let plan = skill.map(|mut skill| {
            self.open.push(fold(&skill.name.value));
            let mut checker = Checker::new(source, self);
            checker.skills_as_tools(&mut skill);
            let plan = checker.skill(&skill);
            diagnostics.append(&mut checker.diagnostics);
            diagnostics.extend(crate::schedule::check(&skill, source));
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
            let outer = self.strictness;
            self.strictness.lenient |= self.catalog.is_lenient(name);
            let plan = self.read_named(name, &source);
            self.strictness = outer;
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
        let steps = plan.as_ref().map(|plan| plan.steps.as_slice()).unwrap_or_default();
        if steps.iter().any(|step| self.pauses(&step.action)) {
            self.pausing.insert(name.to_owned());
        }
        self.sizes.insert(name.to_owned(), self.size(steps));
        self.problems.extend(diagnostics.into_iter().filter(|problem| problem.severity == Severity::Error));
        // The name that steps use, whatever the file calls itself.
        plan.filter(|_| !faulty).map(|plan| Arc::new(SkillPlan { name: name.to_owned(), ..plan }))
    }

    /// Whether steps come to more than any run can hold.
    pub(super) fn is_too_large(&self, steps: &[StepPlan]) -> bool {
        self.size(steps) > MOST_STEPS
    }

    fn size(&self, steps: &[StepPlan]) -> usize {
        let size_of = |skill: &str| self.sizes.get(skill).copied().unwrap_or_default();
        let size = |step: &StepPlan| match &step.action {
            Action::Skill { skill, .. } => size_of(skill).saturating_add(1),
            Action::Compute { block } => skills_of(block).map(size_of).fold(1, usize::saturating_add),
            _ => 1,
        };
        steps.iter().map(size).fold(0, usize::saturating_add)
    }

    /// Whether an action asks or waits, by itself or in the skill it runs.
    pub(super) fn pauses(&self, action: &Action) -> bool {
        match action {
            Action::Confirm { .. } | Action::WaitFor { .. } | Action::WaitUntil { .. } => true,
            Action::Skill { skill, .. } => self.pausing.contains(skill),
            Action::Compute { block } => skills_of(block).any(|skill| self.pausing.contains(skill)),
            Action::Tool { .. } | Action::Return { .. } => false,
        }
    }

    /// Those that were read besides the first.
    pub(super) fn skills(&self) -> impl Iterator<Item = &SkillPlan> {
        self.done.values().flatten().map(|plan| &**plan)
    }

    /// All that were read besides the first.
    pub(super) fn into_skills(self) -> BTreeMap<String, SkillPlan> {
        let plans = self.done.into_iter().filter_map(|(name, plan)| Some((name, plan?)));
        plans.map(|(name, plan)| (name, Arc::unwrap_or_clone(plan))).collect()
    }
}

/// The skills that a block may run.
fn skills_of(block: &Block) -> impl Iterator<Item = &str> {
    let skills = block.calls.iter().filter(|(_, callee)| callee.kind == CalleeKind::Skill);
    skills.map(|(name, _)| name.as_str())
}
