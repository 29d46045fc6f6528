//! What a run would do, as far as that is known before it: a plan with its inputs put in.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Action, Plan, SkillPlan, StepPlan, digest};
use crate::heal::HealPlan;
use crate::name::fold;
use crate::template::{Expression, Missing, Scope, Template, seal};
use crate::tool::Effect;

/// What would happen: the plan with all that can be resolved before a run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResolvedPlan {
    /// Canonical name of the skill.
    pub skill: String,
    /// Hash over plan, inputs and all that is resolved, for `--plan`.
    pub hash: String,
    /// What a run may do at worst, see [`Plan::effect`].
    #[serde(skip)]
    pub effect: Effect,
    /// Bound inputs.
    pub inputs: Map<String, Value>,
    /// The steps, in the order of the file, those of sub-skills after the step that runs them.
    pub steps: Vec<ResolvedStep>,
}

/// One step of a [`ResolvedPlan`].
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResolvedStep {
    /// Name; `sub/step` for steps of sub-skills.
    pub name: String,
    /// `tool git_log`, `confirm`, `wait` …
    pub action: String,
    /// Names of the steps it waits for.
    pub needs: Vec<String>,
    /// What it does to the world.
    pub effect: Effect,
    /// Arguments; what only the run can know stays a template.
    pub args: Value,
    /// Its condition, or what it comes to when that is known.
    pub condition: Option<Value>,
    /// The list it runs over, or the template that gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreach: Option<Value>,
    /// Secrets that it uses, those included that the modules of its tools are configured with.
    pub secrets: Vec<String>,
    /// Hosts and commands that it touches, where known.
    pub touches: Vec<String>,
    /// Whether a person is asked.
    pub approval: bool,
    /// Whether it can be taken back.
    pub undo: bool,
    /// Heal rules that may act when it fails, in the order in which they are tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heals: Vec<ResolvedHeal>,
    /// Median duration of earlier runs, in milliseconds.
    pub expected_ms: Option<u64>,
}

/// What may be done about a failure of a step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResolvedHeal {
    /// Name of the rule.
    pub rule: String,
    /// What it calls: `tool kube_login`, `skill reconnect`.
    pub action: String,
    /// What that does to the world.
    pub effect: Effect,
}

/// What is known before a run.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Bound inputs.
    pub inputs: &'a Map<String, Value>,
    /// The `values:` of the configuration.
    pub config: &'a Value,
    /// The declared environment variables.
    pub env: &'a Map<String, Value>,
    /// What defines each tool that may be called, by name.
    pub tools: &'a BTreeMap<String, String>,
}

/// What a tool touches whatever it is called with, as far as that is known without a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Hosts and commands.
    pub places: Vec<String>,
    /// Names of the secrets that its module is configured with.
    pub secrets: BTreeSet<String>,
}

/// Resolves what can be resolved.
///
/// `touches` tells what a tool touches; hosts of addresses among the arguments are found without it.
pub fn resolve(plan: &Plan, known: Known<'_>, touches: &dyn Fn(&str) -> Touched) -> ResolvedPlan {
    let mut resolver = Resolver { plan, known, touches, steps: Vec::new() };
    resolver.skill(&plan.skill, known.inputs, "");
    let steps = resolver.steps;
    // Whoever has agreed to a plan has agreed to what its tools did then, and to what it read.
    let read = [json!(known.inputs), json!(known.config), json!(known.env)];
    let identity = json!([plan.hash(), read, known.tools, steps]).to_string();
    ResolvedPlan {
        skill: plan.skill.name.clone(),
        hash: digest(identity),
        effect: plan.effect(),
        inputs: known.inputs.clone(),
        steps,
    }
}

struct Resolver<'a> {
    plan: &'a Plan,
    known: Known<'a>,
    touches: &'a dyn Fn(&str) -> Touched,
    steps: Vec<ResolvedStep>,
}

