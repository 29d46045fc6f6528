//! The canonical form of a checked skill: what runs, what is pinned, what is hashed.
//!
//! Everything a machine needs is in here, sub-skills included, so a run never looks
//! at YAML again. Serialised as JSON it is stored once by [`Plan::hash`].

pub mod resolve;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::compute::{Block, CalleeKind};
use crate::heal::HealPlan;
use crate::skill::{AsTask, Backoff, OnError, OnFailure};
use crate::template::{Expression, Template};
use crate::tool::{Effect, ErrorKind, Reconcile};

/// The version of plans that this code writes; it reads those before it as they were meant.
///
/// Since 2 a failed write that may have acted all the same is taken back as well.
pub const FORMAT: u32 = 2;

/// A checked skill together with every skill it runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format and of the rules by which the machine reads it.
    pub format: u32,
    /// The skill that runs.
    pub skill: SkillPlan,
    /// Sub-skills by canonical name, transitively.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, SkillPlan>,
    /// Heal rules that steps of these skills may need, the first that fits first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heal: Vec<HealPlan>,
}

/// One checked skill.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SkillPlan {
    /// Canonical name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Inputs in the order of the file.
    pub inputs: Vec<InputPlan>,
    /// What templates see as `defaults`.
    #[serde(default)]
    pub defaults: Value,
    /// Environment variables that templates read, to be captured at the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Whether unknown names read as null, in arguments as well: these are rendered with
    /// [`crate::template::Missing::Null`] then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lenient: bool,
    /// Time the whole skill may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What to do when it fails or is cancelled.
    pub on_failure: OnFailure,
    /// Steps that may run at once.
    pub concurrency: u32,
    /// Whether a call by an AI client becomes a task.
    #[serde(default, skip_serializing_if = "AsTask::is_auto")]
    pub as_task: AsTask,
    /// Steps in the order of the file; others refer to them by index.
    pub steps: Vec<StepPlan>,
    /// Results in the order of the file.
    pub outputs: Vec<OutputPlan>,
}

/// One checked input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputPlan {
    /// Canonical name, as in `inputs.NAME`: see [`crate::name::fold`].
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether a run must be given it.
    pub required: bool,
    /// Value when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Template>,
    /// JSON Schema of its value.
    pub schema: Value,
}

/// One checked step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepPlan {
    /// Name, as written.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What kind of step it is.
    pub action: Action,
    /// Variable that holds its result; canonical, so a template can name it. `steps` has
    /// an entry of the step's own canonical name, see [`crate::name::fold`].
    pub output: String,
    /// Indices of the steps it waits for: data edges, `needs` and barrier rule together.
    pub needs: Vec<usize>,
    /// What it does to the world; of a sub-skill, the strongest of its steps.
    pub effect: Effect,
    /// Whether it may be repeated after a crash.
    pub idempotent: bool,
    /// Runs only when true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// Whether `condition` mentions `item` or `index`, and so is decided per item.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub condition_per_item: bool,
    /// Runs once per item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreach: Option<Foreach>,
    /// Tries again after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPlan>,
    /// Time one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What a failure does to the run.
    pub on_error: OnError,
    /// How to take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoPlan>,
    /// Assertions on its result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validate: Vec<ValidationPlan>,
    /// Line in the skill's file, for messages.
    pub line: u32,
}

impl StepPlan {
    /// The tool that it calls; empty when it does something else.
    pub fn tool(&self) -> &str {
        match &self.action {
            Action::Tool { tool, .. } => tool,
            _ => "",
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Calls a tool.
    Tool {
        /// Canonical name.
        tool: String,
        /// Arguments by name.
        args: BTreeMap<String, Template>,
        /// Those that may be null, and so are given as null when they are missing.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        nullable: BTreeSet<String>,
        /// How to find out after a crash whether it took place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reconcile: Option<Reconcile>,
    },
    /// Runs Python.
    Compute {
        /// What it runs.
        block: Block,
    },
    /// Runs another skill of the same plan.
    Skill {
        /// Canonical name; a key of [`Plan::skills`].
        skill: String,
        /// Inputs by name.
        args: BTreeMap<String, Template>,
    },
    /// Asks a person.
    Confirm {
        /// The question.
        message: Template,
        /// Possible answers; empty only when there is a form.
        options: Vec<String>,
        /// JSON Schema of the form to fill in instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        form: Option<Value>,
        /// The answer when nobody answers in time.
        default: Option<String>,
        /// How long to wait, in milliseconds.
        timeout_ms: Option<u64>,
        /// Answers that end the skill: they say no, and nothing reads them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ends: Vec<String>,
    },
    /// Waits for a duration, in milliseconds.
    WaitFor {
        /// A number of milliseconds, or a template that gives a duration text.
        duration: Template,
    },
    /// Waits until a time.
    WaitUntil {
        /// A template that gives an RFC 3339 time.
        until: Template,
    },
    /// Ends the skill with this value.
    Return {
        /// The result.
        value: Template,
    },
}

/// One run of a step per item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Foreach {
    /// Gives the list.
    pub items: Template,
    /// Items at once, at least 1.
    pub concurrency: u32,
}

/// When and how often to try again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetryPlan {
    /// Attempts in all.
    pub attempts: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// First delay, in milliseconds.
    pub delay_ms: u64,
    /// Longest delay, in milliseconds.
    pub max_delay_ms: u64,
    /// Error kinds worth another attempt.
    pub on: Vec<ErrorKind>,
    /// Whether no attempt follows on one that may have acted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// Must be true for another attempt, over `error`, `attempt` and what the step sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
}

