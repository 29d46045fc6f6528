//! `aa schedule notices`

use super::now;
use crate::args::Format;
use crate::args::schedule::NoticesArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Shows what people were told, and how that went.
pub(super) fn run(args: &NoticesArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let notices = context.engine()?.notices(args.limit)?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&notices).unwrap_or_default();
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["WHEN", "CHANNEL", "STATE", "WHAT", "ERROR"]);
    for notice in notices {
        let state = notice.state.word().to_owned();
        table.row([words::ago(notice.at, now()), notice.channel, state, notice.title, notice.error]);
    }
    table.print(context.printer);
    Ok(Exit::Ok)
}
