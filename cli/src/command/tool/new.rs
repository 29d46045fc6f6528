//! `aa tool new`

use aa_spec::name::fold;

use crate::args::tool::NewArgs;
use crate::command::skill::new::{home, write_new, write_schema};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// The module that a new one starts as.
const COMMAND: &str = include_str!("new/command.yaml");

/// Writes a small tool module that checks clean and works.
pub(super) fn run(args: &NewArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let module = &args.module;
    if !aa_spec::name::is_valid(module) {
        return Err(Failure::usage(format!("`{module}` cannot be the name of a tool module"))
            .hint("a letter, then letters, digits, `-` and `_`"));
    }
    let engine = context.engine()?;
    if let Some(known) = engine.modules()?.iter().find(|known| fold(&known.name) == fold(module)) {
        let failure = Failure::usage(format!("there is a tool module `{module}` already ({})", known.layer));
        return Err(failure.hint("a module of the same name would hide it, tool by tool"));
    }
    let home = home(engine.settings(), args.user);
    let file = home.join("tools").join(format!("{module}.yaml"));
    write_new(&file, &COMMAND.replace("{name}", module).replace("{prefix}", &fold(module)))?;
    write_schema(&home, "tool.json")?;
    let printer = context.printer;
    let shown = file.strip_prefix(&engine.settings().folder).unwrap_or(&file).display().to_string();
    printer.data(&shown);
    printer.say(format_args!("{} written; try it:", printer.err.mark(Mark::Done)));
    printer.say(format_args!("  aa tool test {module}"));
    printer.say(format_args!("  aa tool call {}_count --arg file={shown}", fold(module)));
    Ok(Exit::Ok)
}
