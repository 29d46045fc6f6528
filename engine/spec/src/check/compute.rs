//! Python in a step: read, held against what the skill has there, and made a block.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Checker;
use super::action::{Target, first_line};
use super::argument::Signature;
use super::names::CONTEXT;
use super::reference::{Reader, Reads, Site};
use crate::compute::reading::{Call, Mention, Problem, Reading, Setting, read};
use crate::compute::{Block, Callee, CalleeKind, vocabulary};
use crate::diagnostic::Diagnostic;
use crate::dialect::tools::instead;
use crate::name::fold;
use crate::plan::Action;
use crate::skill::Step;
use crate::source::Span;
use crate::template::{Reference, Segment};
use crate::tool::Effect;
use crate::yaml::{Kind, Node, Spanned};

/// A block that has been read, and what it calls.
pub(super) struct Python {
    reading: Reading,
    calls: BTreeMap<String, Callee>,
}

impl Python {
    /// What it does to the world: the strongest of its calls.
    pub(super) fn effect(&self) -> Effect {
        self.calls.values().map(|callee| callee.effect).max().unwrap_or(Effect::Read)
    }

    /// Whether all that it does may be done again after a crash.
    pub(super) fn is_idempotent(&self) -> bool {
        self.calls.values().all(|callee| callee.idempotent)
    }

    /// The first of what it calls that must not be called once more.
    pub(super) fn unrepeatable(&self) -> Option<&str> {
        self.calls.iter().find(|(_, callee)| !callee.idempotent).map(|(name, _)| name.as_str())
    }
}

impl Checker<'_, '_> {
    /// Reads the Python of a step, when the steps before it have been declared.
    pub(super) fn python(&mut self, step: &Step, text: &Spanned<String>) -> Target {
        let output = fold(&step.output.as_ref().unwrap_or(&step.name).value);
        let (names, repeated) = (&self.names, step.foreach.is_some());
        let is_value = |name: &str| is_context(name, repeated) || !names.outputs(name).is_empty();
        let lenient = self.library.strictness.lenient;
        match read(&text.value, Setting { output: &output, is_value: &is_value, lenient }) {
            Ok(mut reading) => {
                for problem in std::mem::take(&mut reading.problems) {
                    self.python_problem(text, problem);
                }
                let calls = self.callees(text, &reading.calls);
                Target::Compute(Box::new(Python { reading, calls }))
            }
            Err(error) => {
                let span = self.python_span(text, &(error.offset..error.offset));
                self.report(self.error("compute-syntax", span, error.message));
                Target::Unknown
            }
        }
    }

    fn python_problem(&mut self, text: &Spanned<String>, problem: Problem) {
        let span = self.python_span(text, &problem.span);
        // The first name in the message is what there is a problem with.
        let subject = problem.message.split('`').nth(1).unwrap_or_default().to_owned();
        let found = self.error(problem.code, span, problem.message).hint(problem.hint).about(subject);
        self.report(Diagnostic { severity: problem.severity, ..found });
    }

