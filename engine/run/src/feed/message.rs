//! What listeners are told: one message for each event, with the names and values that editors know, and
//! ours beside them.
//!
//! `type` is the name that editors know (`step_completed` also of a step that failed), `event` the name in
//! the journal. Each message carries the cursor to go on from and the number of its run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::caller::{Caller, Whose};
use crate::event::{Body, Event, RunId, StepError, StepPath, Time};
use crate::store::{Cursor, Store, Tail, Tailed};
use crate::workspace::WorkspaceUpdated;

/// Longest message, in bytes; of longer ones the values are left out.
const LONGEST: usize = 16 << 10;
/// Plans that are kept at hand.
const PLANS: usize = 256;
/// Conversations about a workspace that are told.
const SESSIONS: u32 = 50;

/// Every type of message, in the order of the names.
pub const TYPES: [&str; 19] = [
    "cancel_requested",
    "confirmation_answered",
    "confirmation_expired",
    "confirmation_required",
    "heal_finished",
    "heal_started",
    "run_resumed",
    "skill_completed",
    "skill_failed",
    "skill_started",
    "step_completed",
    "step_progress",
    "step_resolved",
    "step_retrying",
    "step_skipped",
    "step_started",
    "undo_finished",
    "undo_started",
    "workspace_updated",
];

/// A message, as it is sent to whoever it is for.
#[derive(Debug)]
pub struct Happening {
    /// From where to go on after it.
    pub cursor: Cursor,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// Its type.
    pub kind: &'static str,
    /// It as JSON: written once, and sent to all without being copied for each.
    pub json: Utf8Bytes,
    place: Place,
    whose: Whose,
    folder: Option<PathBuf>,
}

/// Of which kind it is, and its number among those.
#[derive(Clone, Copy, Debug)]
enum Place {
    Event(i64),
    Notice(i64),
}

impl Happening {
    /// Whether it comes after what somebody has heard.
    pub fn is_after(&self, at: Cursor) -> bool {
        match self.place {
            Place::Event(pos) => pos > at.events,
            Place::Notice(id) => id > at.notices,
        }
    }

    /// Where somebody is who has heard it as well.
    pub(super) fn moved(&self, at: Cursor) -> Cursor {
        match self.place {
            Place::Event(pos) => Cursor { events: pos, ..at },
            Place::Notice(id) => Cursor { notices: id, ..at },
        }
    }

    /// Whether a caller may hear of it.
    pub(super) fn is_there_for(&self, caller: &Caller) -> bool {
        let Whose { tenant, principal } = &self.whose;
        match self.place {
            // The workspaces of others are told to nobody.
            Place::Notice(_) => self.whose == caller.whose(),
            Place::Event(_) => {
                caller.tenant().is_none_or(|own| own == tenant)
                    && caller.owner().is_none_or(|owner| owner == principal)
                    && caller.folder().is_none_or(|folder| self.folder.as_deref() == Some(folder))
            }
        }
    }
}

/// Makes messages; knows the plans of late.
#[derive(Debug, Default)]
pub(super) struct Teller {
    layouts: Mutex<HashMap<String, Arc<Layout>>>,
}

/// Where the steps of a plan stand.
#[derive(Debug, Default)]
struct Layout {
    steps: HashMap<String, usize>,
}

impl Layout {
    /// The position of a step of the skill itself, or of the one that a part belongs to.
    fn index(&self, step: &StepPath) -> Option<usize> {
        let top = step.0.split(['/', '[', '#']).next().unwrap_or_default();
        self.steps.get(top).copied()
    }
}

impl Teller {
    /// What happened after a cursor, as messages.
    pub(super) fn tell(&self, store: &Store, after: Cursor, tail: &Tail) -> Vec<Arc<Happening>> {
        let mut at = after;
        let mut told = Vec::with_capacity(tail.events.len() + tail.notices.len());
        for tailed in &tail.events {
            at.events = tailed.pos;
            told.push(Arc::new(self.of_event(store, at, tailed)));
        }
        for (id, notice) in &tail.notices {
            at.notices = *id;
            told.push(Arc::new(of_notice(store, at, notice)));
        }
        told
    }

