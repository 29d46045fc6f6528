//! All schedules of one text.

use std::collections::BTreeSet;

use super::compile::Compiler;
use super::{Either, NotifyWritten, Patterns, Schedule, Zone, compile_sharing, names};
use crate::diagnostic::Diagnostic;
use crate::name::fold;
use crate::skill::Skill;
use crate::source::Source;
use crate::yaml::Spanned;

/// What is wrong with the schedules of a skill.
pub fn check(skill: &Skill, source: &Source) -> Vec<Diagnostic> {
    let Some(of) = &skill.schedule else { return Vec::new() };
    let (mut taken, mut diagnostics, patterns) = (BTreeSet::new(), Vec::new(), Patterns::default());
    for (name, schedule) in names(&skill.name, of) {
        if !taken.insert(fold(&name.value)) {
            let message = format!("there is already a schedule called `{}`", name.value);
            let problem = Diagnostic::error("duplicate-name", source, place(&name, schedule), message);
            diagnostics.push(problem.hint("give each a `name` of its own"));
        }
        let named = (&name, schedule);
        let compiled = compile_sharing(named, Some(&skill.name.value), (source, &Zone::UTC, &patterns));
        diagnostics.extend(compiled.err().into_iter().flatten());
    }
    diagnostics
}

/// A schedule without a name stands where its trigger does.
pub(crate) fn place(name: &Spanned<String>, schedule: &Schedule) -> crate::source::Span {
    let own = [&schedule.name, &schedule.cron, &schedule.every, &schedule.at];
    own.into_iter().flatten().next().map_or(name.span, |text| text.span)
}

/// The channels that a schedule names, with their places.
pub(crate) fn channels(notify: &NotifyWritten) -> Vec<&Spanned<String>> {
    match notify {
        Either::List(all) => all.iter().collect(),
        Either::Map(each) => {
            [&each.failure, &each.deadline, &each.waiting, &each.success].into_iter().flatten().collect()
        }
    }
}

/// What is wrong with the name of a zone.
pub(crate) fn zone_problem(name: &Spanned<String>, source: &Source) -> Vec<Diagnostic> {
    let mut compiler = Compiler { source, patterns: &Patterns::default(), diagnostics: Vec::new() };
    compiler.named_zone(name);
    compiler.diagnostics
}
