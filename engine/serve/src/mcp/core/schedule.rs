//! Schedules, and the names that clients of an older server know for the same. They are few people's business, so they
//! are in no list: `tool_search` finds them, and they are called by name or with `tool_call`.

use aa_run::driver::Park;
use aa_run::engine::{Engine, StartError};
use aa_run::event::Time;
use async_trait::async_trait;
use chrono::Utc;
use rmcp::model::{CallToolResult, JsonObject, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, define, object, text};
use crate::mcp::follow::{answer, question};
use crate::mcp::server::{Answer, Call, failed};

/// Reasons and messages that are given when nothing is said.
const USUAL: u32 = 20;
/// The most that are given.
const MOST: u32 = 100;

/// A tool for schedules, under one of its names.
pub(crate) struct Schedule {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    List,
    Show,
    Run,
    Pause,
    Resume,
    /// As an older server had it: one tool for both.
    Enable,
    Notices,
}

#[async_trait]
impl CoreTool for Schedule {
    fn definition(&self) -> Tool {
        let (title, description, hint) = match self.act {
            Act::List => (
                "List schedules",
                "List schedules (cron jobs, intervals, polls, webhooks): what they run, when they are due next, what became of the last time.",
                Hint::Read,
            ),
            Act::Show => (
                "Show a schedule",
                "Show a schedule (cron job), and why its last times were run or not.",
                Hint::Read,
            ),
            Act::Run => ("Run a schedule", "Run a schedule (cron job) now, as if it were due.", Hint::Write),
            Act::Pause => {
                ("Hold a schedule", "Hold a schedule (cron job): nothing of it runs by itself.", Hint::Write)
            }
            Act::Resume => {
                ("Resume a schedule", "Let a schedule (cron job) go on that was held.", Hint::Write)
            }
            Act::Enable => {
                ("Hold or resume a schedule", "Let a schedule (cron job) go on, or hold it.", Hint::Write)
            }
            Act::Notices => (
                "List messages about schedules",
                "List what people were told of schedules (cron notifications), newest first.",
                Hint::Read,
            ),
        };
        define(self.name, title, description, self.arguments(), hint)
            .with_raw_output_schema(object(self.act.gives()).into())
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let engine = &call.visit.engine;
        let by = question::by(&engine.caller().principal, self.name);
        let done = match self.act {
            Act::List => listed(engine),
            Act::Show => shown(engine, text(&args, "name"), limit(&args)),
            Act::Run => run(engine, text(&args, "name"), &by).await,
            Act::Pause => pause(engine, &args, &by).await,
            Act::Enable if args.get("enabled") == Some(&Value::Bool(false)) => {
                pause(engine, &args, &by).await
            }
            Act::Resume | Act::Enable => resume(engine, text(&args, "name"), &by).await,
            Act::Notices => notices(engine, limit(&args)),
        };
        Ok(match done {
            Ok(told) => CallToolResult::structured(told).into(),
            Err(error) => failed(answer::refusal(&error)),
        })
    }
}

impl Schedule {
    fn arguments(&self) -> (Value, &'static [&'static str]) {
        let name = json!({"type": "string", "description": "Name of the schedule."});
        let limit = |what: &str| {
            let description = format!("At most so many {what} (default {USUAL}).");
            json!({"type": "integer", "minimum": 1, "maximum": MOST, "description": description})
        };
        let reason = json!({"type": "string", "description": "Why, for those who look later."});
        match self.act {
            Act::List => (json!({}), &[]),
            Act::Notices => (json!({"limit": limit("messages")}), &[]),
            Act::Show => (json!({"name": name, "limit": limit("times that are explained")}), &["name"]),
            Act::Run | Act::Resume => (json!({ "name": name }), &["name"]),
            Act::Pause => (json!({"name": name, "reason": reason}), &["name"]),
            Act::Enable => {
                let enabled = json!({
                    "type": "boolean", "default": true, "description": "`false` holds it.",
                });
                (json!({"name": name, "enabled": enabled, "reason": reason}), &["name"])
            }
        }
    }
}

impl Act {
    /// The schema of what it gives.
    fn gives(self) -> Value {
        let (all, one) = (json!({"type": "array", "items": {"type": "object"}}), json!({"type": "object"}));
        let properties = match self {
            Self::List => json!({"scheduler": {"type": "boolean"}, "schedules": all}),
            Self::Show => json!({"schedule": one, "why": all}),
            Self::Run => json!({"due": {"type": "string"}, "run_id": {"type": ["integer", "null"]}}),
            Self::Pause | Self::Resume | Self::Enable => json!({ "schedule": one }),
            Self::Notices => json!({ "notices": all }),
        };
        let required: Vec<&String> = properties.as_object().into_iter().flat_map(|all| all.keys()).collect();
        json!({"type": "object", "required": required, "properties": properties})
    }
}

/// Now, as exactly as the store keeps it.
fn now() -> Time {
    let now = Utc::now();
    Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

fn limit(args: &JsonObject) -> u32 {
    let limit = args.get("limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok());
    limit.unwrap_or(USUAL).clamp(1, MOST)
}

fn listed(engine: &Engine) -> Result<Value, StartError> {
    Ok(json!({"scheduler": engine.has_scheduler()?, "schedules": engine.schedules(now())?}))
}

fn shown(engine: &Engine, name: &str, limit: u32) -> Result<Value, StartError> {
    let schedule = engine.schedule(name, now())?;
    // What has errors in its form has no times.
    let why = engine.schedule_why(name, limit, now()).unwrap_or_default();
    Ok(json!({"schedule": schedule, "why": why}))
}

/// The run is the owner's; its number is told to those for whom it is there.
async fn run(engine: &Engine, name: &str, by: &str) -> Result<Value, StartError> {
    let triggered = engine.run_schedule(name, None, (by, now()), Park::Stay).await?;
    let (due, run) = (triggered.slot.due, triggered.handle.id);
    engine.settle_later(triggered);
    Ok(json!({"due": due, "run_id": engine.run(run).ok().map(|run| run.id)}))
}

async fn pause(engine: &Engine, args: &JsonObject, by: &str) -> Result<Value, StartError> {
    let name = text(args, "name");
    engine.pause_schedule(name, by, text(args, "reason"), now()).await?;
    Ok(json!({"schedule": engine.schedule(name, now())?}))
}

async fn resume(engine: &Engine, name: &str, by: &str) -> Result<Value, StartError> {
    engine.resume_schedule(name, by, now()).await?;
    Ok(json!({"schedule": engine.schedule(name, now())?}))
}

fn notices(engine: &Engine, limit: u32) -> Result<Value, StartError> {
    Ok(json!({"notices": engine.notices_for_owner(limit)?}))
}
