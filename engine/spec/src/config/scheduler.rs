//! `scheduler:` and `schedules:`: what runs although nobody is there, and by which rules.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, Policy};
use crate::diagnostic::Diagnostic;
use crate::schedule::{self, Patterns, Zone};
use crate::source::Source;
use crate::yaml::Spanned;

/// By which rules schedules run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scheduler {
    /// Whether servers run what is due (default `true`).
    pub enabled: Option<Spanned<bool>>,
    /// Zone of schedules that name none, e.g. `Europe/Berlin` (default: that of the machine).
    pub timezone: Option<Spanned<String>>,
    /// What schedules may run without asking, by the strongest effect of what is run (default: all of it,
    /// since whoever can write a schedule can also run its skill). `plan` is the same as `ask` here.
    pub policy: Policy,
    /// How long what has become of past times is kept (default `90d`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub keep: Option<Spanned<String>>,
}

/// What is wrong with schedules, and with the rules for them.
pub(super) fn check(config: &Config, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(name) = &config.scheduler.timezone {
        diagnostics.extend(schedule::zone_problem(name, source));
    }
    let patterns = Patterns::default();
    for (name, written) in &config.schedules {
        let name = Spanned { value: name.clone(), span: written.span };
        if written.value.name.is_some() {
            let message = format!("schedule `{}` has a name already", name.value);
            let span = written.value.name.as_ref().map_or(written.span, |name| name.span);
            diagnostics.push(
                Diagnostic::error("stray-key", source, span, message)
                    .hint("`name` is for the schedules in a skill"),
            );
        }
        let compiled =
            schedule::compile_sharing((&name, &written.value), None, (source, &Zone::UTC, &patterns));
        diagnostics.extend(compiled.err().into_iter().flatten());
    }
}
