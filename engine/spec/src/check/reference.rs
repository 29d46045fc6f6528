//! What a mention of a name in a template means, and whether it may stand there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Checker;
use super::fit::{self, Dead, Found};
use super::names::{CONTEXT, ERROR, RUN, STEP};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Span;
use crate::template::{Field, Reference, Segment};

/// Where a template stands, and so what it may read.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) reader: Reader,
    /// Whether `item` and `index` are there.
    pub(super) item: bool,
    /// Whether it is an argument of a tool, the only place for `secrets`.
    pub(super) secrets: bool,
    /// Whether `error` and `attempt` are there.
    pub(super) attempt: bool,
}

/// Whose template it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A step before it runs: earlier outputs.
    Step(usize),
    /// A step after it has run: its own output, too.
    Result(usize),
    /// The default of an input: inputs before it.
    Default(usize),
    /// The result of the skill: everything.
    Output,
}

/// What a step's templates read.
#[derive(Default)]
pub(super) struct Reads {
    /// Earlier steps.
    pub(super) steps: BTreeSet<usize>,
    /// Later steps, which cannot be; with where they are mentioned.
    pub(super) later: Vec<(usize, Span)>,
    /// All of `steps`, by a name that only the run knows.
    pub(super) all_steps: bool,
    /// `item` or `index`.
    pub(super) item: bool,
}

impl Site {
    pub(super) fn step(index: usize) -> Self {
        Self { reader: Reader::Step(index), item: false, secrets: false, attempt: false }
    }

    pub(super) fn with_item(self, item: bool) -> Self {
        Self { item, ..self }
    }

    pub(super) fn with_secrets(self) -> Self {
        Self { secrets: true, ..self }
    }

    pub(super) fn with_attempt(self) -> Self {
        Self { attempt: true, ..self }
    }

    /// The same step, after it has run.
    pub(super) fn result(self) -> Self {
        match self.reader {
            Reader::Step(index) => Self { reader: Reader::Result(index), ..self },
            _ => self,
        }
    }
}

impl Checker<'_, '_> {
    /// Resolves one mention.
    pub(super) fn reference(&mut self, reference: &Reference, span: Span, site: &Site, reads: &mut Reads) {
        let Some((Segment::Key(root), path)) = reference.path.split_first() else { return };
        match root.as_str() {
            "inputs" => self.input_reference(reference, path, span, site),
            "config" => {
                let dead = fit::in_value(&self.library.config, path);
                self.dead_end(reference, dead, span, "; set it under `values:` in the configuration");
            }
            "defaults" => {
                let dead = fit::in_value(&self.names.defaults, path);
                self.dead_end(reference, dead, span, "");
            }
            "secrets" => self.secret_reference(reference, path, span, site),
            "run" => self.dead_end(reference, dead_in(&RUN, path), span, ""),
            "env" => self.env_reference(path, span),
            "steps" => self.steps_reference(reference, path, span, site, reads),
            "item" | "index" if site.item => {
                reads.item = true;
                if root == "item" && !path.is_empty() {
                    let (depth, of) = (path.len(), root.clone());
                    let (path, span_in, guarded) =
                        (reference.path.clone(), reference.span.clone(), reference.guarded);
                    self.item_field(&Field { path, depth, of, span: span_in, guarded }, span);
                }
            }
            "item" | "index" => {
                let message = format!("`{root}` is only there in a step with `foreach`");
                self.report(self.error("item-outside-foreach", span, message));
            }
            "today" => {}
            "attempt" if site.attempt => {}
            "error" if site.attempt => self.dead_end(reference, dead_in(&ERROR, path), span, ""),
            _ if self.names.outputs(root).is_empty() || !site_reads_steps(site) => {
                self.unknown_root(root, span, site);
            }
            _ => {
                if self.variable_reference(root, span, site, reads) {
                    match self.names.output_schema(root).map(|schema| fit::at(schema, path)) {
                        Some(Found::Nothing(dead)) => self.dead_end(reference, Some(dead), span, ""),
                        Some(Found::Unsaid(dead)) => self.unsaid(reference, dead, root, span),
                        _ => {}
                    }
                }
            }
        }
    }

