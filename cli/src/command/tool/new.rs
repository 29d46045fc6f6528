//! `aa tool new`

use aa_spec::name::fold;

use crate::args::tool::NewArgs;
use crate::command::skill::new::{home, write_new, write_schema};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// The module that a new one over commands starts as.
const COMMAND: &str = include_str!("new/command.yaml");

/// The module that a new one over an HTTP API starts as.
const HTTP: &str = include_str!("new/http.yaml");

/// Writes a small tool module that checks clean and works.
pub(super) fn run(args: &NewArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let module = &args.module;
    if !aa_spec::name::is_valid(module) {
        return Err(Failure::usage(format!("`{module}` cannot be the name of a tool module"))
            .hint("a letter, then letters, digits, `-` and `_`"));
    }
    let text = text(args)?;
    let engine = context.engine()?;
    if let Some(known) = engine.modules()?.iter().find(|known| fold(&known.name) == fold(module)) {
        let failure = Failure::usage(format!("there is a tool module `{module}` already ({})", known.layer));
        return Err(failure.hint("a module of the same name would hide it, tool by tool"));
    }
    let home = home(engine.settings(), args.user);
    let file = home.join("tools").join(format!("{module}.yaml"));
    write_new(&file, &text)?;
    write_schema(&home, "tool.json")?;
    let printer = context.printer;
    let shown = file.strip_prefix(&engine.settings().folder).unwrap_or(&file).display().to_string();
    printer.data(&shown);
    printer.say(format_args!("{} written; try it:", printer.err.mark(Mark::Done)));
    printer.say(format_args!("  aa tool test {module}"));
    let call = if args.http.is_some() {
        "get --arg path=…".to_owned()
    } else {
        format!("count --arg file={shown}")
    };
    printer.say(format_args!("  aa tool call {}_{call}", fold(module)));
    Ok(Exit::Ok)
}

/// The text of the new module.
fn text(args: &NewArgs) -> Result<String, Failure> {
    let prefix = fold(&args.module);
    let named = |text: &str| text.replace("{name}", &args.module).replace("{prefix}", &prefix);
    let Some(url) = &args.http else { return Ok(named(COMMAND)) };
    let base = url.trim_end_matches('/');
    let Some((_, place)) = base.split_once("://").filter(|(scheme, place)| {
        ["http", "https"].contains(scheme)
            && !place.is_empty()
            && !place.contains(['"', '\\', ' ', '{', '?', '#'])
    }) else {
        return Err(Failure::usage(format!("`{url}` is no address of an HTTP API"))
            .hint("write it like `https://api.example.org/v2`"));
    };
    let path = place.find('/').map_or("", |at| &place[at..]);
    let variable = prefix.to_uppercase();
    Ok(named(HTTP).replace("{base}", base).replace("{base_path}", path).replace("{VARIABLE}", &variable))
}
