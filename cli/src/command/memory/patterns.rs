//! `aa memory patterns`

use aa_run::mistake::Mistake;
use chrono::Utc;
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::memory::PatternsArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Lists the mistakes that are remembered, or forgets one.
pub(super) fn run(args: &PatternsArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let printer = context.printer;
    if let Some(id) = &args.forget {
        let gone = wait(async { Ok(engine.forget_mistake(id).await?) })?;
        printer.say(format_args!("forgot `{}`: {}, {}", gone.id, gone.tool, gone.mark));
        return Ok(Exit::Ok);
    }
    let now = Utc::now();
    let known = engine.mistakes()?;
    if args.format.format == Format::Json {
        let json: Vec<Value> = known.iter().map(|mistake| in_json(mistake, now)).collect();
        printer.data(format_args!("{:#}", json!(json)));
        return Ok(Exit::Ok);
    }
    if known.is_empty() {
        printer.say("no mistakes are known");
        return Ok(Exit::Ok);
    }
    let head = ["ID", "TOOL", "SEEN", "HELPED", "WRONG", "SURE", "WARNS", "LAST", "MISTAKE"];
    let mut table = Table::new(&head);
    for mistake in &known {
        table.row([
            mistake.id.clone(),
            mistake.tool.clone(),
            mistake.seen.to_string(),
            mistake.prevented.to_string(),
            mistake.false_alarms.to_string(),
            format!("{:.2}", mistake.confidence(now)),
            if mistake.warns(now) { "yes" } else { "no" }.to_owned(),
            words::ago(mistake.last_at, now),
            format!("{}: {}; {}", mistake.category, mistake.mark, mistake.error),
        ]);
    }
    table.print(printer);
    Ok(Exit::Ok)
}

fn in_json(mistake: &Mistake, now: chrono::DateTime<Utc>) -> Value {
    let mut json = serde_json::to_value(mistake).unwrap_or_default();
    json["confidence"] = mistake.confidence(now).into();
    json["warns"] = mistake.warns(now).into();
    json
}
