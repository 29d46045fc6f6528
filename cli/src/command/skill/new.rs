//! `aa skill new`

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use aa_run::cause::cause;
use aa_run::settings::Settings;
use aa_spec::schema;

use crate::args::skill::NewArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// The skill that a new one starts as.
const TEMPLATE: &str = include_str!("new/template.yaml");

/// Writes a small skill that checks clean and runs.
pub(super) fn run(args: &NewArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    if !aa_spec::name::is_valid(&args.name) {
        return Err(Failure::usage(format!("`{}` cannot be the name of a skill", args.name))
            .hint("a letter, then letters, digits, `-` and `_`"));
    }
    let engine = context.engine()?;
    let home = home(engine.settings(), args.user);
    let file = home.join("skills").join(format!("{}.yaml", args.name));
    let text = TEMPLATE.replace("{name}", &args.name);
    write_new(&file, &text)?;
    write_schema(&home, "skill.json")?;
    let printer = context.printer;
    let shown = file.strip_prefix(&engine.settings().folder).unwrap_or(&file).display();
    printer.data(shown);
    printer.say(format_args!("{} written; it runs:", printer.err.mark(Mark::Done)));
    printer.say(format_args!("  aa skill run {} --input name=world", args.name));
    Ok(Exit::Ok)
}

/// The folder that new files of the project, or of the user, go to.
pub(in crate::command) fn home(settings: &Settings, user: bool) -> PathBuf {
    match &settings.project_folder {
        _ if user => settings.config_folder.clone(),
        Some(project) => project.clone(),
        None => settings.folder.join(".aa"),
    }
}

/// Writes the schema that the editor's line of a new file points to.
pub(in crate::command) fn write_schema(home: &Path, name: &str) -> Result<(), Failure> {
    let schema = home.join("schemas").join(name);
    let all = schema::all();
    match all.iter().find(|(known, _)| *known == name) {
        Some((_, json)) if !schema.exists() => write_new(&schema, &format!("{json:#}\n")),
        _ => Ok(()),
    }
}

/// Writes a file that must not be there yet.
pub(in crate::command) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot write `{}`: {}", path.display(), cause(&error));
        match error.kind() {
            ErrorKind::AlreadyExists => Failure::usage(format!("`{}` exists already", path.display())),
            _ => Failure::failed(message),
        }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