    /// The JSON Schema of what a path leads to, if it is known.
    pub(super) fn schema_of(&self, path: &[Segment]) -> Option<&Value> {
        match self.follow(path)? {
            Found::Schema(schema) => Some(schema),
            _ => None,
        }
    }

    /// What is at the end of a path from an input, a variable or an item; `None` when nothing is known of these.
    fn follow(&self, path: &[Segment]) -> Option<Found<'_>> {
        let (Segment::Key(root), rest) = path.split_first()? else { return None };
        let (schema, rest) = match (root.as_str(), rest.split_first()) {
            ("inputs", Some((Segment::Key(name), rest))) => {
                (&self.names.inputs[self.names.input(name)?].schema, rest)
            }
            ("item", _) => {
                let item = self.item_source.as_ref().filter(|source| !is_item(source))?;
                return self.follow(&[item.as_slice(), rest].concat());
            }
            ("run", _) => (&*RUN, rest),
            ("steps", Some((Segment::Key(name), rest))) => {
                self.names.step(name)?;
                (&*STEP, rest)
            }
            _ => (self.names.output_schema(root)?, rest),
        };
        Some(fit::at(schema, rest))
    }

    /// Holds a field of an item against what is known of the items.
    pub(super) fn item_field(&mut self, field: &Field, span: Span) {
        let (dead, is_closed) = match self.follow(&field.path) {
            Some(Found::Nothing(dead)) => (dead, true),
            Some(Found::Unsaid(dead)) => (dead, false),
            _ => return,
        };
        // What is wrong before is told where it stands.
        let Some(taken) = field.depth.checked_sub(dead.left) else { return };
        let (way, written) = field.path.split_at(field.path.len() - field.depth);
        let of = if field.of.is_empty() { path_text(way) } else { field.of.clone() };
        let parent = path_text(&[&[Segment::Key(of)], &written[..taken]].concat());
        let message = match &dead.known {
            Some(_) if is_closed => format!("`{parent}` has no `{}`", dead.key),
            Some(_) => format!("nothing is said of `{}` in `{parent}`", dead.key),
            None => format!("`{parent}` has no `{}`: it is {}", dead.key, dead.what),
        };
        let problem = if is_closed && !field.guarded {
            self.unknown("unknown-field", span, message)
        } else {
            self.warning("unknown-field", span, message)
        };
        let known = dead.known.unwrap_or_default();
        self.report(problem.suggest(&dead.key, known.iter().map(String::as_str)));
    }

    fn input_reference(&mut self, reference: &Reference, path: &[Segment], span: Span, site: &Site) {
        let Some((Segment::Key(name), rest)) = path.split_first() else {
            // Any of them may be meant.
            self.used_inputs.extend(self.names.inputs.iter().map(|input| input.name.clone()));
            return;
        };
        let Some(index) = self.names.input(name) else {
            let known: Vec<&str> = self.names.inputs.iter().map(|input| input.name.as_str()).collect();
            let problem = self.unknown("unknown-reference", span, format!("there is no input `{name}`"));
            let problem = problem.suggest(name, known);
            return self.report(problem);
        };
        self.used_inputs.insert(name.clone());
        if let Reader::Default(before) = site.reader
            && index >= before
        {
            let message = format!("the default of an input cannot read `inputs.{name}`, which comes later");
            return self.report(self.unknown("forward-reference", span, message).hint("change their order"));
        }
        let dead = dead_in(&self.names.inputs[index].schema, rest);
        self.dead_end(reference, dead, span, "");
    }

    fn secret_reference(&mut self, reference: &Reference, path: &[Segment], span: Span, site: &Site) {
        if !site.secrets {
            let message = "secrets may only be used in the arguments of a tool";
            return self.report(self.error("secret-outside-arguments", span, message));
        }
        let problem = match path.first() {
            Some(Segment::Key(name)) if self.library.secrets.contains(name) => {
                if !reference.worked_on && path.len() == 1 {
                    return;
                }
                // A template sees a secret's name, not its value.
                self.error("secret-worked-on", span, "a secret can only be passed on as it is")
                    .hint("put it into a text, e.g. `Bearer {{ secrets.NAME }}`")
            }
            Some(Segment::Key(name)) => {
                let problem = self.error("unknown-secret", span, format!("there is no secret `{name}`"));
                let known = self.library.secrets.iter().map(String::as_str);
                let problem = problem.suggest(name, known);
                if problem.hint.is_empty() {
                    problem.hint("declare it under `secrets:` in the configuration")
                } else {
                    problem
                }
            }
            _ => self.error("unknown-secret", span, "a secret must be named, as in `secrets.NAME`"),
        };
        self.report(problem);
    }

    fn env_reference(&mut self, path: &[Segment], span: Span) {
        if let Some(Segment::Key(name)) = path.first()
            && !self.names.env.contains(name)
        {
            let message = format!("the environment variable `{name}` is not declared");
            let hint = format!("add it to the skill: `env: [{name}]`");
            self.report(self.unknown("unknown-env", span, message).hint(hint));
        }
    }

    fn steps_reference(
        &mut self,
        reference: &Reference,
        path: &[Segment],
        span: Span,
        site: &Site,
        reads: &mut Reads,
    ) {
        let Some((Segment::Key(name), rest)) = path.split_first() else {
            reads.all_steps = true;
            return;
        };
        let Some(step) = self.names.step(name).filter(|_| site_reads_steps(site)) else {
            let problem = self.unknown("unknown-reference", span, format!("there is no step `{name}`"));
            let problem = match name.contains('-').then(|| crate::name::fold(name)) {
                Some(folded) if self.names.step(&folded).is_some() => {
                    problem.hint(format!("write it `steps.{folded}`"))
                }
                _ => problem.suggest(name, self.names.step_names()),
            };
            return self.report(problem);
        };
        if self.step_reference(step, span, site, reads) {
            self.dead_end(reference, dead_in(&STEP, rest), span, "");
        }
    }

    /// Notes that a variable is read, and so every earlier step that sets it; false when
    /// none has by then.
    fn variable_reference(&mut self, name: &str, span: Span, site: &Site, reads: &mut Reads) -> bool {
        let steps = self.names.outputs(name).to_vec();
        let own = match site.reader {
            Reader::Step(own) => own,
            Reader::Result(own) => own + 1,
            Reader::Output | Reader::Default(_) => return true,
        };
        let mut earlier = steps.iter().copied().take_while(|step| *step < own).peekable();
        match earlier.peek() {
            Some(_) => {
                reads.steps.extend(earlier.filter(|step| Reader::Result(*step) != site.reader));
                true
            }
            None => self.step_reference(steps[0], span, site, reads),
        }
    }

    /// Notes that a step is read; false when it cannot be.
    fn step_reference(&mut self, step: usize, span: Span, site: &Site, reads: &mut Reads) -> bool {
        let own = match site.reader {
            Reader::Output | Reader::Default(_) => return true,
            Reader::Step(own) | Reader::Result(own) => own,
        };
        if step < own {
            reads.steps.insert(step);
        } else if step > own {
            reads.later.push((step, span));
            return false;
        } else if site.reader == Reader::Step(own) {
            let message = format!("step `{}` reads its own result", self.names.steps[step].name);
            self.report(self.unknown("self-reference", span, message));
            return false;
        }
        true
    }

    fn unknown_root(&mut self, root: &str, span: Span, site: &Site) {
        if matches!(site.reader, Reader::Default(_)) && !self.names.outputs(root).is_empty() {
            let message = format!("the default of an input cannot read `{root}`: no step has run yet");
            return self.report(self.unknown("forward-reference", span, message));
        }
        let problem = self.unknown("unknown-reference", span, format!("nothing is called `{root}`"));
        let hyphenated = |name: &&str| name.split('-').next() == Some(root) && name.contains('-');
        let problem = if root == "memory" {
            // Two looks at it could differ, and nothing would tell afterwards what was seen.
            problem.hint("read it in a step with `tool: memory_read`, whose result is in the journal")
        } else if ["null", "nil", "Null", "NULL"].contains(&root) {
            problem.hint("write `none`: that is what a value is called here that is not there")
        } else if let Some(name) = self.names.steps.iter().map(|step| step.name.as_str()).find(hyphenated) {
            problem.hint(format!("write `{}`: in a template `-` is a minus", crate::name::fold(name)))
        } else {
            let roots = self.names.roots();
            match crate::name::suggest(root, roots.iter().copied()) {
                Some(_) => problem.suggest(root, roots.iter().copied()),
                None if roots.len() > CONTEXT.len() => {
                    problem.hint("name an earlier step's output, or `inputs.…`")
                }
                None => problem,
            }
        };
        self.report(problem);
    }

    /// A path into a mapping of fixed keys.
    fn dead_end(&mut self, reference: &Reference, dead: Option<Dead>, span: Span, advice: &str) {
        let Some(dead) = dead else { return };
        let parent = path_text(&reference.path[..reference.path.len() - dead.left]);
        let message = match &dead.known {
            Some(_) => format!("`{parent}` has no `{}`{advice}", dead.key),
            None => format!("`{parent}` has no `{}`: it is {}", dead.key, dead.what),
        };
        let problem = self.unknown_field(reference, span, message);
        let known = dead.known.unwrap_or_default();
        self.report(problem.suggest(&dead.key, known.iter().map(String::as_str)));
    }

    /// A field that the tool does not speak of. It may give more than it says, so this is only doubtful.
    fn unsaid(&mut self, reference: &Reference, dead: Dead, root: &str, span: Span) {
        let parent = &reference.path[1..reference.path.len() - dead.left];
        let of = match parent {
            [] => String::new(),
            _ => format!(" in `{}`", path_text(&reference.path[..=parent.len()])),
        };
        let message = match self.names.tool_of(root) {
            Some(tool) => format!("the output of `{tool}` says nothing of `{}`{of}", dead.key),
            None => format!("`{root}` says nothing of `{}`{of}", dead.key),
        };
        let known = dead.known.unwrap_or_default();
        let problem = self.warning("unknown-field", span, message);
        self.report(problem.suggest(&dead.key, known.iter().map(String::as_str)));
    }

    /// A field that is not there is only doubtful where something else would do.
    fn unknown_field(&self, reference: &Reference, span: Span, message: String) -> Diagnostic {
        let problem = self.unknown("unknown-field", span, message);
        if reference.guarded { Diagnostic { severity: Severity::Warning, ..problem } } else { problem }
    }
}

fn dead_in(schema: &Value, path: &[Segment]) -> Option<Dead> {
    match fit::at(schema, path) {
        Found::Nothing(dead) => Some(dead),
        _ => None,
    }
}

/// A path as written: `build.items[0].name`.
fn path_text(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) if text.is_empty() => text.push_str(key),
            Segment::Key(key) => text.extend([".", key]),
            Segment::Index(index) => text.extend(["[", &index.to_string(), "]"]),
            Segment::Each => text.push_str("[…]"),
        }
    }
    text
}

/// Whether a way begins with the item itself.
fn is_item(source: &[Segment]) -> bool {
    source.first().and_then(Segment::key) == Some("item")
}

fn site_reads_steps(site: &Site) -> bool {
    !matches!(site.reader, Reader::Default(_))
}
