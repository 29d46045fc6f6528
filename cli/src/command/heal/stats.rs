//! `aa heal stats`

use chrono::Utc;
use serde_json::json;

use crate::args::Format;
use crate::args::heal::ListArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Healings that are shown one by one.
const SHOWN: usize = 10;

/// Shows what the rules have done.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let (stats, records) = wait(async { Ok((engine.heal_stats().await?, engine.heals().await?)) })?;
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{:#}", json!({ "rules": stats, "healings": records })));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["RULE", "ACTED", "REUSED", "HELPED", "IN VAIN", "STOPPED"]);
    for rule in &stats {
        let numbers = [rule.acted, rule.reused, rule.helped, rule.in_vain].map(words::thousands);
        let cells = std::iter::once(rule.rule.clone()).chain(numbers);
        table.row(cells.chain([rule.stopped.clone().unwrap_or_default()]));
    }
    table.print(printer);
    if records.is_empty() {
        return Ok(Exit::Ok);
    }
    printer.data("");
    let now = Utc::now();
    let mut table = Table::new(&["WHEN", "RUN", "STEP", "RULE", "CALLED", "HELPED", "ERROR"]);
    for record in records.iter().take(SHOWN) {
        let called =
            if record.reused { format!("{} (reused)", record.action) } else { record.action.clone() };
        let helped = record.helped.map_or("", |helped| if helped { "yes" } else { "no" });
        table.row([
            words::ago(record.started_at, now),
            record.run.to_string(),
            record.step.to_string(),
            record.rule.clone(),
            called,
            helped.to_owned(),
            record.error.clone(),
        ]);
    }
    table.print(printer);
    Ok(Exit::Ok)
}
