//! `aa skill show`

use aa_run::engine::{CheckedSkill, Engine};
use aa_spec::plan::{Action, InputPlan, Plan, SkillPlan, StepPlan};
use serde_json::json;

use crate::args::Format;
use crate::args::skill::ShowArgs;
use crate::context::{Context, strictness};
use crate::failure::{Exit, Failure};
use crate::report::value;
use crate::style::{Palette, Tone};
use crate::words;

/// Shows a skill.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let (checked, plan) = checked(&engine, &args.skill)?;
    let printer = context.printer;
    if args.format.format == Format::Json {
        let json = json!({
            "path": &*checked.source.path,
            "hash": plan.hash(),
            "skill": &plan.skill,
            "skills": &plan.skills,
        });
        printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    printer.write(human(&plan.skill, &checked.source.path, printer.out).as_bytes());
    Ok(Exit::Ok)
}

/// A skill without errors, and its plan.
pub(super) fn checked(engine: &Engine, skill: &str) -> Result<(CheckedSkill, std::sync::Arc<Plan>), Failure> {
    let checked = engine.check(skill, strictness(false))?;
    match checked.plan.clone() {
        Some(plan) => Ok((checked, plan)),
        None => Err(Failure::invalid(checked.diagnostics)),
    }
}

fn human(skill: &SkillPlan, path: &str, palette: Palette) -> String {
    let mut text = format!("{}  {path}\n", palette.paint(Tone::Strong, &skill.name));
    text.push_str(&format!("{}\n", words::harmless(skill.description.trim())));
    if !skill.inputs.is_empty() {
        text.push_str(&heading("inputs", palette));
        text.push_str(&columns(skill.inputs.iter().map(input)));
    }
    text.push_str(&heading("steps", palette));
    text.push_str(&columns(skill.steps.iter().map(|step| row(skill, step))));
    if !skill.outputs.is_empty() {
        text.push_str(&heading("outputs", palette));
        let row = |output: &aa_spec::plan::OutputPlan| [output.name.clone(), output.description.clone()];
        text.push_str(&columns(skill.outputs.iter().map(row)));
    }
    text
}

fn heading(word: &str, palette: Palette) -> String {
    format!("\n{}\n", palette.paint(Tone::Good, word))
}

/// `mr  integer, required  Number of the merge request`
fn input(input: &InputPlan) -> [String; 3] {
    let mut facts = vec![input.schema.get("type").map_or_else(|| "any".to_owned(), value::short)];
    if let Some(options) = input.schema.get("enum").and_then(|options| options.as_array()) {
        let options: Vec<String> = options.iter().map(value::short).collect();
        facts = vec![options.join(" | ")];
    }
    if input.required {
        facts.push("required".to_owned());
    }
    if let Some(default) = &input.default {
        facts.push(format!("default {}", value::short(default.source())));
    }
    [input.name.clone(), facts.join(", "), input.description.clone()]
}

/// `build  tool shell_run  after commit  compiles it`
fn row(skill: &SkillPlan, step: &StepPlan) -> [String; 4] {
    let action = match &step.action {
        Action::Tool { tool, .. } => format!("tool {tool}"),
        Action::Skill { skill, .. } => format!("skill {skill}"),
        Action::Confirm { .. } => "confirm".to_owned(),
        Action::WaitFor { .. } | Action::WaitUntil { .. } => "wait".to_owned(),
        Action::Return { .. } => "then".to_owned(),
    };
    let needs: Vec<&str> = step.needs.iter().map(|&index| skill.steps[index].name.as_str()).collect();
    let after = if needs.is_empty() { String::new() } else { format!("after {}", needs.join(", ")) };
    let effect = match &step.action {
        Action::Tool { .. } | Action::Skill { .. } => words::wire(&step.effect),
        _ => String::new(),
    };
    let condition = step.condition.as_ref().map(|condition| format!("if {}", condition.source()));
    let facts: Vec<String> = [effect, after, condition.unwrap_or_default(), step.description.clone()]
        .into_iter()
        .filter(|fact| !fact.is_empty())
        .collect();
    [
        step.name.clone(),
        action,
        facts.first().cloned().unwrap_or_default(),
        facts[1.min(facts.len())..].join("; "),
    ]
}

/// Aligned columns with two spaces between them, indented by two.
fn columns<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.map(|row| row.map(|cell| one_line(&cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            if *width > 0 {
                line.push_str(&format!(" {cell:<width$} "));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn one_line(text: &str) -> String {
    words::harmless(text).split_whitespace().collect::<Vec<_>>().join(" ")
}
