//! `aa skill show`

use aa_run::engine::{CheckedSkill, Engine};
use aa_spec::plan::{Action, InputPlan, Plan, SkillPlan, StepPlan};
use serde_json::json;

use crate::args::Format;
use crate::args::skill::ShowArgs;
use crate::context::{Context, strictness};
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::value;
use crate::style::Tone;
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
    let mut page = Page::new(printer);
    human(&plan.skill, &checked.source.path, &mut page);
    page.print(printer);
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

fn human(skill: &SkillPlan, path: &str, page: &mut Page) {
    let palette = page.palette;
    page.line(format_args!(
        "{}  {}",
        palette.paint(Tone::Strong, &skill.name),
        palette.paint(Tone::Dim, path)
    ));
    page.block(skill.description.trim());
    if !skill.inputs.is_empty() {
        page.section("inputs");
        page.columns(skill.inputs.iter().map(input));
    }
    page.section("steps");
    page.columns(skill.steps.iter().map(|step| row(skill, step)));
    if !skill.outputs.is_empty() {
        page.section("outputs");
        page.columns(skill.outputs.iter().map(|output| [output.name.clone(), output.description.clone()]));
    }
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

/// `build  tool shell_run  write  after commit  compiles it`
fn row(skill: &SkillPlan, step: &StepPlan) -> [String; 5] {
    let (action, effect) = match &step.action {
        Action::Tool { tool, .. } => (format!("tool {tool}"), words::wire(&step.effect)),
        Action::Skill { skill, .. } => (format!("skill {skill}"), words::wire(&step.effect)),
        Action::Compute { .. } => ("compute".to_owned(), words::wire(&step.effect)),
        Action::Confirm { .. } => ("confirm".to_owned(), String::new()),
        Action::WaitFor { .. } | Action::WaitUntil { .. } => ("wait".to_owned(), String::new()),
        Action::Return { .. } => ("then".to_owned(), String::new()),
    };
    let needs: Vec<&str> = step.needs.iter().map(|&index| skill.steps[index].name.as_str()).collect();
    let after = if needs.is_empty() { String::new() } else { format!("after {}", needs.join(", ")) };
    let mut about = Vec::new();
    if let Some(condition) = &step.condition {
        about.push(format!("if {}", condition.source()));
    }
    if !step.description.is_empty() {
        about.push(step.description.clone());
    }
    [step.name.clone(), action, effect, after, about.join("; ")]
}