/// What the templates of one skill can be resolved with.
struct Frame<'a> {
    scope: Scope,
    inputs: &'a Map<String, Value>,
}

impl Resolver<'_> {
    fn skill(&mut self, skill: &SkillPlan, inputs: &Map<String, Value>, prefix: &str) {
        let mut scope = Scope::default();
        scope.set("inputs", &Value::Object(inputs.clone()));
        scope.set("config", self.known.config);
        scope.set("env", &Value::Object(self.known.env.clone()));
        scope.set("defaults", &skill.defaults);
        scope.set_secrets(&Vec::from_iter(secrets_of(skill)));
        let frame = Frame { scope, inputs };
        for step in &skill.steps {
            let resolved = self.step(skill, step, &frame, prefix);
            let name = format!("{}/", resolved.name);
            self.steps.push(resolved);
            if let Action::Skill { skill, args } = &step.action
                && let Some(sub) = self.plan.skill(skill)
            {
                self.skill(sub, &sub_inputs(sub, args, &frame), &name);
            }
        }
    }

    fn step(&self, skill: &SkillPlan, step: &StepPlan, frame: &Frame<'_>, prefix: &str) -> ResolvedStep {
        let mut args = arguments(&step.action, frame);
        let Touched { places: mut touches, mut secrets } = self.touched(&step.action);
        hosts(&args, &mut touches);
        secrets.extend(step_secrets(step));
        seal::show(&mut args);
        ResolvedStep {
            name: format!("{prefix}{}", step.name),
            action: action_name(&step.action),
            needs: step.needs.iter().map(|need| format!("{prefix}{}", skill.steps[*need].name)).collect(),
            effect: step.effect,
            args,
            condition: step.condition.as_ref().map(|condition| frame.condition(condition)),
            foreach: step.foreach.as_ref().map(|foreach| frame.value(&foreach.items)),
            secrets: secrets.into_iter().collect(),
            touches,
            approval: matches!(step.action, Action::Confirm { .. }),
            undo: step.undo.is_some(),
            heals: self.heals(step),
            expected_ms: None,
        }
    }

    /// What the tools touch that an action may call.
    fn touched(&self, action: &Action) -> Touched {
        let mut all = Touched::default();
        for touched in action.tools().map(self.touches) {
            all.secrets.extend(touched.secrets);
            let new: Vec<String> =
                touched.places.into_iter().filter(|place| !all.places.contains(place)).collect();
            all.places.extend(new);
        }
        all
    }

    fn heals(&self, step: &StepPlan) -> Vec<ResolvedHeal> {
        let rules = self.plan.heal.iter().filter(|rule| step.on_error.heals() && rule.is_for(step.tool()));
        let heal = |rule: &HealPlan| ResolvedHeal {
            rule: rule.name.clone(),
            action: action_name(&rule.action),
            effect: rule.effect,
        };
        rules.map(heal).collect()
    }
}

impl Frame<'_> {
    /// The value with every string filled in that needs nothing of the run.
    fn value(&self, template: &Template) -> Value {
        if template.is_constant() { template.source().clone() } else { self.fill(template.source()) }
    }

    fn fill(&self, source: &Value) -> Value {
        match source {
            Value::String(text) => self.string(text).unwrap_or_else(|| source.clone()),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(entries) => {
                entries.iter().map(|(key, item)| (key.clone(), self.fill(item))).collect()
            }
            other => other.clone(),
        }
    }

    fn string(&self, text: &str) -> Option<Value> {
        self.whole(&Template::parse(&Value::String(text.to_owned())).ok()?)
    }

    /// `None` when only the run can tell, or when it cannot be evaluated.
    fn whole(&self, template: &Template) -> Option<Value> {
        let known = template.references().iter().all(|path| self.knows(path));
        if !known || template.reads_clock() {
            return None;
        }
        template.render(&self.scope, Missing::Null).ok()?
    }

    fn condition(&self, condition: &Expression) -> Value {
        let known = condition.references().iter().all(|path| self.knows(path));
        match condition.is_true(&self.scope) {
            Ok(truth) if known && !condition.reads_clock() => Value::Bool(truth),
            _ => Value::String(condition.source().to_owned()),
        }
    }

    fn knows(&self, path: &str) -> bool {
        let mut keys = path.split('.');
        match (keys.next(), keys.next()) {
            (Some("inputs"), Some(name)) => self.inputs.contains_key(name),
            (Some("inputs" | "config" | "env" | "defaults" | "secrets"), _) => true,
            _ => false,
        }
    }
}

