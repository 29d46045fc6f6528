//! What can be known of a skill before it runs: names, dependents, what templates ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aa_spec::heal::HealPlan;
use aa_spec::name::fold;
use aa_spec::plan::{Action, Plan, SkillPlan, StepPlan};
use aa_spec::skill::{AsTask, OnFailure};
use aa_spec::template::{Expression, Template};
use aa_spec::tool::Effect;
use serde_json::Value;

/// A skill of the plan, prepared once and shared by all frames that run it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    text: Text,
    /// Step indices in the order of their names.
    by_name: Vec<usize>,
    /// For each step, the steps that wait for it.
    pub(super) dependents: Vec<Vec<usize>>,
    /// For each step, how many steps it waits for.
    pub(super) needs: Vec<usize>,
    /// Steps that templates ask about through `steps.NAME`; `None` for all of them.
    asked: Option<BTreeSet<usize>>,
    /// Output variables that several steps set.
    shared: BTreeSet<String>,
}

/// Where a layout's steps are.
#[derive(Clone, Debug)]
enum Text {
    /// The skill that the plan is about.
    Main(Arc<Plan>),
    /// A sub-skill of it.
    Sub(Arc<Plan>, String),
    /// The calls of one block, as far as it has made them.
    Script(Box<SkillPlan>),
}

impl Layout {
    /// Prepares every skill of a plan; the one that runs comes first.
    pub(super) fn prepare(plan: &Arc<Plan>) -> (Arc<Self>, BTreeMap<String, Arc<Self>>) {
        let nested =
            |name: &String| (name.clone(), Arc::new(Self::new(Text::Sub(Arc::clone(plan), name.clone()))));
        (Arc::new(Self::new(Text::Main(Arc::clone(plan)))), plan.skills.keys().map(nested).collect())
    }

    /// No steps yet, of a block in this skill.
    pub(super) fn script(skill: &str) -> Self {
        Self::new(Text::Script(Box::new(SkillPlan {
            name: skill.to_owned(),
            description: String::new(),
            inputs: Vec::new(),
            defaults: Value::Null,
            env: Vec::new(),
            lenient: false,
            timeout_ms: None,
            on_failure: OnFailure::Stop,
            concurrency: 1,
            as_task: AsTask::Auto,
            steps: Vec::new(),
            outputs: Vec::new(),
        })))
    }

    /// One more call of a block.
    pub(super) fn grow(&mut self, step: StepPlan) {
        if let Text::Script(calls) = &mut self.text {
            calls.steps.push(step);
            self.dependents.push(Vec::new());
            self.needs.push(0);
        }
    }

    fn new(text: Text) -> Self {
        let mut layout = Self {
            text,
            by_name: Vec::new(),
            dependents: Vec::new(),
            needs: Vec::new(),
            asked: None,
            shared: BTreeSet::new(),
        };
        let steps = &layout.skill().steps;
        let mut by_name: Vec<usize> = (0..steps.len()).collect();
        by_name.sort_by(|a, b| steps[*a].name.cmp(&steps[*b].name));

        let mut dependents = vec![Vec::new(); steps.len()];
        let mut needs = vec![0; steps.len()];
        for (index, step) in steps.iter().enumerate() {
            let wanted: BTreeSet<usize> =
                step.needs.iter().copied().filter(|need| *need < steps.len()).collect();
            needs[index] = wanted.len();
            for need in wanted {
                dependents[need].push(index);
            }
        }
        let shared = shared_outputs(steps);
        layout.by_name = by_name;
        layout.dependents = dependents;
        layout.needs = needs;
        layout.shared = shared;
        layout.asked = layout.all_asked();
        layout
    }

    /// The checked skill.
    pub(super) fn skill(&self) -> &SkillPlan {
        match &self.text {
            Text::Main(plan) => &plan.skill,
            Text::Sub(plan, name) => plan.skills.get(name).unwrap_or(&plan.skill),
            Text::Script(calls) => calls,
        }
    }

    /// The heal rules of the plan; none where it is not about the plan's own skill.
    pub(super) fn heal_rules(&self) -> &[HealPlan] {
        match &self.text {
            Text::Main(plan) => &plan.heal,
            Text::Sub(..) | Text::Script(_) => &[],
        }
    }

    /// One of its steps.
    pub(super) fn step(&self, index: usize) -> Option<&StepPlan> {
        self.skill().steps.get(index)
    }

