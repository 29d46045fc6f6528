//! Everything that must be right before there is a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use aa_spec::input::{self, InputError};
use aa_spec::name::fold;
use aa_spec::plan::resolve::{Known, ResolvedPlan, Touched, resolve};
use aa_spec::plan::{Plan, SkillPlan};
use aa_spec::template::{Scope, seal};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::parts::Parts;
use super::{Inputs, RunRequest, StartError, catalog};
use crate::toolbox::Toolbox;

/// A run that may start.
pub(super) struct Admitted {
    pub(super) plan: Arc<Plan>,
    /// The tools that it was checked with.
    pub(super) toolbox: Toolbox,
    pub(super) inputs: Map<String, Value>,
    /// Names of those inputs that were given.
    pub(super) given: BTreeSet<String>,
    pub(super) config: Value,
    pub(super) env: Map<String, Value>,
}

/// Checks the skill, binds the inputs, and holds the result against the wanted plan.
pub(super) fn admit(parts: &Parts, request: &RunRequest) -> Result<Admitted, StartError> {
    let entry = catalog::find(parts, &request.skill)?;
    let toolbox = parts.toolbox()?;
    let checked = catalog::check_entry(parts, &entry, request.strictness, &toolbox)?;
    let Some(plan) = checked.plan else { return Err(StartError::Invalid(checked.diagnostics)) };
    let admitted =
        admit_plan((parts, toolbox), plan, &request.inputs, Utc::now()).map_err(StartError::Inputs)?;
    if let Some(wanted) = &request.plan_hash {
        let found = admitted.resolve().hash;
        if found != *wanted {
            return Err(StartError::PlanChanged { wanted: wanted.clone(), found });
        }
    }
    Ok(admitted)
}

/// A run of a checked skill, with its inputs bound at a time.
pub(super) fn admit_plan(
    (parts, toolbox): (&Parts, Toolbox),
    plan: Arc<Plan>,
    inputs: &Inputs,
    now: DateTime<Utc>,
) -> Result<Admitted, Vec<InputError>> {
    let config = catalog::config(parts);
    let env = environment(parts, &plan);
    let scope = scope(&plan.skill, &config, &env, now);
    let given = named(&plan.skill, inputs);
    let inputs = bind(&plan.skill, inputs, &scope)?;
    Ok(Admitted { plan, toolbox, inputs, given, config, env })
}

/// The inputs that are given; null is nothing.
fn named(skill: &SkillPlan, inputs: &Inputs) -> BTreeSet<String> {
    let given: BTreeSet<String> = given(skill, inputs)
        .0
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| fold(name))
        .collect();
    let declared = skill.inputs.iter().map(|input| &input.name);
    declared.filter(|name| given.contains(&fold(name))).cloned().collect()
}

impl Admitted {
    /// What would happen.
    pub(super) fn resolve(&self) -> ResolvedPlan {
        let modules = self.toolbox.modules();
        let touches = |tool: &str| {
            let Some(tool) = self.toolbox.tool(tool) else { return Touched::default() };
            let entry = modules.iter().find(|entry| entry.name == tool.spec().module);
            let mut touched = tool.touches();
            touched.places.splice(0..0, entry.into_iter().flat_map(|entry| entry.requires.clone()));
            touched
        };
        let tools = self.toolbox.digests(&self.plan);
        let known = Known { inputs: &self.inputs, config: &self.config, env: &self.env, tools: &tools };
        resolve(&self.plan, known, &touches)
    }
}

impl Inputs {
    /// Whether an input was given.
    pub(super) fn has(&self, name: &str) -> bool {
        let (json, text) = match self {
            Self::Json(json) => (Some(json), None),
            Self::Text(text) => (None, Some(text)),
            Self::Mixed { json, text } => (Some(json), Some(text)),
        };
        let mut given =
            json.into_iter().flat_map(Map::keys).chain(text.into_iter().flatten().map(|(name, _)| name));
        given.any(|given| fold(given) == fold(name))
    }
}

/// The inputs of a run, or everything that is wrong with what was given.
fn bind(skill: &SkillPlan, inputs: &Inputs, scope: &Scope) -> Result<Map<String, Value>, Vec<InputError>> {
    let (given, mut errors) = given(skill, inputs);
    match input::bind(skill, &given, scope) {
        Ok(bound) if errors.is_empty() => Ok(bound),
        Ok(_) => Err(errors),
        Err(more) => {
            // What could not be read is not missing as well.
            let is_new =
                |error: &InputError| errors.iter().all(|known| fold(&known.name) != fold(&error.name));
            let more: Vec<InputError> = more.into_iter().filter(is_new).collect();
            errors.extend(more);
            Err(errors)
        }
    }
}

/// Given inputs as JSON, texts read by the declared types, and those that cannot be read.
fn given(skill: &SkillPlan, inputs: &Inputs) -> (Map<String, Value>, Vec<InputError>) {
    let (mut given, texts) = match inputs {
        Inputs::Json(json) => (json.clone(), &[][..]),
        Inputs::Text(text) => (Map::new(), &text[..]),
        Inputs::Mixed { json, text } => (json.clone(), &text[..]),
    };
    let mut errors = Vec::new();
    let mut named = BTreeSet::new();
    for (name, text) in texts {
        let twice =
            || InputError { name: name.clone(), message: "is given twice".to_owned(), hint: String::new() };
        match input::coerce(skill, name, text) {
            Ok(_) if !named.insert(fold(name)) => errors.push(twice()),
            Ok(value) => {
                given.retain(|other, _| fold(other) != fold(name));
                given.insert(name.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    (given, errors)
}

/// The variables that the skill and its sub-skills declare, as far as they are set.
fn environment(parts: &Parts, plan: &Plan) -> Map<String, Value> {
    let skills = std::iter::once(&plan.skill).chain(plan.skills.values());
    let names: BTreeSet<&String> = skills.flat_map(|skill| &skill.env).collect();
    let variables = &parts.settings.environment;
    let set = names.into_iter().filter_map(|name| Some((name.clone(), variables.get(name)?.clone().into())));
    let mut environment = Value::Object(set.collect());
    seal::clean(&mut environment);
    match environment {
        Value::Object(environment) => environment,
        _ => Map::new(),
    }
}

/// What defaults of inputs may read.
fn scope(skill: &SkillPlan, config: &Value, env: &Map<String, Value>, now: DateTime<Utc>) -> Scope {
    let mut scope = Scope::default();
    scope.set("config", config);
    scope.set("env", &Value::Object(env.clone()));
    scope.set("defaults", &skill.defaults);
    scope.set_now(now.timestamp_millis());
    scope
}
