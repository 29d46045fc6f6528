//! What runs, as a file for editors that watch one: written anew as a whole, and not too often.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aa_run::caller::Caller;
use aa_run::engine::{Engine, OpenRun};
use aa_run::event::{Origin, RunId};
use aa_run::feed::{Happening, Listener, Wanted};
use aa_run::store::Cursor;
use aa_run::workspace::uri_of;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

/// The file is written at most so often.
const PACE: Duration = Duration::from_millis(250);
/// Runs that are over stay in it for so long.
const KEPT: Duration = Duration::from_mins(5);
/// Events of a run that it holds.
const EVENTS: u32 = 500;
/// Runs that it holds.
const RUNS: usize = 100;
/// Characters of a result or an error.
const SHOWN: usize = 500;

/// Keeps a file up to date for as long as it is polled.
pub(crate) async fn keep(engine: &Engine, path: &Path) {
    let engine = engine.for_caller(Caller::local(Origin::Http));
    let mut file = File::new(path);
    loop {
        // Listened to before it is read, so that nothing comes between the two.
        match engine.hear(Wanted::default(), None).await {
            Ok(listener) => {
                file.begin(&engine);
                file.write();
                file.follow(&engine, listener).await;
            }
            Err(error) => tracing::warn!("the state file is not kept: {error}"),
        }
        // It was too slow, or the store cannot be read: once more, from now on.
        tokio::time::sleep(10 * PACE).await;
    }
}

/// The file as it is to be.
struct File {
    path: PathBuf,
    executions: BTreeMap<RunId, Value>,
    /// The last that each of them was told.
    heard: BTreeMap<RunId, Cursor>,
    /// Runs that are over, with when they are to go.
    ended: VecDeque<(Instant, RunId)>,
}

impl File {
    fn new(path: &Path) -> Self {
        let path = path.to_owned();
        Self { path, executions: BTreeMap::new(), heard: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// Takes up what is under way already, as the journal has it.
    fn begin(&mut self, engine: &Engine) {
        let work = engine.open_work().unwrap_or_default();
        self.executions.retain(|_, execution| !execution["endTime"].is_null());
        for open in work.runs {
            let run = open.run.id;
            self.heard.remove(&run);
            self.executions.insert(run, execution_of(&open));
            for happening in engine.happenings(run, EVENTS).unwrap_or_default() {
                self.take(engine, &happening);
            }
        }
    }

    async fn follow(&mut self, engine: &Engine, mut listener: Listener) {
        let mut due = None;
        loop {
            let wake = due.or_else(|| self.ended.front().map(|(gone, _)| *gone));
            let come = tokio::select! {
                come = listener.next() => Some(come),
                () = until(wake) => None,
            };
            match come {
                Some(Ok(happenings)) => {
                    for happening in &happenings {
                        self.take(engine, happening);
                    }
                    due.get_or_insert_with(|| Instant::now() + PACE);
                }
                Some(Err(_)) => return,
                None => {
                    due = None;
                    self.forget();
                    self.write();
                }
            }
        }
    }

    fn take(&mut self, engine: &Engine, happening: &Happening) {
        let Some(run) = happening.run else { return };
        if self.heard.get(&run).is_some_and(|heard| !happening.is_after(*heard)) {
            return;
        }
        self.heard.insert(run, happening.cursor);
        let Ok(message) = serde_json::from_str::<Value>(&happening.json) else { return };
        if happening.kind == "skill_started" {
            let folder = engine.run(run).map(|run| uri_of(&run.folder)).unwrap_or_default();
            self.executions.insert(run, execution(&message, &folder));
        }
        let Some(execution) = self.executions.get_mut(&run) else { return };
        apply(execution, happening.kind, &message);
        if matches!(happening.kind, "skill_completed" | "skill_failed") {
            self.ended.push_back((Instant::now() + KEPT, run));
        }
        while self.executions.len() > RUNS {
            // The oldest goes.
            self.executions.pop_first();
        }
        self.heard.retain(|run, _| self.executions.contains_key(run));
    }

    fn forget(&mut self) {
        let now = Instant::now();
        while let Some((_, run)) = self.ended.front().copied().filter(|(gone, _)| *gone <= now) {
            self.ended.pop_front();
            self.executions.remove(&run);
            self.heard.remove(&run);
        }
    }

    fn write(&self) {
        let executions: BTreeMap<String, &Value> =
            self.executions.iter().map(|(run, execution)| (run.to_string(), execution)).collect();
        let whole = json!({"executions": executions, "lastUpdated": Utc::now(), "version": 2});
        if let Err(error) = replace(&self.path, whole.to_string().as_bytes()) {
            tracing::warn!("the state file `{}` cannot be written: {error}", self.path.display());
        }
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Writes a file beside its place and moves it there, so that nobody reads half of it.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    write_private(&part, contents).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        let _ = fs::remove_file(&part);
    })
}

/// Inputs of runs are nobody else's business.
fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(contents)
}

