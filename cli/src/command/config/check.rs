//! `aa config check`

use aa_run::engine::Engine;
use aa_run::settings::{Settings, SettingsError};
use aa_spec::diagnostic::{Diagnostic, has_errors};
use chrono::Utc;
use serde_json::Value;

use crate::args::Format;
use crate::args::config::CheckArgs;
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// What is doubtful in settings, wrong with their schedules and with what they say of modules: what these name is looked
/// up only here.
fn with_names(settings: Settings) -> Result<Vec<Diagnostic>, Failure> {
    let mut found = settings.warnings.clone();
    let has_schedules = !settings.scheduling.schedules.is_empty();
    if has_schedules || !settings.written_modules.is_empty() {
        let engine = Engine::new(settings);
        found.extend(engine.written_secrets()?);
        if has_schedules {
            found.extend(engine.check_schedules(Utc::now())?);
        }
    }
    Ok(found)
}

/// Finds every mistake in the configuration.
pub(super) fn run(args: &CheckArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let found = match context.resolve()? {
        Ok(settings) => with_names(settings)?,
        Err(SettingsError::Invalid(diagnostics)) => diagnostics,
        Err(error) => return Err(error.into()),
    };
    let printer = context.printer;
    if args.format.format == Format::Json {
        let all: Vec<Value> = found.iter().map(diagnostic::object).collect();
        printer.data(format_args!("{:#}", Value::from(all)));
    } else if found.is_empty() {
        printer.say(format_args!("{} the configuration has no problems", printer.err.mark(Mark::Done)));
    } else {
        diagnostic::draw_all(&found, printer);
        diagnostic::sum_up(&found, printer);
    }
    Ok(if has_errors(&found) { Exit::Invalid } else { Exit::Ok })
}
