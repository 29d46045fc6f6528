//! The run of a time of a schedule: found by its key when it was started before.

use aa_spec::check::Strictness;
use aa_spec::schedule::Trigger;
use aa_spec::template::{Missing, Scope};
use aa_spec::tool::Effect;
use serde_json::{Map, Value};

use super::super::admission;
use super::super::reconfiguring::in_words;
use super::super::{Engine, Inputs, RunHandle, RunRequest, StartError};
use crate::caller::{Caller, Whose};
use crate::driver::Park;
use crate::event::Origin;
use crate::persona::Choice;
use crate::schedule::book::Known;
use crate::schedule::{Slot, SlotKind};

impl Engine {
    /// Starts the run of a claimed time, or goes on with the one that was started for this attempt.
    pub(crate) async fn start_slot(
        &self,
        known: &Known,
        slot: &Slot,
        park: Park,
    ) -> Result<RunHandle, StartError> {
        let engine = self.for_schedule(known)?;
        let key = request_key(known, slot);
        let store = engine.parts.store_soon().await?;
        let session = format!("schedule {}", known.key);
        if let Some(run) = store.run_of_key(&Whose::local(), &key)? {
            return engine.attend(run, &session).await;
        }
        engine.may_show(known)?;
        let inputs = match &slot.inputs {
            Some(text) => serde_json::from_str(text).unwrap_or_default(),
            None => known.inputs(slot, &Scope::default())?,
        };
        let request = RunRequest { park, ..known.request(inputs, Some(key)) };
        let admitted = admission::admit(&engine.parts, &request)?;
        let effect: Effect = admitted.plan.effect();
        engine.launch_called(&admitted, &request, (effect, false), &session).await
    }

    /// The engine that a schedule runs in: of its project's folder, in the name of the owner.
    pub(crate) fn for_schedule(&self, known: &Known) -> Result<Self, StartError> {
        let engine = match &known.project {
            Some(folder) => self.in_folder(folder)?,
            None => self.clone(),
        };
        Ok(engine.for_caller(Caller::local(Origin::Cron)))
    }

    /// Whether the schedule's persona has the skill.
    fn may_show(&self, known: &Known) -> Result<(), StartError> {
        let Some(persona) = &known.compiled.persona else { return Ok(()) };
        let view = self.view(&Choice::Persona(persona.clone()));
        let view = view.map_err(|error| StartError::Refused(error.to_string()))?;
        if view.skills.iter().any(|card| card.name == known.compiled.skill) {
            return Ok(());
        }
        let skill = &known.compiled.skill;
        Err(StartError::Refused(format!("the persona `{persona}` does not have the skill `{skill}`")))
    }

    /// The same engine with its configuration read again, or what is wrong with that.
    pub(crate) fn reconfigured(&self) -> Result<Self, String> {
        let fresh = match self.settings().looking.every() {
            Some(_) => self.refresh(true),
            None => self.settings_of(&self.settings().folder).map(|settings| self.with_settings(settings)),
        };
        fresh.map_err(|error| format!("the configuration: {}", in_words(&error)))
    }
}

impl Known {
    /// The run of a time with these inputs.
    pub(super) fn request(&self, inputs: Map<String, Value>, request_key: Option<String>) -> RunRequest {
        RunRequest {
            skill: self.compiled.skill.clone(),
            inputs: Inputs::Json(inputs),
            origin: Origin::Cron,
            dry_run: false,
            plan_hash: None,
            request_key,
            strictness: Strictness { lenient: false, strict: false },
            park: Park::Stay,
        }
    }

    /// The inputs of a time; `scope` has what news has brought. What a template names and is not there is no input that was
    /// left out: the skill would run with its default as if that had been wanted.
    pub(crate) fn inputs(&self, slot: &Slot, scope: &Scope) -> Result<Map<String, Value>, StartError> {
        let mut scope = scope.clone();
        scope.set_now(slot.due.timestamp_millis());
        scope.set("due", &Value::from(slot.due.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
        let rendered = self.compiled.inputs.render(&scope, Missing::Fail);
        match rendered.map_err(|error| StartError::Refused(format!("its inputs: {}", error.message)))? {
            Some(Value::Object(inputs)) => self.whole(inputs),
            _ => Ok(Map::new()),
        }
    }

    /// The inputs, if all of them are there that the schedule names.
    fn whole(&self, inputs: Map<String, Value>) -> Result<Map<String, Value>, StartError> {
        let written = self.compiled.inputs.source().as_object();
        let missing = written.into_iter().flatten().find(|(name, _)| !inputs.contains_key(*name));
        let Some((name, template)) = missing else { return Ok(inputs) };
        let template = template.as_str().unwrap_or_default();
        Err(StartError::Refused(format!(
            "its inputs: `{name}` is `{template}`, and there is no such value; `{{{{ … or none }}}}` leaves it to the skill"
        )))
    }

    /// Whether news of this kind comes to it.
    pub(crate) fn is_hook(&self) -> bool {
        matches!(self.compiled.trigger, Trigger::Webhook(_))
    }
}

/// What the run of an attempt is known by, also to whoever takes the attempt over. Attempts at what is filled in begin
/// anew each time that somebody wants it, so those are told apart by when it may run.
fn request_key(known: &Known, slot: &Slot) -> String {
    let key = format!("schedule {}\n{}\n{}", known.key, slot.due.timestamp_millis(), slot.attempt);
    match slot.kind {
        SlotKind::Backfill => format!("{key}\n{}", slot.at.timestamp_millis()),
        _ => key,
    }
}

/// Why a run could not be started, in a line.
pub(crate) fn told(error: &StartError) -> String {
    match error {
        StartError::Invalid(problems) => {
            let first = problems.first().map(|problem| problem.message.as_str()).unwrap_or_default();
            format!("it could not be started: the skill has errors: {first}")
        }
        StartError::Inputs(problems) => {
            let all: Vec<String> = problems
                .iter()
                .map(|problem| format!("input `{}` {}", problem.name, problem.message))
                .collect();
            format!("it could not be started: {}", all.join("; "))
        }
        other => format!("it could not be started: {other}"),
    }
}