fn execution(started: &Value, folder: &str) -> Value {
    json!({
        "executionId": started["execution_id"],
        "skillName": started["skill"],
        "workspaceUri": folder,
        "sessionId": null,
        "sessionName": null,
        "source": started["source"],
        "sourceDetails": null,
        "status": "running",
        "currentStepIndex": 0,
        "totalSteps": started["total_steps"],
        "startTime": started["timestamp"],
        "endTime": null,
        "inDoubt": [],
        "events": [],
    })
}

fn execution_of(open: &OpenRun) -> Value {
    let started = json!({
        "execution_id": open.run.id.to_string(),
        "skill": open.run.skill,
        "source": open.run.origin,
        "total_steps": open.total_steps,
        "timestamp": open.run.started_at,
    });
    let mut execution = execution(&started, &uri_of(&open.run.folder));
    execution["currentStepIndex"] = open.done_steps.into();
    execution
}

/// Puts one more message into what is known of a run.
fn apply(execution: &mut Value, kind: &str, message: &Value) {
    doubt(execution, kind, message);
    let Some((kind, data)) = told(kind, message) else { return };
    if let Some(index) = message["step_index"].as_u64() {
        execution["currentStepIndex"] = index.into();
    }
    if kind == "skill_complete" {
        execution["status"] = if message["type"] == "skill_completed" { "success" } else { "failed" }.into();
        execution["endTime"] = message["timestamp"].clone();
    }
    let event = json!({
        "type": kind,
        "timestamp": message["timestamp"],
        "skillName": message["skill"],
        "executionId": message["execution_id"],
        "workspaceUri": execution["workspaceUri"],
        "stepIndex": message["step_index"],
        "stepName": message["step_name"],
        "data": data,
    });
    if let Some(events) = execution["events"].as_array_mut() {
        if events.len() >= EVENTS as usize {
            events.remove(1);
        }
        events.push(event);
    }
}

/// Which steps only a person can say of how they ended, by what has happened last.
fn doubt(execution: &mut Value, kind: &str, message: &Value) {
    if !execution["endTime"].is_null() {
        return;
    }
    match kind {
        "run_resumed" => execution["inDoubt"] = message["unknown"].clone(),
        // Whatever is heard of a step, it is known again how it stands.
        _ => {
            if let Some(steps) = execution["inDoubt"].as_array_mut() {
                steps.retain(|step| *step != message["step_id"]);
            }
        }
    }
    let waits = execution["inDoubt"].as_array().is_some_and(|steps| !steps.is_empty());
    execution["status"] = if waits { "waiting" } else { "running" }.into();
}

/// The name and the values by which editors know an event.
fn told(kind: &str, message: &Value) -> Option<(&'static str, Value)> {
    let short = |value: &Value| match value {
        Value::Null => Value::Null,
        Value::String(text) => text.chars().take(SHOWN).collect::<String>().into(),
        other => other.to_string().chars().take(SHOWN).collect::<String>().into(),
    };
    Some(match kind {
        "skill_started" => ("skill_start", json!({"totalSteps": message["total_steps"]})),
        "step_started" => ("step_start", Value::Null),
        "step_completed" if message["success"] == true => {
            ("step_complete", json!({"duration": message["duration"], "result": short(&message["result"])}))
        }
        "step_completed" => {
            ("step_failed", json!({"duration": message["duration"], "error": short(&message["error"])}))
        }
        "step_skipped" => ("step_skipped", json!({"reason": message["reason"]})),
        "step_retrying" => ("retry", json!({"retryCount": message["attempt"]})),
        "heal_started" => ("auto_heal", json!({"healingDetails": message["rule"]})),
        "skill_completed" => ("skill_complete", json!({"success": true, "duration": message["duration"]})),
        "skill_failed" => ("skill_complete", json!({"success": false, "duration": message["duration"]})),
        _ => return None,
    })
}