    /// Where a part of a block stands in the file: its first line, if it has several.
    fn python_span(&self, text: &Spanned<String>, part: &Range<usize>) -> Span {
        let value = text.value.as_str();
        let from = part.start.min(value.trim_end().len());
        let rest = value.get(from..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let least = line.chars().next().map_or(0, char::len_utf8);
        let length = part.end.saturating_sub(from).clamp(least, line.len().max(least));
        let span = self.source.part(text.span, value, &(from..from + length));
        if span == text.span { first_line(self.source, span) } else { span }
    }

    /// Everything that a block may call.
    fn callees(&mut self, text: &Spanned<String>, calls: &[Call]) -> BTreeMap<String, Callee> {
        let mut callees = BTreeMap::new();
        for call in calls {
            let span = self.python_span(text, &call.span);
            let found = match call.kind {
                CalleeKind::Tool => self.tool_callee(text, call, span),
                CalleeKind::Skill => self.skill_callee(text, call, span),
            };
            let Some((name, callee)) = found else { continue };
            let earlier: Option<Callee> = callees.insert(name, callee);
            if earlier.is_some_and(|earlier| earlier.kind != call.kind) {
                let message = format!("the block calls a tool and a skill of one name, `{}`", call.name);
                let problem = self.error("compute-callee", span, message);
                self.report(problem.hint("run the skill in a step of its own"));
            }
        }
        callees
    }

    fn tool_callee(&mut self, text: &Spanned<String>, call: &Call, span: Span) -> Option<(String, Callee)> {
        let Some(spec) = self.library.catalog.tool(&call.name) else {
            self.unknown_callee(call, span);
            return None;
        };
        self.call_arguments(text, call, &Signature::of_tool(&spec, span));
        let callee = Callee {
            kind: CalleeKind::Tool,
            effect: spec.effect,
            idempotent: spec.idempotent || spec.effect == Effect::Read,
            reconcile: spec.reconcile.clone(),
            aliases: crate::tool::alias::all(&spec.input),
        };
        Some((spec.name.clone(), callee))
    }

    fn unknown_callee(&mut self, call: &Call, span: Span) {
        let message = match &call.by {
            Some(word) => format!("there is no tool `{}`, which `{word}` calls", call.name),
            None => format!("there is no tool `{}`", call.name),
        };
        let known = if call.by.is_some() { Vec::new() } else { self.library.catalog.tool_names() };
        let problem = self.error("unknown-tool", span, message).about(&call.name);
        self.report(match instead(&call.name) {
            Some(hint) => problem.hint(hint),
            None => problem.suggest(&call.name, known.iter().map(String::as_str)),
        });
    }

    fn skill_callee(&mut self, text: &Spanned<String>, call: &Call, span: Span) -> Option<(String, Callee)> {
        let plan = self.sub_skill(&Spanned { value: call.name.clone(), span })?;
        self.call_arguments(text, call, &Signature::of_skill(&plan, span));
        let callee = Callee {
            kind: CalleeKind::Skill,
            effect: plan.effect(),
            idempotent: plan.steps.iter().all(|step| step.idempotent),
            reconcile: None,
            aliases: BTreeMap::new(),
        };
        Some((plan.name.clone(), callee))
    }

    fn call_arguments(&mut self, text: &Spanned<String>, call: &Call, signature: &Signature<'_>) {
        if call.by.is_some() {
            return;
        }
        let given = call.arguments.iter().map(|argument| {
            let name = Spanned { value: argument.name.clone(), span: self.python_span(text, &argument.span) };
            let node = argument.value.as_ref().map(|value| Node {
                kind: Kind::Scalar(value.clone()),
                span: self.python_span(text, &argument.at),
            });
            (name, node)
        });
        let given: Vec<_> = given.collect();
        self.named_arguments(&given, !call.open, signature);
    }

    /// Resolves what a block reads, and makes the block.
    pub(super) fn block(&mut self, step: &Step, python: &Python, site: &Site, reads: &mut Reads) -> Action {
        let text = step.compute.clone().unwrap_or_default();
        let reading = &python.reading;
        let asked: BTreeSet<&str> = reading.asked.iter().map(|(name, _)| name.as_str()).collect();
        let mut names = BTreeSet::new();
        for mention in &reading.mentions {
            names.extend(self.mention(&text, mention, &asked, site, reads));
        }
        for (name, at) in &reading.asked {
            self.asked(&text, name, at, reading, site, reads);
        }
        reads.all_steps |= reading.asks_all;
        Action::Compute {
            block: Block {
                code: reading.code.clone(),
                line: self.first_code_line(&text),
                reads: names.into_iter().collect(),
                imports: reading.imports.iter().cloned().collect(),
                lists_names: reading.asks_all || !reading.asked.is_empty(),
                calls: python.calls.clone(),
                source: text.value,
            },
        }
    }

    /// Resolves one name; gives it, if the block gets it from the skill.
    fn mention(
        &mut self,
        text: &Spanned<String>,
        mention: &Mention,
        asked: &BTreeSet<&str>,
        site: &Site,
        reads: &mut Reads,
    ) -> Option<String> {
        let Some(Segment::Key(root)) = mention.path.first() else { return None };
        let there = self.is_there(root, site);
        // A block that asks first, or copes with the error, knows what it does.
        if !there && (mention.doubtful || asked.contains(root.as_str())) {
            return None;
        }
        let span = self.python_span(text, &mention.span);
        let (path, guarded) = (mention.path.clone(), mention.guarded);
        let at = mention.span.clone();
        let reference = Reference { path, span: at, guarded, worked_on: true, carried: true, quoted: false };
        self.reference(&reference, span, site, reads);
        (there || self.library.strictness.lenient).then(|| root.clone())
    }

    /// `'x' in dir()`: whether it can ever be true.
    fn asked(
        &mut self,
        text: &Spanned<String>,
        name: &str,
        at: &Range<usize>,
        reading: &Reading,
        site: &Site,
        reads: &mut Reads,
    ) {
        let span = self.python_span(text, at);
        if self.is_there(name, site) {
            let path = vec![Segment::Key(name.to_owned())];
            let at = at.clone();
            let reference =
                Reference { path, span: at, guarded: true, worked_on: true, carried: true, quoted: false };
            return self.reference(&reference, span, site, reads);
        }
        if reading.own.contains(name) || vocabulary::word(name).is_some() {
            return;
        }
        let (code, why) = match self.names.outputs(name).first() {
            Some(_) => ("forward-reference", "a later step gives it its value"),
            None => ("unknown-reference", "nothing is called so"),
        };
        let message = format!("`'{name}' in dir()` is never true: {why}");
        let known = self.names.roots();
        let problem = self.warning(code, span, message);
        let problem = match crate::name::suggest(name, known.iter().copied().filter(|known| *known != name)) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem,
        };
        self.report(problem);
    }

    /// Whether a name of the skill has a value when the step runs.
    fn is_there(&self, name: &str, site: &Site) -> bool {
        let before = match site.reader {
            Reader::Step(own) => own,
            _ => usize::MAX,
        };
        is_context(name, site.item) || self.names.outputs(name).first().is_some_and(|step| *step < before)
    }

    /// The line of the file on which the source begins.
    fn first_code_line(&self, text: &Spanned<String>) -> u32 {
        let value = text.value.as_str();
        let start = value.len() - value.trim_start().len();
        let blank = value.get(..start).unwrap_or_default().matches('\n').count();
        let line = self.lines.line(self.python_span(text, &(start..start)).start);
        line.saturating_sub(u32::try_from(blank).unwrap_or_default()).max(1)
    }
}

/// Whether a name means something by itself in every block.
fn is_context(name: &str, repeated: bool) -> bool {
    match name {
        "item" | "index" => repeated,
        // A word of the prelude.
        "memory" => false,
        name => CONTEXT.contains(&name),
    }
}
