//! Where the arguments of a step came from: its templates say so.

use std::collections::BTreeMap;

use aa_spec::name::fold;
use aa_spec::plan::Action;
use aa_spec::template::Template;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::failure::Written;
use super::{brief, brief_text};
use crate::event::{Body, StepPath};
use crate::store::History;

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// What it came to; null when it was left out.
    pub value: Value,
    /// As it is written in the skill; absent when it is the value itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Value>,
    /// Where it came from; empty when the skill's text holds the value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Source>,
}

/// Where something came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Source {
    /// What kind of place.
    pub kind: SourceKind,
    /// Its name: of the input, key, variable, secret or step.
    pub name: String,
}

/// A kind of place where values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// An input that the run was given.
    Input,
    /// An input that the run was not given, or only as it would have been anyway: its default.
    Default,
    /// The configuration.
    Config,
    /// An environment variable.
    Environment,
    /// A secret.
    Secret,
    /// The output of a step.
    Output,
    /// How a step went.
    Step,
    /// The item of a loop.
    Item,
    /// The run itself, or the time.
    Run,
    /// The block that made the call.
    Block,
    /// A name that means nothing here.
    Unknown,
}

/// The arguments of a step that is written in a skill.
pub(super) fn written(given: &Map<String, Value>, written: Written<'_>, history: &History) -> Vec<Given> {
    let none = BTreeMap::new();
    let args = match &written.step.action {
        Action::Tool { args, .. } | Action::Skill { args, .. } => args,
        _ => &none,
    };
    let names = args.keys().chain(given.keys().filter(|name| !args.contains_key(*name)));
    let argument = |name: &String| {
        let template = args.get(name);
        let holes = template.filter(|template| !template.is_constant());
        Given {
            name: name.clone(),
            value: given.get(name).map(brief).unwrap_or_default(),
            written: holes.map(|template| brief(template.source())),
            from: template.map(|template| sources(template, written, history)).unwrap_or_default(),
        }
    };
    names.map(argument).collect()
}

/// The arguments of a call that a block has made.
pub(super) fn made(given: &Map<String, Value>, path: &StepPath) -> Vec<Given> {
    let block = path.0.rsplit_once('/').map_or(path.0.as_str(), |(block, _)| block);
    let from = vec![Source { kind: SourceKind::Block, name: block.to_owned() }];
    let argument = |(name, value): (&String, &Value)| Given {
        name: name.clone(),
        value: brief(value),
        written: None,
        from: from.clone(),
    };
    given.iter().map(argument).collect()
}

/// Everything that a template reads, each once.
fn sources(template: &Template, written: Written<'_>, history: &History) -> Vec<Source> {
    let mut all = Vec::new();
    for path in template.references() {
        let mut parts = path.split('.');
        let (head, next) = (parts.next().unwrap_or_default(), parts.next());
        for source in of(head, next, &path, written, history) {
            if !all.contains(&source) {
                all.push(source);
            }
        }
    }
    all
}

fn of(head: &str, next: Option<&str>, path: &str, written: Written<'_>, history: &History) -> Vec<Source> {
    let named = |kind, name: &str| vec![Source { kind, name: brief_text(name) }];
    let rest = || next.unwrap_or(head);
    match head {
        "inputs" => input(rest(), written, history),
        "defaults" => named(SourceKind::Default, path),
        "config" => named(SourceKind::Config, path.strip_prefix("config.").unwrap_or(path)),
        "env" => named(SourceKind::Environment, rest()),
        "secrets" => named(SourceKind::Secret, rest()),
        "item" | "index" => named(SourceKind::Item, path),
        "run" | "today" => named(SourceKind::Run, path),
        "steps" => named(SourceKind::Step, rest()),
        variable => {
            let setting = written.skill.steps.iter().filter(|step| step.output == variable);
            let steps: Vec<_> =
                setting.map(|step| Source { kind: SourceKind::Output, name: step.name.clone() }).collect();
            if steps.is_empty() { named(SourceKind::Unknown, path) } else { steps }
        }
    }
}

/// An input of a sub-skill comes from wherever the step that runs the skill has it from.
fn input(name: &str, written: Written<'_>, history: &History) -> Vec<Source> {
    let source = |kind| vec![Source { kind, name: name.to_owned() }];
    let declared = written.skill.inputs.iter().find(|input| input.name == name);
    let computed = declared.and_then(|input| input.default.as_ref()).filter(|text| !text.is_constant());
    // A default that is computed comes from wherever its template has it from.
    let default = || {
        let read = computed.map(|template| sources(template, written, history)).unwrap_or_default();
        source(SourceKind::Default).into_iter().chain(read).collect()
    };
    if let Some(outer) = written.outer {
        let Action::Skill { args, .. } = &outer.step.action else { return source(SourceKind::Input) };
        let given = args.iter().find(|(given, _)| fold(given) == name);
        return given.map_or_else(default, |(_, template)| sources(template, *outer, history));
    }
    let value = inputs(history).and_then(|inputs| inputs.get(name));
    let is_default = value.is_some_and(|value| is_default(history, name, value));
    if is_default { default() } else { source(SourceKind::Input) }
}

/// Whether an input of the run is what it would be if it were not given.
pub(super) fn is_default(history: &History, name: &str, value: &Value) -> bool {
    let was_given = match history.events.first().map(|event| &event.body) {
        Some(Body::SkillStarted { given: Some(given), .. }) => given.contains(name),
        _ => true,
    };
    let declared = history.plan.skill.inputs.iter().find(|input| input.name == name);
    let default = declared.and_then(|input| input.default.as_ref());
    let usual = default.filter(|default| default.is_constant()).map(Template::source);
    !was_given || usual.or(Some(&Value::Null).filter(|_| default.is_none())) == Some(value)
}

/// What a run was started with.
pub(super) fn inputs(history: &History) -> Option<&Map<String, Value>> {
    history.events.first().and_then(|event| match &event.body {
        Body::SkillStarted { inputs, .. } => Some(inputs),
        _ => None,
    })
}
