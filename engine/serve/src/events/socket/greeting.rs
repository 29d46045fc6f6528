//! What whoever begins to listen is told first: what is under way, and from where to go on.

use aa_run::engine::{Engine, OpenQuestion, OpenRun, OpenWork};
use aa_run::feed::Listener;
use chrono::Utc;
use serde_json::{Value, json};

/// The message `connected`.
pub(super) fn of(engine: &Engine, listener: &Listener) -> Value {
    let work = engine.open_work().unwrap_or_else(|error| {
        tracing::warn!("what is under way cannot be read: {error}");
        OpenWork::default()
    });
    json!({
        "type": "connected",
        "cursor": listener.cursor().to_string(),
        "timestamp": Utc::now(),
        "running_skills": work.runs.iter().map(running).collect::<Vec<_>>(),
        "pending_confirmations": work.questions.iter().map(pending).collect::<Vec<_>>(),
    })
}

fn running(open: &OpenRun) -> Value {
    let OpenRun { run, total_steps, done_steps } = open;
    json!({
        "run_id": run.id,
        "execution_id": run.id.to_string(),
        "skill_id": run.id.to_string(),
        "skill_name": run.skill,
        "total_steps": total_steps,
        "current_step": done_steps,
        "status": run.status,
        "source": run.origin,
        "started_at": run.started_at,
    })
}

fn pending(open: &OpenQuestion) -> Value {
    let OpenQuestion { id, run, asked, step_index, asked_at } = open;
    let seconds = asked.until.map(|until| (until - Utc::now()).num_seconds().max(0));
    json!({
        "id": id,
        "run_id": run,
        "execution_id": run.to_string(),
        "skill_id": run.to_string(),
        "step_id": asked.step,
        "step_index": step_index,
        "prompt": asked.message,
        "options": asked.options,
        "form": asked.form,
        "default": asked.default,
        "claude_suggestion": null,
        "timeout_seconds": seconds,
        "created_at": asked_at,
    })
}
