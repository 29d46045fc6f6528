//! Runs for clients: under the policy of whoever calls, in their turn, and of one tool alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aa_spec::input;
use aa_spec::plan::{Action, FORMAT, InputPlan, OutputPlan, Plan, SkillPlan, StepPlan};
use aa_spec::skill::{AsTask, OnError, OnFailure};
use aa_spec::template::{Expression, Template};
use aa_spec::tool::{Effect, ToolSpec, alias};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::admission::{self, Admitted};
use super::approval::{question, word};
use super::launching::{self, Opening};
use super::lone::STEP;
use super::steering;
use super::{Engine, Inputs, RunHandle, RunRequest, StartError, catalog};
use crate::caller::Whose;
use crate::driver::Park;
use crate::event::{Origin, RunId};
use crate::places::Turn;
use crate::policy::{self, Policy, Verdict};
use crate::standing::{Asked, Standing, step_of};

/// A call of a single tool.
#[derive(Clone, Debug)]
pub struct Direct {
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// A repeated call with the same key finds the first one.
    pub request_key: Option<String>,
}

impl Engine {
    /// What becomes of a call of this effect by the caller.
    pub fn verdict(&self, effect: Effect, planned: bool) -> Verdict {
        Policy::of(&self.caller, &self.settings().calling).judge(effect, planned)
    }

    /// Starts a run as the caller's policy has it: at once, or held up until a person approves. It
    /// moves when it has a place among the runs of clients, of which a session has only so many. `tasks` says
    /// whether the caller knows tasks.
    ///
    /// # Errors
    /// Those of [`Engine::start`], or the policy forbids it.
    pub async fn start_called(
        &self,
        mut request: RunRequest,
        session: &str,
        tasks: bool,
    ) -> Result<RunHandle, StartError> {
        self.by_name(&request.skill)?;
        self.parts.open_store_early();
        let admitted = admission::admit(&self.parts, &request)?;
        if admitted.plan.skill.as_task == AsTask::Required && !tasks {
            return Err(StartError::NeedsTask(admitted.plan.skill.name.clone()));
        }
        // A dry run changes nothing, whatever it would do.
        let effect = if request.dry_run { Effect::Read } else { admitted.plan.effect() };
        // The hash has been held against the plan.
        let planned = request.plan_hash.is_some();
        request.request_key = self.own_key(request.request_key).await?;
        self.launch_called(&admitted, &request, (effect, planned), session).await
    }

    /// Starts a run of one step, which calls a tool.
    ///
    /// # Errors
    /// There is no such tool, the arguments do not fit it, or the policy forbids it.
    pub async fn start_call(&self, direct: Direct, session: &str) -> Result<RunHandle, StartError> {
        self.parts.open_store_early();
        let toolbox = self.parts.toolbox()?;
        if toolbox.tool(&direct.tool).is_none() {
            toolbox.meet(&direct.tool).await;
        }
        let tool = toolbox.tool(&direct.tool);
        let tool = tool.ok_or_else(|| StartError::Refused(format!("there is no tool `{}`", direct.tool)))?;
        super::tools::may_stand_alone(self, &tool).map_err(StartError::Refused)?;
        let spec = tool.spec();
        let mut args = direct.args;
        alias::rename(&alias::all(&spec.input), &mut args).map_err(StartError::Refused)?;
        input::fits(&spec.input, &Value::Object(args.clone())).map_err(StartError::Refused)?;
        if super::tools::holds_seal(&args) {
            let message = "the arguments hold the reserved character U+FDD0 or U+FDD1";
            return Err(StartError::Refused(message.to_owned()));
        }
        let mut plan = single(spec, &args)?;
        (plan.heal, plan.skills) = self.rules_for(&toolbox, &plan.skill);
        let plan = Arc::new(plan);
        let mut request = RunRequest {
            skill: plan.skill.name.clone(),
            inputs: Inputs::Json(Map::from_iter([("arguments".to_owned(), Value::Object(args))])),
            origin: self.caller.origin,
            dry_run: false,
            plan_hash: None,
            request_key: direct.request_key,
            strictness: aa_spec::check::Strictness { lenient: false, strict: false },
            park: Park::Stay,
        };
        let admitted = admission::admit_plan((&self.parts, toolbox), plan, &request.inputs, Utc::now())
            .map_err(StartError::Inputs)?;
        request.request_key = self.own_key(request.request_key).await?;
        self.launch_called(&admitted, &request, (spec.effect, false), session).await
    }

