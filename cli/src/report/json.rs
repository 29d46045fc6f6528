//! The events themselves, one per line.

use aa_run::event::Event;

use crate::printer::Printer;

/// Prints one event.
pub(crate) fn print(event: &Event, printer: &Printer) {
    match serde_json::to_string(event) {
        Ok(line) => printer.data(line),
        // An event came from JSON or goes into it: there is none that cannot be written.
        Err(error) => printer.error(format_args!("event {}: {error}", event.seq)),
    }
}