/// The inputs of a sub-skill that are known: given ones without the run, and defaults.
fn sub_inputs(sub: &SkillPlan, args: &BTreeMap<String, Template>, frame: &Frame<'_>) -> Map<String, Value> {
    let mut inputs = Map::new();
    for input in &sub.inputs {
        let name = fold(&input.name);
        let given = args.iter().find(|(given, _)| fold(given) == name).map(|(_, template)| template);
        let value = match (given, &input.default) {
            (Some(template), _) => frame.whole(template),
            (None, Some(default)) if default.is_constant() => Some(default.source().clone()),
            (None, Some(_)) => None,
            (None, None) => Some(Value::Null),
        };
        if let Some(value) = value {
            inputs.insert(name, value);
        }
    }
    inputs
}

fn arguments(action: &Action, frame: &Frame<'_>) -> Value {
    match action {
        Action::Tool { args, .. } | Action::Skill { args, .. } => {
            Value::Object(args.iter().map(|(name, template)| (name.clone(), frame.value(template))).collect())
        }
        Action::Compute { block } => json!({ "source": block.source, "reads": block.reads }),
        Action::Confirm { message, form: Some(form), .. } => {
            json!({ "message": frame.value(message), "form": form })
        }
        Action::Confirm { message, options, default, .. } => {
            json!({ "message": frame.value(message), "options": options, "default": default })
        }
        Action::WaitFor { duration } => json!({ "milliseconds": frame.value(duration) }),
        Action::WaitUntil { until } => json!({ "until": frame.value(until) }),
        Action::Return { value } => json!({ "value": frame.value(value) }),
    }
}

fn action_name(action: &Action) -> String {
    match action {
        Action::Tool { tool, .. } => format!("tool {tool}"),
        Action::Skill { skill, .. } => format!("skill {skill}"),
        Action::Compute { .. } => "compute".to_owned(),
        Action::Confirm { .. } => "confirm".to_owned(),
        Action::WaitFor { .. } | Action::WaitUntil { .. } => "wait".to_owned(),
        Action::Return { .. } => "return".to_owned(),
    }
}

/// Names of the secrets that a step uses, its taking back included.
fn step_secrets(step: &StepPlan) -> BTreeSet<String> {
    let args = match &step.action {
        Action::Tool { args, .. } | Action::Skill { args, .. } => Some(args),
        _ => None,
    };
    let templates =
        args.into_iter().chain(step.undo.as_ref().map(|undo| &undo.args)).flat_map(BTreeMap::values);
    let paths = templates.flat_map(Template::references);
    paths.filter_map(|path| path.strip_prefix("secrets.").map(str::to_owned)).collect()
}

fn secrets_of(skill: &SkillPlan) -> BTreeSet<String> {
    skill.steps.iter().flat_map(step_secrets).collect()
}

/// Hosts of the addresses in a value.
pub fn hosts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            for scheme in ["http://", "https://", "ssh://", "ws://", "wss://"] {
                let Some(rest) = text.strip_prefix(scheme) else { continue };
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = authority.rsplit('@').next().unwrap_or_default();
                let known = host.is_empty() || host.contains("{{") || found.iter().any(|other| other == host);
                if !known {
                    found.push(host.to_owned());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| hosts(item, found)),
        Value::Object(entries) => entries.values().for_each(|item| hosts(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
