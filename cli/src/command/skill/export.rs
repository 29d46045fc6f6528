//! `aa skill export`

use aa_run::engine::{ExportFile, ExportRequest, ExportState};
use aa_run::export::Client;

use crate::args::skill::{ExportArgs, ExportClient};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Writes skills down for a client, or says what is out of date.
pub(super) fn run(args: &ExportArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let request = ExportRequest {
        client: client(args.client),
        as_skills: args.skills,
        folder: engine.settings().folder.join(&args.dir),
        names: args.names.clone(),
    };
    let export = engine.export(&request)?;
    let printer = context.printer;
    for name in &export.broken {
        printer.warning(format_args!(
            "the skill `{name}` has errors, so it is left out; `aa skill check {name}` shows them"
        ));
    }
    if !args.check {
        engine.write_export(&export)?;
    }
    let shown = |file: &ExportFile| {
        file.path
            .strip_prefix(&request.folder)
            .unwrap_or(&file.path)
            .components()
            .collect::<std::path::PathBuf>()
    };
    for file in &export.files {
        if let Some(what) = word(file.state, args.check) {
            printer.data(format_args!("{what} {}", shown(file).display()));
        }
    }
    // What somebody else wrote stays, so that it is told is all there is to it.
    let settled = |file: &&ExportFile| matches!(file.state, ExportState::Same | ExportState::Foreign);
    let stale = export.files.len() - export.files.iter().filter(settled).count();
    if args.check && stale > 0 {
        let verb = if stale == 1 { "is" } else { "are" };
        return Err(Failure::failed(format!("{} {verb} not as the skills are", words::count(stale, "file")))
            .hint("the same command without `--check` writes what it may"));
    }
    Ok(Exit::Ok)
}

fn client(client: ExportClient) -> Client {
    match client {
        ExportClient::Claude => Client::Claude,
        ExportClient::Cursor => Client::Cursor,
        ExportClient::Codex => Client::Codex,
        ExportClient::Vscode => Client::Vscode,
    }
}

/// What is said of a file.
fn word(state: ExportState, check: bool) -> Option<&'static str> {
    Some(match (state, check) {
        (ExportState::Same, _) => return None,
        (ExportState::New, false) => "wrote",
        (ExportState::Old, false) => "wrote again",
        (ExportState::New, true) => "missing:",
        (ExportState::Old, true) => "out of date:",
        (ExportState::Foreign, _) => "left alone, somebody else wrote it:",
        (ExportState::Left, _) => "left over, its skill is gone:",
    })
}
