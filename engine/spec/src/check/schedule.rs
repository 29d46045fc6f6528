//! What schedules use, held against what there is: the skill and its inputs, the tool of a poll and its
//! arguments, the persona. A schedule is like a step that nobody has to wait for.

use super::argument::Signature;
use super::library::Library;
use super::{Catalog, Checker, Strictness};
use crate::diagnostic::Diagnostic;
use crate::plan::SkillPlan;
use crate::schedule::{Poll, Schedule, place};
use crate::source::{Source, Span};
use crate::tool::Effect;
use crate::yaml::{Kind, Node, Spanned};

/// What schedules may name besides skills and tools.
pub trait Personas {
    /// Why a skill does not belong to a persona; none when it does.
    fn misses(&self, persona: &str, skill: &str) -> Option<Missed>;
    /// Every persona, to guess at what was meant.
    fn names(&self) -> Vec<String>;
}

/// Why a skill does not belong to a persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// There is no such persona.
    Unknown,
    /// It has errors.
    Faulty,
    /// It does not have the skill.
    Lacking,
}

/// Everything that is wrong with what schedules of one text use, for each of them. `own` is the skill that they
/// stand in, if they stand in one.
pub fn check_uses<'s>(
    schedules: impl IntoIterator<Item = (&'s Spanned<String>, &'s Schedule)>,
    own: Option<&SkillPlan>,
    source: &Source,
    (catalog, personas): (&dyn Catalog, &dyn Personas),
) -> Vec<Vec<Diagnostic>> {
    let mut library = Library::new(catalog, Strictness::default());
    let mut checker = Checker::new(source, &mut library);
    let uses = |(name, written)| {
        checker.schedule((name, written), own, personas);
        std::mem::take(&mut checker.diagnostics)
    };
    schedules.into_iter().map(uses).collect()
}

impl Checker<'_, '_> {
    fn schedule(
        &mut self,
        (name, written): (&Spanned<String>, &Schedule),
        own: Option<&SkillPlan>,
        personas: &dyn Personas,
    ) {
        let skill = match (own, &written.skill) {
            (Some(plan), _) => Some((plan.name.as_str(), place(name, written))),
            (None, Some(skill)) => Some((skill.value.as_str(), skill.span)),
            (None, None) => None,
        };
        let found = own.is_none().then(|| written.skill.as_ref().and_then(|skill| self.sub_skill(skill)));
        let plan = own.or_else(|| found.as_ref().and_then(Option::as_deref));
        if let (Some(plan), Some((_, span))) = (plan, skill) {
            self.schedule_inputs(written, plan, span);
        }
        if let Some(poll) = &written.poll {
            self.poll(poll);
        }
        if let (Some(persona), Some((skill, _)), true) = (&written.persona, skill, plan.is_some()) {
            self.persona(persona, skill, personas);
        }
        for limit in [&written.timeout, &written.deadline].into_iter().flatten() {
            // One that is no duration was told before.
            if crate::duration::parse_ms(&limit.value) == Ok(0) {
                self.timeout(limit);
            }
        }
    }

    fn schedule_inputs(&mut self, written: &Schedule, plan: &SkillPlan, span: Span) {
        let signature = Signature::of_skill(plan, span).under("inputs");
        let inputs = written.inputs.iter();
        // Null for an input that need not be given is as if it were not.
        let needs = |name: &str| plan.inputs.iter().any(|input| input.required && input.name == name);
        let given: Vec<(Spanned<String>, Node)> = inputs
            .filter(|(name, node)| !node.is_null() || needs(name))
            .map(|(name, node)| (key(self.source, name, node.span), node.clone()))
            .collect();
        self.given(&given, &signature);
    }

    fn poll(&mut self, poll: &Poll) {
        let Some(spec) = self.tool(&poll.tool) else { return };
        if spec.effect != Effect::Read {
            let message = format!("`{}` does not only read, so it cannot be polled", poll.tool.value);
            let problem = self.error("poll-effect", poll.tool.span, message).about(&poll.tool.value);
            self.report(
                problem.hint("name a tool that only reads; what changes something belongs in the skill"),
            );
        }
        let none = Vec::new();
        let args = match &poll.args {
            Some(Node { kind: Kind::Map(args), .. }) => args,
            Some(other) if !other.is_null() => {
                let message = "`args` must be a mapping of names to values";
                return self.report(self.error("bad-arguments", other.span, message));
            }
            _ => &none,
        };
        self.given(args, &Signature::of_tool(&spec, poll.tool.span));
    }

    fn persona(&mut self, persona: &Spanned<String>, skill: &str, personas: &dyn Personas) {
        let name = &persona.value;
        let problem = match personas.misses(name, skill) {
            None => return,
            Some(Missed::Unknown) => {
                let known = personas.names();
                self.error("unknown-persona", persona.span, format!("there is no persona `{name}`"))
                    .suggest(name, known.iter().map(String::as_str))
            }
            Some(Missed::Faulty) => self
                .error("faulty-persona", persona.span, format!("the persona `{name}` has errors"))
                .hint(format!("`aa persona check {name}` says more")),
            Some(Missed::Lacking) => {
                let message = format!("the persona `{name}` does not have the skill `{skill}`");
                let problem = self.error("foreign-skill", persona.span, message);
                problem.hint("name it under `skills` of the persona, or leave `persona` out here")
            }
        };
        self.report(problem);
    }
}

/// Where the key of a value stands: right before it, also when that is on the next line.
fn key(source: &Source, name: &str, value: Span) -> Spanned<String> {
    let before = source.text.get(..value.start as usize).unwrap_or_default();
    let gap = |at: &usize| {
        let between = &before[at + name.len()..];
        between.len() < 80 && between.trim_start_matches(['"', '\'']).trim_start().starts_with(':')
    };
    let start = before.rfind(name).filter(gap).and_then(|at| u32::try_from(at).ok());
    let length = u32::try_from(name.len()).unwrap_or_default();
    let span = start.map_or(value, |start| Span { start, end: start + length });
    Spanned { value: name.to_owned(), span }
}