    fn of_event(&self, store: &Store, cursor: Cursor, tailed: &Tailed) -> Happening {
        let layout = self.layout(store, tailed);
        let (kind, mut message) = message(store, &layout, tailed);
        let run = tailed.event.run_id;
        if let Some(object) = message.as_object_mut() {
            let mut whole = head(cursor, kind, tailed);
            whole.append(object);
            *object = whole;
        }
        Happening {
            cursor,
            run: Some(run),
            kind,
            json: bounded(message),
            place: Place::Event(cursor.events),
            whose: Whose { tenant: tailed.tenant.clone(), principal: tailed.principal.clone() },
            folder: Some(tailed.folder.clone()),
        }
    }

    fn layout(&self, store: &Store, tailed: &Tailed) -> Arc<Layout> {
        let known = self.layouts.lock().unwrap_or_else(PoisonError::into_inner).get(&tailed.plan).cloned();
        if let Some(known) = known {
            return known;
        }
        // Without a plan, steps have no numbers.
        let steps = store.plan(tailed.event.run_id).map(|plan| plan.skill.steps).unwrap_or_default();
        let steps = steps.into_iter().enumerate().map(|(at, step)| (step.name, at)).collect();
        let layout = Arc::new(Layout { steps });
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        if layouts.len() >= PLANS {
            layouts.clear();
        }
        layouts.insert(tailed.plan.clone(), layout.clone());
        layout
    }
}

fn time(at: Time) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

