//! `/api/heal`: what mends failing steps, and how well it does.

use aa_run::engine::{HealStats, Proposal, Remedy};
use aa_run::event::{RunId, StepPath};
use aa_run::store::HealRecord;
use aa_run::toolbox::HealEntry;
use aa_spec::name::{fold, suggest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::page::{List, size};
use super::problem::{Finding, Problem, meant};
use super::route::{Asked, Nothing, Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/heal/rules", "List heal rules, the nearest first", rules),
        get("/heal/stats", "Show how often each rule acted, and whether it helped", stats),
        get("/heal/records", "List healings, newest first", records),
        get("/heal/proposals", "List rules that could be made of what was learned", proposals),
        get("/heal/test", "Show what the rules would do about a failure of a step", test),
        post("/heal/rules/{rule}/reset", "Let a rule act again that has stopped by itself", reset),
    ]
}

/// A heal rule.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HealRule")]
struct Rule {
    /// Its name.
    name: String,
    /// What it mends; may be empty.
    description: String,
    /// The tool or skill that it calls.
    calls: String,
    /// Where it comes from: `project`, `user`, `shipped` or a configured folder.
    layer: String,
    /// Where it is written.
    place: String,
    /// Whether it is switched on.
    enabled: bool,
    /// Why what it calls cannot work.
    problems: Vec<Finding>,
}

impl From<HealEntry> for Rule {
    fn from(entry: HealEntry) -> Self {
        Self {
            calls: entry.plan.target().to_owned(),
            name: entry.plan.name,
            description: entry.description,
            layer: entry.layer,
            place: entry.place,
            enabled: entry.enabled,
            problems: Finding::all(&entry.problems),
        }
    }
}

/// All heal rules.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HealRules")]
struct Rules {
    /// The rules.
    items: Vec<Rule>,
    /// What is wrong with modules that may have more.
    problems: Vec<Finding>,
}

async fn rules(asked: Asked) -> Result<Json<Rules>, Problem> {
    asked.visitor.may_look()?;
    let (rules, problems) = asked.visitor.engine.heal_rules()?;
    Ok(Json(Rules { items: rules.into_iter().map(Into::into).collect(), problems: Finding::all(&problems) }))
}

async fn stats(asked: Asked) -> Result<Json<List<HealStats>>, Problem> {
    asked.visitor.may_look()?;
    Ok(Json(List { items: asked.visitor.engine.heal_stats().await? }))
}

/// How many.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Many {
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn records(asked: Asked<Nothing, Many>) -> Result<Json<List<HealRecord>>, Problem> {
    asked.visitor.is_owner()?;
    let mut items = asked.visitor.engine.heals().await?;
    items.truncate(size(asked.query.limit)? as usize);
    Ok(Json(List { items }))
}

async fn proposals(asked: Asked) -> Result<Json<List<Proposal>>, Problem> {
    asked.visitor.may_look()?;
    Ok(Json(List { items: asked.visitor.engine.heal_proposals()? }))
}

/// Which failure.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Failed {
    /// Number of the run.
    run: RunId,
    /// The step that failed.
    step: StepPath,
}

async fn test(asked: Asked<Nothing, Failed>) -> Result<Json<List<Remedy>>, Problem> {
    asked.visitor.may_look()?;
    let failed = asked.visitor.engine.failed_call(asked.query.run, &asked.query.step)?;
    Ok(Json(List { items: asked.visitor.engine.heal_test(&failed).await? }))
}

/// Which rule.
#[derive(Debug, Deserialize, JsonSchema)]
struct RulePath {
    /// Its name.
    rule: String,
}

/// It is done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HealReset")]
struct Reset {
    /// The rule that may act again.
    rule: String,
}

fn is_there(asked: &Asked<RulePath>) -> Result<(), Problem> {
    let (rules, name) = (asked.visitor.engine.heal_rules()?.0, fold(&asked.path.rule));
    let names = || rules.iter().map(|rule| rule.plan.name.as_str());
    if names().any(|known| known == name) {
        return Ok(());
    }
    let hint = meant(suggest(&name, names()), "`GET /api/heal/rules` lists them");
    Err(Problem::of("not-found", format!("there is no heal rule `{}`", asked.path.rule)).hint(hint))
}

async fn reset(asked: Asked<RulePath>) -> Result<Json<Reset>, Problem> {
    asked.visitor.is_owner()?;
    is_there(&asked)?;
    asked.visitor.engine.reset_heal(&asked.path.rule).await?;
    Ok(Json(Reset { rule: asked.path.rule }))
}
