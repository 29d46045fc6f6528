//! What happens to a run, turned into output.

pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod outputs;
pub(crate) mod plain;
pub(crate) mod tree;
pub(crate) mod value;

#[cfg(test)]
mod tests;

use aa_run::engine::Notice;
use aa_run::event::{Event, StepError, StepPath};
use aa_run::store::RunSummary;
use serde_json::Value;

use crate::args::skill::RunFormat;
use crate::failure::Exit;
use crate::printer::Printer;
use crate::style::{Mark, Tone};
use crate::words;
use human::Human;
use tree::{Change, Ending, TakingBack, Tree};

/// Lines of a failed step's stderr that are shown with the error.
const STDERR_LINES: usize = 12;

/// Takes what happens to one run and shows it.
#[derive(Debug)]
pub(crate) struct Reporter<'a> {
    printer: &'a Printer,
    /// What is known of the run.
    pub(crate) tree: Tree,
    show: Show,
}

#[derive(Debug)]
enum Show {
    Human(Box<Human>),
    Plain,
    Json,
    Nothing,
}

impl<'a> Reporter<'a> {
    /// Chooses how to show a run.
    pub(crate) fn new(format: RunFormat, printer: &'a Printer) -> Self {
        let show = match format {
            RunFormat::Json => Show::Json,
            RunFormat::Quiet => Show::Nothing,
            RunFormat::Human if printer.quiet => Show::Nothing,
            RunFormat::Human if printer.is_live() => Show::Human(Box::new(Human::new(printer.err))),
            RunFormat::Human => Show::Plain,
        };
        Self { printer, tree: Tree::default(), show }
    }

