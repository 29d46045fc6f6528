//! Heal rules shown, tried on paper, proposed and accepted.

mod proposal;

use std::fs;
use std::path::PathBuf;

use aa_spec::check::{Strictness, skill_call};
use aa_spec::diagnostic::{Diagnostic, Severity, has_errors};
use aa_spec::heal::{Failure, HealRule};
use aa_spec::name::fold;
use aa_spec::plan::Action;
use aa_spec::source::Source;
use aa_spec::template::{Missing, seal};
use aa_spec::tool::ErrorKind;
use chrono::Utc;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use self::proposal::Proposal;
use super::mend::replace;
use super::parts::Parts;
use super::{Engine, StartError, catalog, modules};
use crate::event::{Body, RunId, StepError, StepPath};
use crate::home::Kind;
use crate::settings::PROJECT;
use crate::store::{HealRecord, StoreError};
use crate::tool::kind_of;
use crate::toolbox::HealEntry;

/// A failure to hold the rules against.
#[derive(Clone, Debug)]
pub struct FailedCall {
    /// The tool that failed.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// How it failed.
    pub error: StepError,
}

/// What would be done about a failure.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Remedy {
    /// Which rule.
    pub rule: String,
    /// Where it is written.
    pub place: String,
    /// What is guessed from the failure.
    pub guess: Map<String, Value>,
    /// The tool or skill that it would call.
    pub calls: String,
    /// With these arguments.
    pub args: Map<String, Value>,
    /// Why it would not, although it fits; empty when it would.
    pub hindrance: String,
}

/// What a rule has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HealStats {
    /// Which rule.
    pub rule: String,
    /// How often its call was made.
    pub acted: u64,
    /// How often it made use of a call of another run.
    pub reused: u64,
    /// How often the step worked afterwards.
    pub helped: u64,
    /// How often not.
    pub in_vain: u64,
    /// Since it has stopped by itself, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Where to write an accepted rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Into the project, for everybody who works on it.
    Project,
    /// Into the user's configuration.
    User,
}