    /// Follows a run, whoever drives it; when nobody does, goes on with it.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub async fn attend(&self, run: RunId, session: &str) -> Result<RunHandle, StartError> {
        self.may_steer(run)?;
        let store = self.parts.store()?;
        steering::join(self, &store, run, Park::Stay, Some(self.turn(session))).await
    }

    /// Where a run stands.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn standing(&self, run: RunId) -> Result<Standing, StartError> {
        Ok(Standing::of(&self.events(run, 0)?))
    }

    /// Answers this very question of a run, and no later one of the same step.
    ///
    /// # Errors
    /// Those of [`Engine::answer_open`], or it is not open any more.
    pub async fn answer_question(
        &self,
        run: RunId,
        asked: &Asked,
        answer: &str,
        by: &str,
    ) -> Result<(), StartError> {
        self.answer_open(run, (&asked.step, Some(asked.seq)), answer, by).await
    }

    /// The open question of a run that has a key.
    ///
    /// # Errors
    /// There is no such run for the caller, or that question is not open: what is asked instead is said.
    pub fn question(&self, run: RunId, key: &str) -> Result<Asked, StartError> {
        let standing = self.standing(run)?;
        if let Some(asked) = standing.question(key) {
            return Ok(asked.clone());
        }
        let now = match standing.questions.get(&step_of(key)) {
            Some(asked) => format!("now it is `{}`: {}", asked.key, asked.message),
            None if standing.questions.is_empty() => "nothing is asked".to_owned(),
            None => {
                let open: Vec<String> =
                    standing.questions.values().map(|asked| format!("`{}`", asked.key)).collect();
                format!("these are: {}", open.join(", "))
            }
        };
        Err(StartError::Refused(format!("the question `{key}` of run {run} is not open; {now}")))
    }

    /// Answers a question as a model and not as a person: where the policy lets it.
    ///
    /// # Errors
    /// The policy does not let it, the question is not open any more, or those of [`Engine::answer`].
    pub async fn answer_for_model(
        &self,
        run: RunId,
        key: &str,
        answer: &str,
        by: &str,
    ) -> Result<(), StartError> {
        let asked = self.question(run, key)?;
        if !policy::may_answer(&self.caller, &self.settings().calling) {
            return Err(StartError::Refused(format!(
                "a person has to answer this question: `aa run answer {run} {key} …` in a terminal"
            )));
        }
        self.answer_question(run, &asked, answer, by).await
    }

    pub(super) async fn launch_called(
        &self,
        admitted: &Admitted,
        request: &RunRequest,
        (effect, planned): (Effect, bool),
        session: &str,
    ) -> Result<RunHandle, StartError> {
        let comes_again = self.caller.origin != Origin::Cron;
        if comes_again && self.parts.shared.places.waiting() >= self.settings().calling.waiting_runs {
            return Err(StartError::Full);
        }
        let approval = match self.verdict(effect, planned) {
            Verdict::Go => None,
            Verdict::Ask => Some(question(&admitted.plan, &admitted.resolve().steps)),
            Verdict::Refuse => {
                let what = admitted.plan.skill.name.clone();
                return Err(StartError::Denied { what, effect: word(effect) });
            }
        };
        let opening = Opening { script: None, approval, turn: Some(self.turn(session)), alike: true };
        launching::launch(self, admitted, request, opening).await
    }

    /// A client names skills: a path would lead it to any file of this machine.
    pub(super) fn by_name(&self, skill: &str) -> Result<(), StartError> {
        if matches!(self.caller.origin, Origin::Mcp | Origin::Http) && catalog::is_path(skill) {
            return Err(StartError::UnknownSkill { name: skill.to_owned(), suggestion: None });
        }
        Ok(())
    }

    pub(super) fn turn(&self, session: &str) -> Turn {
        let Whose { tenant, principal } = self.caller.whose();
        Turn::new(self.parts.shared.places.clone(), &format!("{tenant} {principal}\n{session}"))
    }

    /// The same key in another folder is another key: its run would not be there for the caller.
    async fn own_key(&self, key: Option<String>) -> Result<Option<String>, StartError> {
        let Some(key) = key else { return Ok(None) };
        self.is_of_no_schedule(&key).await?;
        Ok(Some(self.scoped_key(&key)))
    }

    /// A key of the folder.
    pub(super) fn scoped_key(&self, key: &str) -> String {
        format!("{}\n{key}", self.settings().folder.display())
    }
}

/// A skill of one step that calls a tool. The arguments are an input: what a client sends is data,
/// and is never read as a template.
pub(super) fn single(spec: &ToolSpec, args: &Map<String, Value>) -> Result<Plan, StartError> {
    let mut templates = BTreeMap::new();
    for name in args.keys() {
        if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.$@:".contains(letter)) {
            return Err(StartError::Refused(format!("no argument can be called `{name}`")));
        }
        templates.insert(name.clone(), template(&format!("{{{{ inputs.arguments[\"{name}\"] }}}}"))?);
    }
    let step = StepPlan {
        name: STEP.to_owned(),
        description: String::new(),
        action: Action::Tool {
            tool: spec.name.clone(),
            nullable: args.keys().cloned().collect::<BTreeSet<_>>(),
            args: templates,
            reconcile: spec.reconcile.clone(),
        },
        output: "call".to_owned(),
        needs: Vec::new(),
        effect: spec.effect,
        idempotent: spec.idempotent,
        condition: None::<Expression>,
        condition_per_item: false,
        foreach: None,
        retry: None,
        timeout_ms: None,
        // Those of the heal rules act that the plan has.
        on_error: OnError::AutoHeal,
        undo: None,
        validate: Vec::new(),
        line: 1,
    };
    let skill = SkillPlan {
        // No skill can have this name.
        name: format!("call:{}", spec.name),
        description: spec.description.clone(),
        inputs: vec![InputPlan {
            name: "arguments".to_owned(),
            description: String::new(),
            required: true,
            default: None,
            schema: json!({"type": "object"}),
        }],
        defaults: Value::Null,
        env: Vec::new(),
        lenient: false,
        timeout_ms: None,
        on_failure: OnFailure::Stop,
        concurrency: 1,
        as_task: AsTask::Auto,
        steps: vec![step],
        outputs: vec![OutputPlan {
            name: "result".to_owned(),
            value: template("{{ call }}")?,
            description: String::new(),
            kind: None,
        }],
    };
    Ok(Plan { format: FORMAT, skill, skills: BTreeMap::new(), heal: Vec::new() })
}

fn template(text: &str) -> Result<Template, StartError> {
    Template::parse(&Value::from(text)).map_err(|error| StartError::Refused(error.to_string()))
}
