//! `aa schedule show`

use aa_run::schedule::Slot;
use aa_run::store::SlotFilter;
use aa_spec::schedule::Zone;
use serde_json::json;

use super::{list, now, point_out_idle, point_out_zone};
use crate::args::Format;
use crate::args::schedule::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;

/// Shows a schedule, and what has become of its last times.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let now = now();
    let schedule = engine.schedule(&args.schedule, now)?;
    let filter = SlotFilter { limit: Some(args.limit), ..SlotFilter::default() };
    let slots = if schedule.problems.is_empty() || !schedule.skill.is_empty() {
        engine.schedule_slots(&args.schedule, &filter)?
    } else {
        Vec::new()
    };
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{:#}", json!({"schedule": schedule, "slots": slots})));
        return Ok(Exit::Ok);
    }
    printer.data(format_args!("{}", schedule.name));
    let zone = Zone::parse(&schedule.timezone).unwrap_or(Zone::UTC);
    let lines = [
        ("about", schedule.description.clone()),
        ("skill", schedule.skill.clone()),
        ("when", schedule.trigger.clone()),
        ("zone", schedule.timezone.clone()),
        ("next", schedule.next.map(|next| zone.show(next)).unwrap_or_default()),
        ("state", state(&schedule, now)),
        (
            "news",
            schedule
                .polled
                .as_ref()
                .map(|(at, text)| format!("{}: {text}", zone.show(*at)))
                .unwrap_or_default(),
        ),
        ("from", schedule.place.clone()),
        ("project", schedule.project.clone().unwrap_or_default()),
    ];
    for (name, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
        printer.data(format_args!("  {name:<8} {text}"));
    }
    for fault in &schedule.faults {
        printer.data(format_args!("  {:<8} {fault}", "error"));
    }
    if !slots.is_empty() {
        printer.data("");
        table(&slots, &zone).print(printer);
    }
    point_out_idle(&engine, context);
    point_out_zone(&engine, context);
    Ok(Exit::Ok)
}

fn state(schedule: &aa_run::engine::ScheduleView, now: aa_run::event::Time) -> String {
    match &schedule.paused {
        _ if !schedule.problems.is_empty() => list::next(schedule, now),
        Some(pause) => {
            let parts = [pause.by.as_str(), pause.why.as_str()];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("held ({})", parts.join(": "))
        }
        None if schedule.waiting.is_some() => {
            format!("waits for a person; `aa schedule why {}` says more", schedule.name)
        }
        None if schedule.next.is_some() => format!("due {}", list::next(schedule, now)),
        None => String::new(),
    }
}

fn table(slots: &[Slot], zone: &Zone) -> Table {
    let mut table = Table::new(&["DUE", "STATE", "RUN", "ATTEMPT", "WHY"]);
    for slot in slots {
        let due = if slot.count > 1 {
            format!("{} (and {} before)", zone.show(slot.due), slot.count - 1)
        } else {
            zone.show(slot.due)
        };
        table.row([
            due,
            slot.state.word().to_owned(),
            slot.run.map(|run| run.to_string()).unwrap_or_default(),
            if slot.attempt > 0 { slot.attempt.to_string() } else { String::new() },
            slot.why.clone(),
        ]);
    }
    table
}
