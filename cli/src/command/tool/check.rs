//! `aa tool check`

use aa_run::engine::Engine;
use aa_spec::diagnostic::Diagnostic;

use crate::args::skill::CheckFormat;
use crate::args::tool::CheckArgs;
use crate::command::skill::check::{expand, print};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Finds every mistake in tool modules.
pub(super) fn run(args: &CheckArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let names =
        if args.modules.is_empty() { engine.module_names()? } else { expand(&args.modules, &engine)? };
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut lacks = Vec::new();
    for name in &names {
        let Some(checked) = engine.check_module(name)? else { return Err(unknown(&engine, name)) };
        found.extend(checked.diagnostics.into_iter().filter(|one| !found.contains(one)).collect::<Vec<_>>());
        lacks.extend(checked.lacks.into_iter().map(|command| (name.clone(), command)));
    }
    let exit = print(&found, &words::count(names.len(), "tool module"), args.format, context);
    if args.format == CheckFormat::Human && !args.modules.is_empty() {
        for (module, command) in lacks {
            context.printer.hint(format_args!("`{module}` needs the command `{command}`, which is not here"));
        }
    }
    Ok(exit)
}

fn unknown(engine: &Engine, name: &str) -> Failure {
    let modules = engine.modules().unwrap_or_default();
    if modules.iter().any(|module| module.name == name && module.layer == "built in") {
        return Failure::usage(format!("the module `{name}` is built in; there is no file to check"));
    }
    let near = aa_spec::name::suggest(name, modules.iter().map(|module| module.name.as_str()));
    let failure = Failure::not_found(format!("there is no tool module `{name}`"));
    failure.suggest(near).hint("`aa tool new` starts one; a file is named by its path")
}