/// What every message about a run begins with.
fn head(cursor: Cursor, kind: &str, tailed: &Tailed) -> Map<String, Value> {
    let event = &tailed.event;
    let run = event.run_id.to_string();
    let entries: [(&str, Value); 9] = [
        ("type", kind.into()),
        ("event", event.body.kind().into()),
        ("cursor", cursor.to_string().into()),
        ("run_id", json!(event.run_id)),
        ("execution_id", run.clone().into()),
        ("skill_id", run.into()),
        ("skill", tailed.skill.clone().into()),
        ("source", json!(event.source)),
        ("timestamp", time(event.at)),
    ];
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn message(store: &Store, layout: &Layout, tailed: &Tailed) -> (&'static str, Value) {
    let event = &tailed.event;
    let (kind, mut message) = match &event.body {
        Body::SkillStarted { inputs, dry_run, plan, .. } => {
            let steps = layout.steps.len();
            let message = json!({"inputs": inputs, "skill_name": tailed.skill, "total_steps": steps, "plan": plan, "dry_run": dry_run});
            ("skill_started", message)
        }
        Body::StepStarted { attempt, kind, target, .. } => {
            ("step_started", json!({"step_type": kind, "attempt": attempt, "target": target}))
        }
        Body::StepCompleted { output, duration_ms, .. } => {
            ("step_completed", json!({"success": true, "result": output, "duration": duration_ms}))
        }
        Body::StepFailed { error, continued, duration_ms, .. } => {
            let failed =
                json!({"success": false, "result": null, "duration": duration_ms, "continued": continued});
            ("step_completed", with_error(failed, error))
        }
        Body::StepSkipped { reason, .. } => ("step_skipped", json!({"reason": reason})),
        Body::SkillCompleted { outputs, duration_ms } => {
            ("skill_completed", json!({"success": true, "outputs": outputs, "duration": duration_ms}))
        }
        Body::SkillFailed { error, step, duration_ms } => {
            ("skill_failed", with_error(json!({"step_id": step, "duration": duration_ms}), error))
        }
        Body::SkillCancelled { duration_ms } => {
            let error = "the run was cancelled";
            (
                "skill_failed",
                json!({"error": error, "error_kind": "cancelled", "step_id": null, "duration": duration_ms}),
            )
        }
        Body::ConfirmRequested { .. } => ("confirmation_required", question(event)),
        Body::ConfirmAnswered { step, answer, by } => answered(store, event, (step, answer, by)),
        body => (body.kind(), ours(body)),
    };
    if let (Some(step), Some(object)) = (event.body.step(), message.as_object_mut()) {
        object.insert("step_id".to_owned(), json!(step));
        object.insert("step_name".to_owned(), json!(step));
        object.insert("step_index".to_owned(), json!(layout.index(step)));
    }
    (kind, message)
}

fn with_error(mut message: Value, error: &StepError) -> Value {
    message["error"] = error.message.clone().into();
    message["error_kind"] = json!(error.kind);
    message
}

/// An event that editors do not know is told as it is in the journal.
fn ours(body: &Body) -> Value {
    let mut message = json!(body);
    if let Some(object) = message.as_object_mut() {
        object.remove("event");
        object.remove("step");
    }
    message
}

/// A question, as editors know it.
fn question(event: &Event) -> Value {
    let Body::ConfirmRequested { message, options, form, default, until, .. } = &event.body else {
        return Value::Null;
    };
    let seconds = until.map(|until| (until - event.at).num_seconds().max(0));
    json!({
        "id": question_id(event.run_id, event.seq),
        "prompt": message,
        "options": options,
        "form": form,
        "default": default,
        "claude_suggestion": null,
        "timeout_seconds": seconds,
        "created_at": time(event.at),
    })
}

/// By which a question is answered.
pub(crate) fn question_id(run: RunId, seq: u64) -> String {
    format!("{run}:{seq}")
}

fn answered(
    store: &Store,
    event: &Event,
    (step, answer, by): (&StepPath, &String, &String),
) -> (&'static str, Value) {
    let asked = store.question_before(event.run_id, &step.0, event.seq).ok().flatten();
    let id = asked.map(|seq| question_id(event.run_id, seq));
    let kind = if by == "timeout" { "confirmation_expired" } else { "confirmation_answered" };
    (kind, json!({"id": id, "response": answer, "remember": "none", "by": by}))
}

fn of_notice(store: &Store, cursor: Cursor, notice: &WorkspaceUpdated) -> Happening {
    let whose = Whose { tenant: notice.tenant.clone(), principal: notice.principal.clone() };
    let sessions = store.chat_sessions(&whose, &notice.workspace_uri, SESSIONS).unwrap_or_default();
    let session = |session: &crate::workspace::ChatSession| json!({"session_id": session.session_id, "name": session.name, "persona": session.persona});
    let message = json!({
        "type": "workspace_updated",
        "event": "workspace_updated",
        "cursor": cursor.to_string(),
        "run_id": null,
        "timestamp": time(notice.at),
        "workspace_uri": notice.workspace_uri,
        "sessions": sessions.iter().map(session).collect::<Vec<_>>(),
        "persona": notice.persona,
        "session_id": notice.session_id,
    });
    Happening {
        cursor,
        run: None,
        kind: "workspace_updated",
        json: bounded(message),
        place: Place::Notice(cursor.notices),
        whose,
        folder: None,
    }
}

/// A message that is not too long: where it would be, it says so and has no values.
fn bounded(mut message: Value) -> Utf8Bytes {
    let text = message.to_string();
    if text.len() <= LONGEST {
        return text.into();
    }
    if let Some(object) = message.as_object_mut() {
        for name in ["result", "outputs", "inputs", "details", "args", "form", "sessions"] {
            if let Some(value) = object.get_mut(name) {
                *value = Value::Null;
            }
        }
        object.insert("truncated".to_owned(), true.into());
        shorten(object);
    }
    message.to_string().into()
}

/// Cuts what is still too long.
fn shorten(object: &mut Map<String, Value>) {
    for value in object.values_mut() {
        match value {
            Value::String(text) if text.len() > 1000 => *text = text.chars().take(500).chain(['…']).collect(),
            Value::Object(_) | Value::Array(_) if value.to_string().len() > 1000 => *value = Value::Null,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_says_that_it_is_cut_and_stays_short() {
        let long = json!({"type": "step_completed", "result": "x".repeat(LONGEST), "error": "y".repeat(5000), "run_id": 1});
        let told: Value = serde_json::from_str(&bounded(long)).unwrap();
        assert_eq!(
            (&told["truncated"], &told["result"], &told["run_id"]),
            (&json!(true), &Value::Null, &json!(1))
        );
        assert!(told["error"].as_str().unwrap().len() < 1600);
        let short: Value = serde_json::from_str(&bounded(json!({"result": 1}))).unwrap();
        assert_eq!(short, json!({"result": 1}));
    }

    #[test]
    fn every_event_has_a_type_that_can_be_asked_for() {
        let text = include_str!("../event.rs");
        let kinds = text.split("pub fn kind(&self)").nth(1).unwrap().split("\n    }\n").next().unwrap();
        let kinds: Vec<&str> = kinds.split('"').skip(1).step_by(2).collect();
        assert!(kinds.len() >= 20 && TYPES.is_sorted(), "{kinds:?}");
        for kind in kinds {
            let told = match kind {
                "step_failed" => "step_completed",
                "skill_cancelled" => "skill_failed",
                "confirm_requested" => "confirmation_required",
                "confirm_answered" => "confirmation_answered",
                other => other,
            };
            assert!(TYPES.contains(&told), "{told}");
        }
    }
}