    /// Whether it wants [`Self::tick`]s.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.show, Show::Human(_))
    }

    /// Whether a person reads along and can be asked.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.show, Show::Human(_) | Show::Plain)
    }

    /// Names that will come, so that the columns fit them.
    pub(crate) fn expect<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        if let Show::Human(human) = &mut self.show {
            human.expect(names);
        }
    }

    /// Shows what happened.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Event(event) => self.event(event),
            Notice::Line { step, line, .. } => self.tree.line(step, line),
        }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &Event) {
        let change = self.tree.apply(event);
        match &mut self.show {
            Show::Human(human) => human.change(&self.tree, &change),
            Show::Plain => {
                for line in plain::lines(&self.tree, &change, self.printer.err) {
                    self.printer.say(line);
                }
            }
            Show::Json => json::print(event, self.printer),
            Show::Nothing => {}
        }
    }

    /// Takes in an event that was shown before.
    pub(crate) fn catch_up(&mut self, event: &Event) -> Change {
        self.tree.apply(event)
    }

    /// Draws the next frame of the live display.
    pub(crate) fn tick(&mut self) {
        if let Show::Human(human) = &mut self.show {
            human.tick(&self.tree);
        }
    }

    /// Leaves the terminal to a question.
    pub(crate) fn pause(&mut self) {
        if let Show::Human(human) = &mut self.show {
            human.pause();
        }
    }

    /// Takes the terminal back.
    pub(crate) fn go_on(&mut self) {
        if let Show::Human(human) = &mut self.show {
            human.go_on();
        }
    }

    /// Leaves the terminal as it should stay.
    pub(crate) fn close(&mut self) {
        if let Show::Human(human) = &mut self.show {
            human.finish();
        }
    }

    /// The last words on a run: its outputs on stdout, or why there are none.
    pub(crate) fn conclude(&mut self) -> Exit {
        self.close();
        match &self.tree.taking_back {
            TakingBack::Never => {}
            TakingBack::Begun => return self.waiting(),
            TakingBack::Over(failed) => return self.taken_back(failed),
        }
        match &self.tree.ending {
            Some(Ending::Completed { outputs, duration_ms }) => {
                self.sum_up(Mark::Done, "completed", *duration_ms);
                if !matches!(self.show, Show::Json) {
                    outputs::print(outputs, self.printer);
                }
                Exit::Ok
            }
            Some(Ending::Failed { error, step, duration_ms }) => {
                self.sum_up(Mark::Failed, "failed", *duration_ms);
                self.explain(error, step.as_ref());
                Exit::Failed
            }
            Some(Ending::Cancelled { duration_ms }) => {
                self.sum_up(Mark::Stopped, "cancelled", *duration_ms);
                Exit::Cancelled
            }
            None => self.waiting(),
        }
    }

    /// A run was taken back after its end.
    fn taken_back(&self, failed: &[StepPath]) -> Exit {
        let (run, printer) = (self.tree.run, self.printer);
        if failed.is_empty() {
            if self.is_for_people() {
                printer.say(format_args!("{} run {run} is taken back", printer.err.mark(Mark::Done)));
            }
            return Exit::Ok;
        }
        let names: Vec<&str> = failed.iter().map(|step| step.0.as_str()).collect();
        printer.error(format_args!("run {run} could not be taken back: {} failed", words::list(&names)));
        printer.hint(format_args!("`aa run show {run} --step '{}#undo'` shows why", names[0]));
        Exit::Failed
    }

    fn sum_up(&self, mark: Mark, word: &str, duration_ms: u64) {
        if self.is_for_people() {
            let palette = self.printer.err;
            let name = palette.paint(Tone::Strong, &self.tree.skill);
            let time = words::duration(duration_ms);
            let run = palette.paint(Tone::Dim, self.tree.title(palette.dot()));
            self.printer.say(format_args!("{} {name} {word} in {time} {run}", palette.mark(mark)));
        }
    }

    fn explain(&self, error: &StepError, step: Option<&StepPath>) {
        let message = words::harmless(&error.message);
        let kind = words::wire(&error.kind);
        match step {
            Some(step) => self.printer.error(format_args!("step `{step}` failed ({kind}): {message}")),
            None => self.printer.error(format_args!("{message} ({kind})")),
        }
        self.quote(&error.details);
        for hint in aa_run::heal::hints(error) {
            self.printer.hint(words::harmless(&hint));
        }
        if !self.is_for_people() {
            return;
        }
        let run = self.tree.run;
        match step {
            Some(step) => {
                let tool = self
                    .tree
                    .node(step)
                    .filter(|node| node.kind == "tool")
                    .and_then(|node| node.target.as_ref());
                if let Some(tool) = tool {
                    self.printer.hint(format_args!("`aa tool debug {tool}` says more about the tool"));
                }
                self.printer.hint(format_args!("`aa run show {run} --step {step}` shows all that is known"));
            }
            None => self.printer.hint(format_args!("`aa run show {run}` shows how it went")),
        }
    }

    /// The last lines that the failed call printed.
    fn quote(&self, details: &Value) {
        let Some(stderr) = details.get("stderr").and_then(Value::as_str) else { return };
        let clean = words::harmless(stderr);
        let lines: Vec<&str> = clean.trim_end().lines().collect();
        let palette = self.printer.err;
        for line in lines.iter().skip(lines.len().saturating_sub(STDERR_LINES)) {
            self.printer.tell(format_args!("  {} {line}", palette.paint(Tone::Dim, palette.bar())));
        }
    }

    /// The run has not ended: only a person can move it on.
    fn waiting(&self) -> Exit {
        let (run, printer) = (self.tree.run, self.printer);
        for question in self.tree.questions() {
            let mark = printer.err.mark(Mark::Question);
            let message = words::harmless(&question.message);
            printer.tell(format_args!(
                "{mark} run {run} waits: {message} ({})",
                words::harmless(&words::choice(&question.answers()))
            ));
            let answer = if question.form.is_some() { "NAME=VALUE…" } else { "ANSWER" };
            printer.hint(format_args!("`aa run answer {run} {} {answer}` goes on with it", question.step));
        }
        for step in self.tree.in_doubt() {
            let mark = printer.err.mark(Mark::Unknown);
            printer.tell(format_args!("{mark} run {run} waits: nobody knows how step `{step}` ended"));
            printer.hint(how_to_resolve(run, step));
        }
        Exit::Waiting
    }
}

/// How to go on with a run whose process has died.
pub(crate) fn how_to_resume(run: &RunSummary) -> String {
    format!("run {0} ({1}) was interrupted; `aa run resume {0}` goes on with it", run.id, run.skill)
}

/// What a person does about a step of which nobody knows how it ended.
pub(crate) fn how_to_resolve(run: i64, step: &StepPath) -> String {
    format!("find out, then `aa run resolve {run} {step}` with `--done JSON`, `--retry` or `--fail`")
}
