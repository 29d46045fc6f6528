//! `aa config service …`

use chrono::Utc;

use crate::args::Format;
use crate::args::config::{ServiceCommand, ServiceListArgs, SwitchArgs};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Switches services, or lists them.
pub(super) fn run(command: &ServiceCommand, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        ServiceCommand::List(args) => list(args, context),
        ServiceCommand::Enable(args) => switch(args, true, context),
        ServiceCommand::Disable(args) => switch(args, false, context),
    }
}

fn list(args: &ServiceListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let services = context.engine()?.services()?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&services).unwrap_or_default();
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["SERVICE", "STATE", "SINCE", "WHAT"]);
    for service in services {
        let since = service.switched.map(|(by, at)| format!("{} by {by}", words::ago(at, Utc::now())));
        table.row([
            service.name.to_owned(),
            if service.enabled { "on" } else { "off" }.to_owned(),
            since.unwrap_or_else(|| "-".to_owned()),
            service.about.to_owned(),
        ]);
    }
    table.print(context.printer);
    Ok(Exit::Ok)
}

fn switch(args: &SwitchArgs, on: bool, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let by = context.environment.user();
    wait(async { Ok(engine.set_service(&args.service, on, by, Utc::now()).await?) })?;
    context.printer.say(format_args!("`{}` is {}", args.service, if on { "on" } else { "off" }));
    Ok(Exit::Ok)
}