impl Engine {
    /// Every heal rule, the nearest first, and what is wrong with modules that may have more.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn heal_rules(&self) -> Result<(Vec<HealEntry>, Vec<Diagnostic>), StartError> {
        let toolbox = self.parts.toolbox()?;
        let mut rules = toolbox.heal_rules();
        for rule in &mut rules {
            rule.problems.extend(skill_problems(&self.parts, &rule.rule, &rule.source)?);
        }
        Ok((rules, toolbox.heal_problems()))
    }

    /// What each rule that fits a failure would do, in the order in which they are tried.
    ///
    /// # Errors
    /// The rules cannot be read.
    pub async fn heal_test(&self, failed: &FailedCall) -> Result<Vec<Remedy>, StartError> {
        let failure = Failure {
            tool: &failed.tool,
            args: &failed.args,
            kind: failed.error.kind,
            message: &failed.error.message,
            details: &failed.error.details,
        };
        let mut remedies = Vec::new();
        for rule in self.heal_rules()?.0.iter().filter(|rule| rule.enabled && rule.plan.fits(&failure)) {
            remedies.push(self.remedy(rule, &failure).await?);
        }
        Ok(remedies)
    }

    /// The kind of error that a tool would make of what was said: by its own rules, else by what is usual.
    ///
    /// # Errors
    /// The tools cannot be read.
    pub fn kind_of_failure(&self, tool: &str, said: &str) -> Result<ErrorKind, StartError> {
        let known = self.parts.toolbox()?.tool(tool).and_then(|tool| tool.kind_of(said));
        Ok(known.unwrap_or_else(|| kind_of(said)))
    }

    async fn remedy(&self, rule: &HealEntry, failure: &Failure<'_>) -> Result<Remedy, StartError> {
        let scope = rule.plan.scope(failure);
        let (Action::Tool { args, .. } | Action::Skill { args, .. }) = &rule.plan.action else {
            return Err(StartError::Refused(format!("the rule `{}` calls nothing", rule.plan.name)));
        };
        let wrong = rule.problems.iter().find(|problem| problem.severity == Severity::Error);
        let mut hindrance = wrong.map(|problem| problem.message.clone()).unwrap_or_default();
        let mut rendered = Map::new();
        for (name, template) in args {
            match template.render(&scope, Missing::Fail) {
                Ok(Some(mut value)) => {
                    seal::show(&mut value);
                    rendered.insert(name.clone(), value);
                }
                Ok(None) => {}
                Err(error) => hindrance = format!("argument `{name}`: {error}"),
            }
        }
        if hindrance.is_empty() {
            hindrance = self.stopped(rule).await?.unwrap_or_default();
        }
        Ok(Remedy {
            rule: rule.plan.name.clone(),
            place: rule.place.clone(),
            guess: rule.plan.guesses(failure),
            calls: rule.plan.target().to_owned(),
            args: rendered,
            hindrance,
        })
    }

    /// The last failure of a step of a run.
    ///
    /// # Errors
    /// There is no such run, or the step has not failed in it.
    pub fn failed_call(&self, run: RunId, step: &StepPath) -> Result<FailedCall, StartError> {
        let mut found = None;
        let mut call = (String::new(), Map::new());
        for event in self.events(run, 0)? {
            match event.body {
                Body::StepStarted { step: at, target, args, kind, .. } if at == *step => {
                    let tool = target.filter(|_| kind != "skill").unwrap_or_default();
                    call = (tool, args.and_then(|args| args.as_object().cloned()).unwrap_or_default());
                }
                Body::StepRetrying { step: at, error, .. }
                | Body::StepFailed { step: at, error, .. }
                | Body::HealStarted { step: at, error: Some(error), .. }
                    if at == *step =>
                {
                    found = Some(FailedCall { tool: call.0.clone(), args: call.1.clone(), error });
                }
                _ => {}
            }
        }
        found.ok_or_else(|| StartError::Refused(format!("step `{step}` has not failed in run {run}")))
    }

    /// Every healing that was let through, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn heals(&self) -> Result<Vec<HealRecord>, StoreError> {
        self.parts.store()?.heals().await
    }

    /// What each rule has done, those first that acted most.
    ///
    /// # Errors
    /// The rules or the store cannot be read.
    pub async fn heal_stats(&self) -> Result<Vec<HealStats>, StartError> {
        let records = self.heals().await?;
        let mut stats: Vec<HealStats> = Vec::new();
        for rule in self.heal_rules()?.0 {
            let stopped = self.stopped(&rule).await?;
            stats.push(HealStats { rule: rule.plan.name, stopped, ..HealStats::default() });
        }
        for record in records {
            let at = stats.iter().position(|known| known.rule == record.rule).unwrap_or_else(|| {
                stats.push(HealStats { rule: record.rule.clone(), ..HealStats::default() });
                stats.len() - 1
            });
            stats[at].count(&record);
        }
        stats.sort_by_key(|of| std::cmp::Reverse(of.acted));
        Ok(stats)
    }

    async fn stopped(&self, rule: &HealEntry) -> Result<Option<String>, StoreError> {
        let (name, bounds) = (rule.plan.name.clone(), rule.plan.bounds);
        self.parts.store()?.stopped_heal(name, bounds, Utc::now()).await
    }

    /// Lets a rule act again that has stopped by itself.
    ///
    /// # Errors
    /// There is no such rule, or the store cannot be written.
    pub async fn reset_heal(&self, rule: &str) -> Result<(), StartError> {
        let rule = fold(rule);
        if !self.heal_rules()?.0.iter().any(|known| known.plan.name == rule) {
            return Err(StartError::NotThere { what: "heal rule", name: rule });
        }
        self.note(None, "heal.reset", &format!("heal rule {rule}"), json!({})).await?;
        Ok(self.parts.store()?.reset_heal(rule, Utc::now()).await?)
    }

    /// Rules that could be made of what the caller's tenant has learned. None of them acts before it is accepted.
    ///
    /// # Errors
    /// The memory or the rules cannot be read.
    pub fn heal_proposals(&self) -> Result<Vec<Proposal>, StartError> {
        let store = self.parts.store()?;
        let read = |key| store.memory(&self.caller.tenant, key).map(Option::unwrap_or_default);
        let (patterns, fixes) = (read("learned/patterns")?, read("learned/tool_fixes")?);
        let toolbox = self.parts.toolbox()?;
        let known = |tool: &str| toolbox.tool(tool).is_some();
        let rules = self.heal_rules()?.0;
        let mut proposals = proposal::all(&patterns, &fixes, &known);
        proposals.retain(|proposal| !rules.iter().any(|rule| rule.plan.name == proposal.name));
        Ok(proposals)
    }

    /// Writes a proposal down as a rule, which acts from then on. Gives the file.
    ///
    /// # Errors
    /// There is no such proposal, or the file cannot be written or would have errors.
    pub async fn accept_heal(&self, name: &str, layer: Layer) -> Result<PathBuf, StartError> {
        let name = fold(name);
        let proposals = self.heal_proposals()?;
        let Some(proposal) = proposals.into_iter().find(|proposal| proposal.name == name) else {
            return Err(StartError::NotThere { what: "proposal", name });
        };
        let path = self.layer_folder(layer).join("tools/heal.yaml");
        let unwritable = |message: String| StartError::Unwritable { path: path.clone(), message };
        let before = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unwritable(error.to_string())),
        };
        let after = with_rule(&before, &proposal.yaml);
        let source = Source::new(self.parts.home.shown(&path), after.clone());
        let problems = modules::check(&source, &self.parts.toolbox()?, &self.settings().folder).diagnostics;
        if has_errors(&problems) {
            return Err(StartError::Invalid(problems));
        }
        let detail = json!({ "file": path.display().to_string(), "rule": proposal.yaml });
        self.note(None, "heal.accept", &format!("heal rule {name}"), detail).await?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| unwritable(error.to_string()))?;
        }
        let written = if before.is_empty() { fs::write(&path, &after) } else { replace(&path, &after) };
        written.map_err(|error| unwritable(error.to_string()))?;
        Ok(path)
    }

    /// The folder of a layer; the project's is made where one works when there is none.
    pub(super) fn layer_folder(&self, layer: Layer) -> PathBuf {
        let settings = self.settings();
        match (layer, &settings.project_folder) {
            (Layer::User, _) => settings.config_folder.clone(),
            (Layer::Project, Some(folder)) => folder.clone(),
            (Layer::Project, None) => settings.folder.join(PROJECT),
        }
    }
}