/// How to take a step back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UndoPlan {
    /// Canonical tool name.
    pub tool: String,
    /// What that does to the world.
    #[serde(default = "untold")]
    pub effect: Effect,
    /// Whether the tool says it may be repeated: then a crash in the middle repeats it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// Arguments by name.
    pub args: BTreeMap<String, Template>,
    /// Those that may be null, and so are given as null when they are missing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub nullable: BTreeSet<String>,
}

/// An assertion on a result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ValidationPlan {
    /// Must be true.
    pub condition: Expression,
    /// Said when it is not.
    pub message: Option<Template>,
}

/// A named result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputPlan {
    /// Name.
    pub name: String,
    /// Gives the value.
    pub value: Template,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema type of the value, where there is one.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl OutputPlan {
    /// JSON Schema of the value. It is null where the step that gives it was skipped.
    pub fn schema(&self) -> Value {
        let mut schema = Map::new();
        if let Some(kind) = &self.kind {
            let kinds = if kind == "null" { Value::from("null") } else { json!([kind, "null"]) };
            schema.insert("type".to_owned(), kinds);
        }
        let description = self.description.trim();
        if !description.is_empty() {
            schema.insert("description".to_owned(), description.into());
        }
        Value::Object(schema)
    }
}

/// SHA-256 in hex: 64 digits.
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    use sha2::{Digest, Sha256};
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let hash = Sha256::digest(bytes.as_ref());
    hash.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(HEX[usize::from(half)]))
        .collect()
}

/// A plan that does not say what its undo tools do may do the worst.
fn untold() -> Effect {
    Effect::Unknown
}

impl Action {
    /// The tool that it calls, if that is what it does.
    fn called_tool(&self) -> Option<&str> {
        match self {
            Self::Tool { tool, .. } => Some(tool),
            _ => None,
        }
    }

    /// The tools that it may call, be it to learn what an interrupted call has done.
    pub(crate) fn tools(&self) -> impl Iterator<Item = &str> {
        let (block, asked) = match self {
            Self::Tool { reconcile, .. } => (None, reconcile.as_ref()),
            Self::Compute { block } => (Some(block), None),
            _ => (None, None),
        };
        let callees = block.into_iter().flat_map(|block| &block.calls);
        let called = callees.filter(|(_, callee)| callee.kind == CalleeKind::Tool);
        let in_block = called.flat_map(|(name, callee)| {
            std::iter::once(name.as_str()).chain(callee.reconcile.as_ref().map(|asked| asked.tool.as_str()))
        });
        self.called_tool().into_iter().chain(asked.map(|asked| asked.tool.as_str())).chain(in_block)
    }
}

impl SkillPlan {
    /// What its steps do to the world: the strongest of them. What else a run may call is in
    /// [`Plan::effect`].
    pub fn effect(&self) -> Effect {
        self.steps.iter().map(|step| step.effect).max().unwrap_or(Effect::Read)
    }
}

impl Plan {
    /// What a run of it may do to the world: the strongest effect of all that it may call by
    /// itself, those of steps of every skill, of heal rules and of undo tools.
    pub fn effect(&self) -> Effect {
        let steps = self.steps().map(|step| step.effect);
        let heals = self.heals().map(|rule| rule.effect);
        let undos = self.undos().map(|(_, undo)| undo.effect);
        steps.chain(heals).chain(undos).max().unwrap_or(Effect::Read)
    }

    /// The heal rules that a failure of some step may set off.
    pub fn heals(&self) -> impl Iterator<Item = &HealPlan> {
        let concerns =
            move |rule: &HealPlan| self.steps().any(|step| step.on_error.heals() && rule.is_for(step.tool()));
        self.heal.iter().filter(move |rule| concerns(rule))
    }

    /// What a failure or a cancellation takes back by itself, with the steps that it belongs to.
    pub fn undos(&self) -> impl Iterator<Item = (&StepPlan, &UndoPlan)> {
        // Once a skill takes back, so do those that it runs.
        let takes_back = self.all().any(|skill| skill.on_failure == OnFailure::Undo);
        self.steps().filter(move |_| takes_back).filter_map(|step| Some((step, step.undo.as_ref()?)))
    }

    /// The tools that a run of it may call: in steps and their blocks, to ask what they have done, to heal them and to
    /// take them back.
    pub fn tools(&self) -> BTreeSet<&str> {
        let steps = self.steps().flat_map(|step| {
            let undo = step.undo.as_ref().map(|undo| undo.tool.as_str());
            step.action.tools().chain(undo)
        });
        steps.chain(self.heals().filter_map(|rule| rule.action.called_tool())).collect()
    }

    /// The steps of the skill and of all that it runs.
    fn steps(&self) -> impl Iterator<Item = &StepPlan> {
        self.all().flat_map(|skill| &skill.steps)
    }

    fn all(&self) -> impl Iterator<Item = &SkillPlan> {
        std::iter::once(&self.skill).chain(self.skills.values())
    }

    /// SHA-256 of the canonical JSON, in hex: the identity of what runs.
    pub fn hash(&self) -> String {
        digest(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The skill of a canonical name: a sub-skill or the skill itself.
    pub fn skill(&self, name: &str) -> Option<&SkillPlan> {
        if self.skill.name == name { Some(&self.skill) } else { self.skills.get(name) }
    }
}
