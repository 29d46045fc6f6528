//! A skill in words: what it does, what it takes, what it asks, and how to run it.

use std::fmt::Write;

use aa_spec::form;
use aa_spec::name::list;
use aa_spec::plan::{Action, InputPlan, Plan, StepPlan};
use aa_spec::tool::Effect;
use serde_json::{Map, Value, json};

use super::{MARK, shown_name};

/// Longest description in a head, in characters: readers of `SKILL.md` allow no more than 1024.
const LONGEST: usize = 500;

/// What a skill is for, in one line.
pub fn description(plan: &Plan) -> String {
    let words: Vec<&str> = plan.skill.description.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None if line.is_empty() => format!("Runs the skill {}", plan.skill.name),
        None => line,
    }
}

/// What the skill and its sub-skills ask people.
fn questions(plan: &Plan) -> Vec<String> {
    let skills = std::iter::once(&plan.skill).chain(plan.skills.values());
    let questions = skills.flat_map(|skill| &skill.steps).filter_map(|step| match &step.action {
        Action::Confirm { message, options, form, .. } => {
            let answers = form::answers(options, form.as_ref());
            Some(format!("{} ({})", shown(message.source()).trim(), answers.join(", ")))
        }
        _ => None,
    });
    questions.collect()
}

/// A value as it would be typed.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What tells an assistant to run a skill with these inputs.
pub fn run_text(plan: &Plan, inputs: &Map<String, Value>) -> String {
    let skill = &plan.skill;
    let call = json!({"skill_name": skill.name, "inputs": inputs});
    let mut text =
        format!("Run the skill `{}`: call `skill_run` with\n\n```json\n{call:#}\n```\n", skill.name);
    let missing = skill.inputs.iter().filter(|input| input.required && !inputs.contains_key(&input.name));
    let missing: Vec<&str> = missing.map(|input| input.name.as_str()).collect();
    if !missing.is_empty() {
        let _ = writeln!(text, "\nFirst ask the person for what is missing: {}.", list(&missing));
    }
    let _ = writeln!(text, "\nWhat it does: {}", description(plan));
    text + &inputs_text(plan) + &rules(plan)
}

/// Its inputs, an item each.
pub(super) fn inputs_text(plan: &Plan) -> String {
    let mut text = String::new();
    if !plan.skill.inputs.is_empty() {
        text.push_str("\nInputs:\n\n");
    }
    for input in &plan.skill.inputs {
        let _ = writeln!(text, "- {}", input_text(input));
    }
    text
}

fn input_text(input: &InputPlan) -> String {
    let kind = input.schema.get("type").map_or_else(|| "anything".to_owned(), shown);
    let need = if input.required { ", required" } else { "" };
    let mut text = format!("`{}` ({kind}{need})", input.name);
    let words = input.description.split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.is_empty() {
        let _ = write!(text, ": {words}");
    }
    if let Some(values) = input.schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(shown).collect();
        let _ = write!(text, "; one of {}", values.join(", "));
    }
    if let Some(default) = input.default.as_ref().filter(|default| !default.source().is_null()) {
        let _ = write!(text, "; default: {}", default.source());
    }
    text
}

/// What an assistant has to keep to.
pub(super) fn rules(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.effect() != Effect::Read {
        text.push_str(
            "\nIt changes things: call `skill_plan` with the same inputs first, and show what it would do.\n",
        );
    }
    let questions = questions(plan);
    if !questions.is_empty() {
        text.push_str("\nIt asks a person:\n\n");
        for question in questions {
            let _ = writeln!(text, "- {question}");
        }
        text.push_str("\nPass such a question on, and never answer it yourself.\n");
    }
    text.push_str("\nIf it fails, `run_explain` says why.\n");
    text
}

/// The `SKILL.md` of a skill; `file` is where its YAML is.
pub(super) fn skill_md(plan: &Plan, file: &str) -> String {
    let skill = &plan.skill;
    let name = shown_name(&skill.name);
    let mut text = format!("---\nname: {name}\ndescription: {}\n---\n\n", Value::from(description(plan)));
    let _ = writeln!(text, "<!-- {MARK} from the skill {}; changes to this file are lost. -->\n", skill.name);
    let _ = writeln!(text, "# {name}\n\n{}\n", skill.description.trim());
    let inputs: Map<String, Value> = skill
        .inputs
        .iter()
        .filter(|input| input.required)
        .map(|input| (input.name.clone(), json!("…")))
        .collect();
    let call = json!({"skill_name": skill.name, "inputs": inputs});
    let _ = writeln!(text, "Run it by calling the tool `skill_run`:\n\n```json\n{call:#}\n```");
    text.push_str(&inputs_text(plan));
    text.push_str("\nSteps:\n\n");
    for step in &skill.steps {
        let _ = writeln!(text, "- {}", step_text(step));
    }
    if !skill.outputs.is_empty() {
        let names: Vec<&str> = skill.outputs.iter().map(|output| output.name.as_str()).collect();
        let _ = writeln!(text, "\nIt gives {}.", list(&names));
    }
    text.push_str(&rules(plan));
    let _ = writeln!(text, "\nIts text is [{file}]({file}).");
    text
}

fn step_text(step: &StepPlan) -> String {
    let does = match &step.action {
        Action::Tool { tool, .. } => format!("calls `{tool}`"),
        Action::Compute { .. } => "runs Python".to_owned(),
        Action::Skill { skill, .. } => format!("runs the skill `{skill}`"),
        Action::Confirm { .. } => "asks a person".to_owned(),
        Action::WaitFor { .. } | Action::WaitUntil { .. } => "waits".to_owned(),
        Action::Return { .. } => "ends the skill".to_owned(),
    };
    let what = step.description.split_whitespace().collect::<Vec<_>>().join(" ");
    let what = if what.is_empty() { String::new() } else { format!(": {what}") };
    format!("`{}` {does}{what}", step.name)
}