/// The skill that a rule runs, held against what is there.
pub(super) fn skill_problems(
    parts: &Parts,
    rule: &HealRule,
    source: &Source,
) -> Result<Vec<Diagnostic>, StartError> {
    let Some(wanted) = &rule.r#do.skill else { return Ok(Vec::new()) };
    let error = |code, message| Diagnostic::error(code, source, wanted.span, message).about(&wanted.value);
    if parts.home.find(Kind::Skill, &wanted.value)?.is_none() {
        let known = parts.home.list(Kind::Skill)?;
        let problem = error("unknown-skill", format!("there is no skill `{}`", wanted.value));
        return Ok(vec![problem.suggest(&wanted.value, known.iter().map(|skill| skill.name.as_str()))]);
    }
    let plan = catalog::check(parts, &wanted.value, Strictness::default())?.plan;
    let faulty = || {
        let message = format!("the skill `{}` has errors", wanted.value);
        vec![error("faulty-skill", message).hint(format!("see `aa skill check {}`", wanted.value))]
    };
    Ok(plan.map_or_else(faulty, |plan| skill_call(rule, &plan.skill, source)))
}

impl HealStats {
    fn count(&mut self, record: &HealRecord) {
        *(if record.reused { &mut self.reused } else { &mut self.acted }) += 1;
        match record.helped {
            Some(true) => self.helped += 1,
            Some(false) if !record.cancelled => self.in_vain += 1,
            _ => {}
        }
    }
}

/// A module's text with one more rule at the end.
fn with_rule(text: &str, rule: &str) -> String {
    let mut text = match text.trim_end() {
        "" => "module: heal\ndescription: What is done by itself when a step fails".to_owned(),
        text => text.to_owned(),
    };
    // A list can only be added to at its end; a check afterwards tells whether it was one.
    let last = text.lines().rev().find(|line| !line.starts_with([' ', '#', '-']) && !line.trim().is_empty());
    if last.is_none_or(|line| line.trim_end() != "heal:") {
        text.push_str("\nheal:");
    }
    let indented = rule.trim_end().lines().map(|line| format!("\n  {line}"));
    text.extend(indented);
    text.push('\n');
    text
}
