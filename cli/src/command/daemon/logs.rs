//! `aa daemon logs`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use aa_run::cause::cause;

use super::log::older;
use crate::args::daemon::LogsArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};

const TICK: Duration = Duration::from_millis(200);

pub(super) fn run(args: &LogsArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let path = super::files(context)?.log();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::not_found("no daemon has logged anything yet").hint("`aa daemon start` starts one")
        }
        _ => Failure::failed(format!("cannot read `{}`: {}", path.display(), cause(&error))),
    };
    let mut file = BufReader::new(File::open(&path).map_err(failed)?);
    let mut lines = lines(&mut file).map_err(failed)?;
    if lines.len() < args.lines
        && let Ok(before) = File::open(older(&path, 1))
    {
        let mut all = self::lines(&mut BufReader::new(before)).map_err(failed)?;
        all.append(&mut lines);
        lines = all;
    }
    let start = lines.len().saturating_sub(args.lines);
    for line in &lines[start..] {
        context.printer.data(line);
    }
    while args.follow && !context.printer.is_gone() {
        for line in self::lines(&mut file).map_err(failed)? {
            context.printer.data(line);
        }
        if is_another(&path, file.get_ref()) {
            file = BufReader::new(File::open(&path).map_err(failed)?);
        } else {
            sleep(TICK);
        }
    }
    Ok(Exit::Ok)
}

/// What is there to read, line by line.
fn lines(file: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

/// Whether the log was begun anew.
fn is_another(path: &Path, file: &File) -> bool {
    let (Ok(named), Ok(open)) = (path.metadata(), file.metadata()) else { return false };
    named.ino() != open.ino()
}
