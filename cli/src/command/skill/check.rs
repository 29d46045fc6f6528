//! `aa skill check`

mod compat;
mod sarif;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aa_run::cause::cause;
use aa_run::engine::Engine;
use aa_spec::check::Strictness;
use aa_spec::diagnostic::{Diagnostic, has_errors};
use serde_json::Value;

use crate::args::skill::{CheckArgs, CheckFormat};
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::style::Mark;
use crate::words;

/// Finds every mistake in skills.
pub(super) fn run(args: &CheckArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let strictness = Strictness { lenient: args.lenient, strict: args.strict };
    let names = wanted(&args.skills, &engine)?;
    if args.compat {
        return compat::run(&engine, &names, args.format, context);
    }
    let mut found = Vec::new();
    for name in &names {
        let checked = engine.check(name, strictness)?;
        let schedules = engine.check_schedules_of(&checked)?;
        let of_one: Vec<Diagnostic> = checked.diagnostics.into_iter().chain(schedules).collect();
        found.extend(of_one.into_iter().filter(|one| !found.contains(one)).collect::<Vec<_>>());
    }
    Ok(print(&found, &words::count(names.len(), "skill"), args.format, context))
}

/// Prints what was found in so many things.
pub(in crate::command) fn print(
    found: &[Diagnostic],
    things: &str,
    format: CheckFormat,
    context: &Context<'_>,
) -> Exit {
    let printer = context.printer;
    match format {
        CheckFormat::Human => human(found, things, context),
        CheckFormat::Json => {
            let all: Vec<Value> = found.iter().map(diagnostic::object).collect();
            printer.data(format_args!("{:#}", Value::from(all)));
        }
        CheckFormat::Sarif => printer.data(format_args!("{:#}", sarif::log(found))),
    }
    if has_errors(found) { Exit::Invalid } else { Exit::Ok }
}

fn human(found: &[Diagnostic], things: &str, context: &Context<'_>) {
    let printer = context.printer;
    diagnostic::draw_all(found, printer);
    if found.is_empty() {
        printer.say(format_args!("{} {things} checked, no problems", printer.err.mark(Mark::Done)));
    } else {
        diagnostic::sum_up(found, printer);
    }
}

/// Names and paths to check: folders become the files in them, nothing becomes everything.
pub(super) fn wanted(skills: &[String], engine: &Engine) -> Result<Vec<String>, Failure> {
    if skills.is_empty() {
        return Ok(engine.skills()?.into_iter().map(|skill| skill.name).collect());
    }
    expand(skills, engine)
}

/// Names and paths, where folders become the files in them.
pub(in crate::command) fn expand(names: &[String], engine: &Engine) -> Result<Vec<String>, Failure> {
    let mut wanted = Vec::new();
    for name in names {
        let path = engine.settings().folder.join(name);
        if !path.is_dir() {
            wanted.push(name.clone());
            continue;
        }
        let files = yaml_files(&path)?;
        if files.is_empty() {
            return Err(Failure::not_found(format!("there are no YAML files in `{name}`")));
        }
        wanted.extend(files.iter().map(|file| file.display().to_string()));
    }
    Ok(wanted)
}

/// Every YAML file below a folder, sorted; hidden ones are somebody else's.
fn yaml_files(folder: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::not_found(format!("cannot read the folder `{}`: {}", folder.display(), cause(&error)))
    };
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(unreadable)?.is_dir() {
            files.extend(yaml_files(&path)?);
        } else if is_skill(&path) {
            files.insert(path);
        }
    }
    Ok(files)
}

/// A YAML file, but no tests of one.
fn is_skill(path: &Path) -> bool {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    is_yaml && path.file_stem().is_some_and(|stem| !stem.to_string_lossy().ends_with(".test"))
}
