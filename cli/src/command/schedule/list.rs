//! `aa schedule list`

use aa_run::engine::ScheduleView;
use aa_run::event::Time;
use aa_run::schedule::decide::lapse;

use super::{now, point_out_idle, point_out_zone};
use crate::args::Format;
use crate::args::schedule::ListArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Lists the schedules.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let now = now();
    let schedules = engine.schedules(now)?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&schedules).unwrap_or_default();
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    if schedules.is_empty() {
        context.printer.say("no schedules; write one under `schedules:` in the configuration");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["SCHEDULE", "SKILL", "WHEN", "NEXT", "LAST"]);
    for schedule in &schedules {
        table.row([
            schedule.name.clone(),
            schedule.skill.clone(),
            schedule.trigger.clone(),
            next(schedule, now),
            last(schedule, now),
        ]);
    }
    table.print(context.printer);
    for schedule in &schedules {
        for fault in &schedule.faults {
            context.printer.warning(format_args!("`{}` does not run: {fault}", schedule.name));
        }
    }
    point_out_idle(&engine, context);
    point_out_zone(&engine, context);
    Ok(Exit::Ok)
}

/// When it is due, or why it is not.
pub(super) fn next(schedule: &ScheduleView, now: Time) -> String {
    match (&schedule.paused, schedule.next) {
        _ if !schedule.problems.is_empty() => "has errors".to_owned(),
        _ if !schedule.enabled => "disabled".to_owned(),
        (Some(_), _) => "held".to_owned(),
        (None, Some(next)) => format!("in {}", lapse(next - now)),
        (None, None) => "-".to_owned(),
    }
}

fn last(schedule: &ScheduleView, now: Time) -> String {
    if let Some(waiting) = &schedule.waiting {
        let run = waiting.run.map(|run| format!(" (run {run})")).unwrap_or_default();
        return format!("waiting {}{run}", words::ago(waiting.since, now));
    }
    if let Some(failing) = &schedule.failing {
        return format!("polling fails since {}", words::ago(failing.since, now));
    }
    let Some(slot) = &schedule.last else { return "-".to_owned() };
    format!("{} {}", slot.state.word(), words::ago(slot.due, now))
}
