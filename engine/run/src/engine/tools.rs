//! Tools called outside a run.

use std::sync::Arc;
use std::time::Duration;

use aa_spec::input;
use aa_spec::name;
use aa_spec::template::seal;
use aa_spec::tool::{ErrorKind, alias};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout};

use super::Engine;
use super::lone::Eye;
use crate::debug::DebugTool;
use crate::driver::Veil;
use crate::event::{Origin, StepError};
use crate::permits::Permit;
use crate::tool::native::Native as _;
use crate::tool::{CallContext, Person, Progress, Tool, ToolError};
use crate::toolbox::Toolbox;

/// Checks the arguments, opens secrets in them, and calls.
pub(super) async fn call(
    engine: &Engine,
    name: &str,
    mut args: Map<String, Value>,
    (progress, person): (Progress, Arc<dyn Person>),
) -> Result<Value, StepError> {
    let toolbox = engine.parts.toolbox().map_err(|error| invalid(error.to_string()))?;
    if toolbox.tool(name).is_none() {
        toolbox.meet(name).await;
    }
    let tool = toolbox.tool(name).ok_or_else(|| unknown(engine, &toolbox, name))?;
    may_stand_alone(engine, &tool).map_err(invalid)?;
    engine.may_call(tool.spec())?;
    let named = engine.may_name(&args);
    named.map_err(|why| StepError::new(ErrorKind::Auth, format!("your key does not let you use {why}")))?;
    if holds_seal(&args) {
        return Err(invalid("the arguments hold the reserved character U+FDD0 or U+FDD1".to_owned()));
    }
    for (given, meant) in alias::rename(&alias::all(&tool.spec().input), &mut args).map_err(invalid)? {
        progress(&format!("warning: the argument `{given}` of `{}` is called `{meant}`", tool.spec().name));
    }
    let mut eye = engine.eye(&toolbox, &tool.spec().name, &args);
    for warning in eye.iter_mut().flat_map(Eye::warnings) {
        progress(&format!("warning: {warning}"));
    }
    let answer = checked(engine, (&toolbox, tool), args, (progress, person)).await;
    if let Some(eye) = eye {
        eye.end(engine, answer.as_ref().err()).await;
    }
    answer
}

/// Makes a call if its arguments fit, once for all who want the same.
async fn checked(
    engine: &Engine,
    (toolbox, tool): (&Toolbox, Arc<dyn Tool>),
    mut args: Map<String, Value>,
    (progress, person): (Progress, Arc<dyn Person>),
) -> Result<Value, StepError> {
    input::fits(&tool.spec().input, &Value::Object(args.clone())).map_err(invalid)?;
    if engine.caller.origin == Origin::Cli {
        args.values_mut().for_each(seal_reference);
    }
    let Some(key) = engine.read_key(toolbox, tool.spec(), &args) else {
        return make(engine.clone(), tool, args, (progress, person)).await;
    };
    let keep = tool.spec().cache_ms.map(Duration::from_millis);
    let owned = engine.clone();
    engine
        .parts
        .shared
        .reads
        .once(key, keep, move || Box::pin(make(owned, tool, args, (progress, person))))
        .await
}

/// Makes a call whose arguments fit.
async fn make(
    engine: Engine,
    tool: Arc<dyn Tool>,
    args: Map<String, Value>,
    (progress, person): (Progress, Arc<dyn Person>),
) -> Result<Value, StepError> {
    let veil = Arc::new(Veil::new(engine.parts.secrets.clone()));
    let (args, secrets) = veil.open(args).await?;
    let (shown, hiding) = (Arc::clone(&veil), Arc::clone(&veil));
    let settings = engine.settings();
    let context = CallContext {
        progress: Arc::new(move |line| progress(&shown.hide(line))),
        person,
        conceal: Arc::new(move |name, value| hiding.conceal(name, value)),
        detect: veil.detector(secrets),
        tenant: engine.caller.tenant.as_str().into(),
        fence: engine.fence_of_call(),
        deadline: settings.step_timeout.and_then(|limit| Instant::now().checked_add(limit)),
        ..CallContext::detached(&settings.folder)
    };
    let _permit = permit(&engine, &tool.spec().module).await?;
    match until_the_end(&engine, tool.call(&context, args)).await {
        Ok(mut value) => {
            veil.hide_value(&mut value);
            Ok(value)
        }
        Err(error) => {
            let mut error = error.into();
            veil.hide_error(&mut error);
            Err(error)
        }
    }
}

/// What comes of a call, unless this process ends before: then it is cut off with all that it has started.
async fn until_the_end<T, E: From<ToolError>>(
    engine: &Engine,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let drain = engine.drain();
    let _counted = drain.count_call();
    tokio::select! {
        biased;
        () = drain.over() => {
            let why = "it was cut off, since the server that has called it is about to end";
            Err(ToolError::new(ErrorKind::Cancelled, why).into())
        }
        answer = call => answer,
    }
}

/// It counts among the calls of runs. Whoever gives the call up gives up its place in the line; a client waits for a
/// bounded time.
async fn permit(engine: &Engine, module: &str) -> Result<Permit, StepError> {
    let permits = &engine.parts.shared.permits;
    if engine.caller.origin == Origin::Cli {
        return Ok(permits.take(module).await);
    }
    let taken = timeout(engine.settings().calling.wait, permits.take_if_not_crowded(module)).await;
    if let Ok(Ok(permit)) = taken {
        return Ok(permit);
    }
    let mut error =
        StepError::new(ErrorKind::Transient, "too many calls are under way; come again in a while");
    error.details = json!({"full": true});
    Err(error)
}

/// That a tool may be called by itself. Of some that is no question of the key: what they tell of other tools depends on
/// who asks, which they do not know, and what failed may be another one's.
pub(super) fn may_stand_alone(engine: &Engine, tool: &Arc<dyn Tool>) -> Result<(), String> {
    let name = &tool.spec().name;
    if !engine.caller.sees_all() && name == DebugTool::FACE.name {
        return Err(format!("`{name}` cannot be called from outside a run"));
    }
    Ok(())
}

fn unknown(engine: &Engine, toolbox: &Toolbox, wanted: &str) -> StepError {
    let names = toolbox.names();
    let shown = names.iter().map(String::as_str).filter(|name| engine.shows_tool(name));
    let near = name::suggest(wanted, shown);
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    StepError::new(ErrorKind::NotFound, format!("there is no tool `{wanted}`{hint}"))
}

fn invalid(message: String) -> StepError {
    StepError::new(ErrorKind::Invalid, message)
}

pub(super) fn holds_seal(args: &Map<String, Value>) -> bool {
    let text = |value: &Value| matches!(value, Value::String(text) if seal::contains(text));
    args.iter().any(|(name, value)| seal::contains(name) || any(value, &text))
}

fn any(value: &Value, is: &impl Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| any(item, is)),
        Value::Object(entries) => {
            entries.iter().any(|(name, item)| is(&Value::String(name.clone())) || any(item, is))
        }
        other => is(other),
    }
}

/// `{{ secrets.NAME }}` and nothing else becomes a reference to that secret.
fn seal_reference(value: &mut Value) {
    let Value::String(text) = value else { return };
    let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let name = inner.and_then(|inner| inner.trim().strip_prefix("secrets."));
    if let Some(name) = name.filter(|name| name::is_valid(name)) {
        *text = seal::seal(name);
    }
}