    /// The step of that name, spelled as in the plan.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let steps = &self.skill().steps;
        if let Text::Script(calls) = &self.text {
            let number: usize = name.split_once('_')?.0.parse().ok()?;
            // The call of a heal rule is alone in its frame, whatever its number.
            let at = number.checked_sub(1)?.min(calls.steps.len().saturating_sub(1));
            return calls.steps.get(at).is_some_and(|step| step.name == name).then_some(at);
        }
        let at = self.by_name.binary_search_by(|index| steps[*index].name.as_str().cmp(name)).ok()?;
        Some(self.by_name[at])
    }

    /// Whether several steps set this variable, so that a skipped one must leave it alone.
    pub(super) fn is_shared(&self, output: &str) -> bool {
        self.shared.contains(output)
    }

    /// Whether what a step works on comes, at whatever hand, from one that changes something.
    pub(super) fn rests_on_change(&self, index: usize) -> bool {
        let (mut seen, mut left) = (BTreeSet::from([index]), vec![index]);
        while let Some(step) = left.pop().and_then(|at| self.step(at)) {
            let read = Read::by(step);
            for (at, of) in self.skill().steps.iter().enumerate().filter(|(_, of)| read.has(of)) {
                if of.effect != Effect::Read {
                    return true;
                }
                if seen.insert(at) {
                    left.push(at);
                }
            }
        }
        false
    }

    /// Whether a template asks how this step went.
    pub(super) fn is_asked(&self, index: usize) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(&index))
    }

    fn all_asked(&self) -> Option<BTreeSet<usize>> {
        let skill = self.skill();
        let outputs = skill.outputs.iter().map(|output| Source::Template(&output.value));
        if skill.steps.iter().any(reads_steps) {
            return None;
        }
        let mut asked = BTreeSet::new();
        for source in skill.steps.iter().flat_map(sources).chain(outputs) {
            for path in source.references("steps") {
                let mut parts = path.split('.');
                match (parts.next(), parts.next()) {
                    (Some("steps"), None) => return None,
                    (Some("steps"), Some(name)) => asked.extend(self.find(name)),
                    _ => {}
                }
            }
        }
        Some(asked)
    }
}

/// The paths that a step's templates and block read.
struct Read(BTreeSet<String>);

impl Read {
    fn by(step: &StepPlan) -> Self {
        let mut paths: BTreeSet<String> = sources(step).iter().flat_map(Source::all_references).collect();
        if let Action::Compute { block } = &step.action {
            paths.extend(block.reads.iter().cloned());
        }
        Self(paths)
    }

    /// Whether the result of a step is among them.
    fn has(&self, of: &StepPlan) -> bool {
        let name = fold(&of.name);
        self.0.iter().any(|path| {
            let mut parts = path.split('.');
            match (parts.next(), parts.next()) {
                (Some("steps"), asked) => asked.is_none_or(|asked| asked == name),
                (root, _) => root == Some(&of.output),
            }
        })
    }
}

/// Whether a step's block may look at how any step went.
fn reads_steps(step: &StepPlan) -> bool {
    matches!(&step.action, Action::Compute { block } if block.reads.iter().any(|name| name == "steps"))
}

/// Names of the secrets that a plan's templates mention.
pub(super) fn secret_names(plan: &Plan) -> Vec<String> {
    let steps = plan.skills.values().chain([&plan.skill]).flat_map(|skill| &skill.steps);
    let paths = steps.flat_map(sources).flat_map(|source| source.references("secrets"));
    let names: BTreeSet<String> = paths
        .filter_map(|path| {
            let rest = path.strip_prefix("secrets.")?;
            Some(rest.split('.').next().unwrap_or(rest).to_owned())
        })
        .collect();
    names.into_iter().collect()
}

/// An expression or template of a step.
#[derive(Clone, Copy)]
enum Source<'a> {
    Expression(&'a Expression),
    Template(&'a Template),
}

impl Source<'_> {
    /// The paths it reads.
    fn all_references(&self) -> BTreeSet<String> {
        match self {
            Self::Expression(expression) => expression.references(),
            Self::Template(template) => template.references(),
        }
    }

    /// The paths it reads, if its text holds this word at all: analysis costs more than a look.
    fn references(&self, word: &str) -> BTreeSet<String> {
        match self {
            Self::Expression(expression) if expression.source().contains(word) => expression.references(),
            Self::Template(template) if mentions(template.source(), word) => template.references(),
            _ => BTreeSet::new(),
        }
    }
}

fn mentions(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text.contains(word),
        Value::Array(values) => values.iter().any(|value| mentions(value, word)),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains(word) || mentions(value, word)),
        _ => false,
    }
}

fn sources(step: &StepPlan) -> Vec<Source<'_>> {
    let mut all: Vec<Source<'_>> = match &step.action {
        Action::Tool { args, .. } | Action::Skill { args, .. } => {
            args.values().map(Source::Template).collect()
        }
        Action::Compute { .. } => Vec::new(),
        Action::Confirm { message, .. } => vec![Source::Template(message)],
        Action::WaitFor { duration: template }
        | Action::WaitUntil { until: template }
        | Action::Return { value: template } => vec![Source::Template(template)],
    };
    all.extend(step.condition.as_ref().map(Source::Expression));
    all.extend(step.foreach.as_ref().map(|foreach| Source::Template(&foreach.items)));
    let retry = step.retry.as_ref().and_then(|retry| retry.when.as_ref());
    all.extend(retry.map(Source::Expression));
    all.extend(step.undo.iter().flat_map(|undo| undo.args.values()).map(Source::Template));
    for validation in &step.validate {
        all.push(Source::Expression(&validation.condition));
        all.extend(validation.message.as_ref().map(Source::Template));
    }
    all
}

fn shared_outputs(steps: &[StepPlan]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    steps.iter().filter(|step| !seen.insert(step.output.as_str())).map(|step| step.output.clone()).collect()
}
