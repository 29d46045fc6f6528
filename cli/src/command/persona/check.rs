//! `aa persona check`

use aa_spec::diagnostic::Diagnostic;

use super::unknown;
use crate::args::persona::CheckArgs;
use crate::command::skill::check::{expand, print};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Finds every mistake in personas.
pub(super) fn run(args: &CheckArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let names = if args.personas.is_empty() {
        engine.personas()?.into_iter().map(|persona| persona.name).collect()
    } else {
        expand(&args.personas, &engine)?
    };
    let mut found: Vec<Diagnostic> = Vec::new();
    for name in &names {
        let Some(checked) = engine.check_persona(name)? else { return Err(unknown(&engine, name)) };
        found.extend(checked.diagnostics);
    }
    Ok(print(&found, &words::count(names.len(), "persona"), args.format, context))
}
