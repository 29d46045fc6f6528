//! `/api/skills`: what can be run, checked, planned and started.

use aa_run::driver::Park;
use aa_run::engine::{Inputs, RunRequest, SkillEntry, StartError};
use aa_run::event::Origin;
use aa_spec::check::Strictness;
use aa_spec::graph;
use aa_spec::plan::resolve::ResolvedPlan;
use aa_spec::tool::Effect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Json, Made, Svg, Tagged, Yaml};
use super::page::{Page, by_name};
use super::problem::{Finding, Problem};
use super::route::{Asked, Nothing, Route, get, post};
use super::runs::Started;
use super::visitor::Visitor;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/skills", "List skills, by name", list),
        get("/skills/{skill}", "Describe a skill: what it takes, gives and does", show),
        get("/skills/{skill}/source", "Show a skill's text", source),
        get("/skills/{skill}/check", "Check a skill", check),
        get("/skills/{skill}/graph", "Draw a skill's steps", picture),
        post("/skills/{skill}/plan", "Plan a run: what would happen, and its hash", plan),
        post("/skills/{skill}/run", "Start a run", run).known_by_key(),
    ]
}

/// Which skill.
#[derive(Debug, Deserialize, JsonSchema)]
struct SkillPath {
    /// Its name.
    skill: String,
}

/// Where.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Place {
    /// The folder whose skills are meant, as a path or `file://` address; default: the server's.
    workspace: Option<String>,
}

/// Which skills.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    /// The folder whose skills are meant, as a path or `file://` address; default: the server's.
    workspace: Option<String>,
    /// Only skills after this one in the list; the page before names it as `next`.
    after: Option<String>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// A skill in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SkillListed")]
struct Listed {
    /// Its name.
    name: String,
    /// What it is for, in a line.
    description: String,
    /// Where it comes from: `project`, `user`, `shipped` or a configured folder.
    layer: String,
    /// Its file.
    path: String,
}

async fn list(asked: Asked<Nothing, Filter>) -> Result<Tagged<Page<Listed>>, Problem> {
    let visitor = asked.visitor.within(asked.query.workspace.as_deref(), "bad-query")?;
    let scope = visitor.scope();
    let listed = |entry: SkillEntry| {
        let SkillEntry { name, description, layer, path } = entry;
        Listed { name, description, layer, path }
    };
    let skills = visitor.engine.skills()?.into_iter().filter(|entry| scope.shows(&entry.name));
    let from = (asked.query.after.as_deref(), asked.query.limit);
    Ok(Tagged(by_name(skills.map(listed).collect(), |skill: &Listed| &skill.name, from)?))
}

/// What a skill takes, gives and does.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SkillDescribed")]
struct Described {
    /// Its name.
    name: String,
    /// The name as words.
    title: String,
    /// What it is for.
    description: String,
    /// Where it comes from: `project`, `user`, `shipped` or a configured folder.
    layer: String,
    /// Its file.
    path: String,
    /// JSON Schema of its inputs.
    inputs: Value,
    /// JSON Schema of its outputs.
    outputs: Value,
    /// The strongest effect of all that it may call.
    effect: Effect,
    /// Whether running it twice equals running it once.
    idempotent: bool,
    /// Whether it may ask a person.
    asks: bool,
    /// Its steps.
    steps: Vec<Step>,
    /// How long it usually takes, in milliseconds; null when that is not known.
    usual_ms: Option<u64>,
}

/// A step of a skill.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SkillStep")]
struct Step {
    /// Its name.
    name: String,
    /// What it is for; may be empty.
    description: String,
    /// What it does to the world.
    effect: Effect,
    /// Names of the steps that it waits for.
    needs: Vec<String>,
}

async fn show(asked: Asked<SkillPath, Place>) -> Result<Tagged<Described>, Problem> {
    let (visitor, name) = skill(&asked)?;
    let catalogue = visitor.engine.catalogue()?;
    let (card, plan) = match catalogue.described(&name) {
        Some(Ok(skill)) => (skill.card, skill.plan),
        Some(Err(_)) => return Err(StartError::Invalid(checked(&visitor, &name)?.diagnostics).into()),
        None => return Err(unknown(&name, catalogue.near_skill(&name))),
    };
    let all = &plan.skill.steps;
    let steps = all.iter().map(|step| Step {
        name: step.name.clone(),
        description: step.description.clone(),
        effect: step.effect,
        needs: step.needs.iter().filter_map(|need| all.get(*need)).map(|need| need.name.clone()).collect(),
    });
    Ok(Tagged(Described {
        name: card.name.clone(),
        title: card.title.clone(),
        description: card.description.clone(),
        layer: card.layer.clone(),
        path: card.path.clone(),
        inputs: card.input.clone(),
        outputs: card.output.clone(),
        effect: card.effect,
        idempotent: card.idempotent,
        asks: card.asks,
        steps: steps.collect(),
        usual_ms: visitor.engine.usual_duration(&card.name),
    }))
}

fn unknown(name: &str, near: Option<&str>) -> Problem {
    let (name, suggestion) = (name.to_owned(), near.map(str::to_owned));
    StartError::UnknownSkill { name, suggestion }.into()
}

/// The engine of the folder that is meant, and the skill's name when the key opens it.
fn skill<B>(asked: &Asked<SkillPath, Place, B>) -> Result<(Visitor, String), Problem> {
    let visitor = asked.visitor.within(asked.query.workspace.as_deref(), "bad-query")?;
    visitor.may_use(&asked.path.skill)?;
    Ok((visitor, asked.path.skill.clone()))
}

