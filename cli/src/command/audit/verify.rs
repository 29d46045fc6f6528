//! `aa audit verify`

use serde_json::json;

use crate::args::Format;
use crate::args::audit::VerifyArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Checks the audit.
pub(super) fn run(args: VerifyArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let audited = context.engine()?.check_audit(args.mark)?;
    let exit = if audited.fault.is_none() { Exit::Ok } else { Exit::Failed };
    let printer = context.printer;
    if args.format.format == Format::Json {
        let json = json!({
            "ok": audited.fault.is_none(),
            "fault": audited.fault,
            "entries": audited.entries,
            "last": audited.last.map(|mark| mark.to_string()),
            "removed": audited.removed,
            "pending": audited.pending,
        });
        printer.data(format_args!("{json:#}"));
        return Ok(exit);
    }
    let entries = words::thousands(audited.entries);
    if let Some(fault) = &audited.fault {
        printer.error(format_args!("entry {}: {}", fault.seq, words::harmless(&fault.problem)));
        printer.hint(format_args!("the {entries} entries before it are as they were written"));
        return Ok(exit);
    }
    printer.say(format_args!("{entries} entries are as they were written, and none is missing"));
    if audited.removed > 0 {
        printer.say(format_args!("entries up to {} were removed for their age", audited.removed));
    }
    if audited.pending > 0 {
        let pending = words::thousands(audited.pending);
        printer
            .say(format_args!("{pending} events of runs are not in it yet; `aa audit list` takes them in"));
    }
    if let Some(mark) = &audited.last {
        printer.data(mark);
    }
    Ok(exit)
}