fn checked(visitor: &Visitor, name: &str) -> Result<aa_run::engine::CheckedSkill, Problem> {
    Ok(visitor.engine.check(name, Strictness::default())?)
}

async fn source(asked: Asked<SkillPath, Place>) -> Result<Yaml, Problem> {
    let (visitor, name) = skill(&asked)?;
    Ok(Yaml(checked(&visitor, &name)?.source.text.to_string()))
}

/// What came of a check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SkillChecked")]
struct Checked {
    /// Whether it can be run.
    ok: bool,
    /// What is wrong or doubtful.
    diagnostics: Vec<Finding>,
    /// Its file.
    path: String,
}

/// How strictly.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Strictly {
    /// The folder whose skills are meant, as a path or `file://` address; default: the server's.
    workspace: Option<String>,
    /// Also ask for what is merely good practice.
    strict: bool,
}

async fn check(asked: Asked<SkillPath, Strictly>) -> Result<Json<Checked>, Problem> {
    let visitor = asked.visitor.within(asked.query.workspace.as_deref(), "bad-query")?;
    visitor.may_use(&asked.path.skill)?;
    let strictness = Strictness { lenient: false, strict: asked.query.strict };
    let mut checked = visitor.engine.check(&asked.path.skill, strictness)?;
    checked.diagnostics.extend(visitor.engine.check_schedules_of(&checked)?);
    Ok(Json(Checked {
        ok: checked.plan.is_some(),
        diagnostics: Finding::all(&checked.diagnostics),
        path: checked.source.path.to_string(),
    }))
}

async fn picture(asked: Asked<SkillPath, Place>) -> Result<Svg, Problem> {
    let (visitor, name) = skill(&asked)?;
    let checked = checked(&visitor, &name)?;
    let plan = checked.plan.ok_or(StartError::Invalid(checked.diagnostics))?;
    Ok(Svg(graph::svg(&plan.skill, &graph::Marks::new())))
}

/// What is to be planned.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PlanRun")]
struct Plan {
    /// The inputs by name.
    inputs: Map<String, Value>,
    /// The folder to work in, as a path or `file://` address; default: the server's.
    workspace: Option<String>,
}

/// What would happen.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunPlanned")]
struct Planned {
    /// What a run may do at worst.
    effect: Effect,
    /// What becomes of a run with this plan's hash.
    verdict: Verdict,
    /// The plan.
    #[serde(flatten)]
    plan: ResolvedPlan,
}

/// What becomes of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RunVerdict")]
enum Verdict {
    /// It runs.
    Run,
    /// A person has to approve first.
    Ask,
    /// The policy forbids it.
    Refuse,
}

async fn plan(asked: Asked<SkillPath, Nothing, Plan>) -> Result<Json<Planned>, Problem> {
    let visitor = asked.visitor.within(asked.body.workspace.as_deref(), "bad-body")?;
    visitor.may_use(&asked.path.skill)?;
    let plan = visitor.engine.plan(&request(asked.path.skill, asked.body.inputs))?;
    let verdict = match visitor.engine.verdict(plan.effect, true) {
        aa_run::policy::Verdict::Go => Verdict::Run,
        aa_run::policy::Verdict::Ask => Verdict::Ask,
        aa_run::policy::Verdict::Refuse => Verdict::Refuse,
    };
    Ok(Json(Planned { effect: plan.effect, verdict, plan }))
}

/// What is to be run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "StartRun")]
struct Start {
    /// The inputs by name.
    inputs: Map<String, Value>,
    /// The hash of the plan that was agreed to: another plan is refused.
    plan: Option<String>,
    /// Reads run; writes, and what reads their results, are answered from the plan.
    dry_run: bool,
    /// The folder to work in, as a path or `file://` address; default: the server's.
    workspace: Option<String>,
    /// The id of the conversation that it belongs to, of which only so many runs move at once.
    session: Option<String>,
}

async fn run(asked: Asked<SkillPath, Nothing, Start>) -> Result<Made<Started>, Problem> {
    let visitor = asked.visitor.within(asked.body.workspace.as_deref(), "bad-body")?;
    visitor.may_use(&asked.path.skill)?;
    let body = asked.body;
    let request = RunRequest {
        dry_run: body.dry_run,
        plan_hash: body.plan,
        request_key: asked.key,
        ..request(asked.path.skill, body.inputs)
    };
    let named = body.session.as_deref();
    if let Some(named) =
        named.filter(|named| !visitor.engine.session(named).is_ok_and(|found| found.is_some()))
    {
        let hint =
            "`GET /api/workspaces/sessions` lists conversations; without `session` the run stands alone";
        return Err(Problem::of("bad-body", format!("there is no conversation `{named}`")).hint(hint));
    }
    // Requests over HTTP stand alone: each is a session of its own unless it names one.
    let session = body.session.unwrap_or_else(|| visitor.engine.mark().unwrap_or_default());
    let handle = visitor.engine.start_called(request, &session, true).await?;
    Ok(Started::made(&visitor.engine.run(handle.id)?))
}

/// A run that is wanted over HTTP, by a program or from a page.
pub(crate) fn request(skill: String, inputs: Map<String, Value>) -> RunRequest {
    RunRequest {
        skill,
        inputs: Inputs::Json(inputs),
        origin: Origin::Http,
        dry_run: false,
        plan_hash: None,
        request_key: None,
        strictness: Strictness::default(),
        park: Park::Stay,
    }
}
