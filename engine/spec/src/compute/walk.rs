//! The one walk over a block: names, calls, changes and problems.

mod call;
mod change;
mod dialect;
mod expression;
mod import;
mod statement;

use std::ops::Range;

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::edit::Edits;
use super::reading::{Problem, Reading, Setting};
use super::scope::{Owner, Scopes};
use super::vocabulary;

/// Nested that deeply, code is a mistake; the interpreter gives up not much later.
const DEEPEST: usize = 180;

pub(super) struct Walk<'a> {
    source: &'a str,
    setting: Setting<'a>,
    scopes: Scopes,
    edits: Edits,
    found: Reading,
    /// How deep the place is.
    depth: usize,
    /// How many loops are around it.
    loops: usize,
    /// How many `try` around it cope with an unknown name.
    nets: usize,
    /// How many `try` around it cope with a missing module.
    import_nets: usize,
    /// Whether the next expression is part of a path that has been noted.
    in_path: bool,
    /// Whether it ends with a `return` of its own somewhere.
    returns: bool,
    /// What of the skill's values it changes in place.
    changed: Vec<change::Change>,
    /// Names that it deletes, which leaves them empty.
    deleted: Vec<(String, Range<usize>)>,
    /// A pattern that is compiled over and over has been reported.
    slow: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: &'a str, setting: Setting<'a>, body: &[Stmt]) -> Self {
        let scopes = Scopes::new(body);
        let found = Reading { own: scopes.block.names.clone(), ..Reading::default() };
        Self {
            source,
            setting,
            scopes,
            edits: Edits::default(),
            found,
            depth: 0,
            loops: 0,
            nets: 0,
            import_nets: 0,
            in_path: false,
            returns: false,
            changed: Vec::new(),
            deleted: Vec::new(),
            slow: false,
        }
    }

    /// Walks over a whole block, and puts its result at the end.
    pub(super) fn block(&mut self, body: &'a [Stmt]) {
        self.visit_body(body);
        let result = self.result();
        self.lost_changes(&result);
        self.half_deleted();
        let line = if self.source.ends_with('\n') || self.source.is_empty() { "" } else { "\n" };
        self.edits.insert(self.source.len(), format!("{line}{result}\n"));
    }

    pub(super) fn finish(mut self) -> Reading {
        self.found.code = self.edits.apply(self.source);
        self.found
    }

    /// The expression that gives the result: the variable called like the output, or
    /// `result`, whichever has a value in the end.
    fn result(&mut self) -> String {
        let mut names = vec![self.setting.output, "result"];
        names.dedup();
        names.retain(|name| self.scopes.block.names.contains(*name));
        match names.as_slice() {
            // What an earlier step has left there, perhaps changed.
            [] if !self.returns && self.only_reads(self.setting.output) => self.setting.output.to_owned(),
            [] => {
                self.gives_nothing();
                "None".to_owned()
            }
            [first, ..] if self.scopes.certain.contains(*first) => (*first).to_owned(),
            names => {
                let thunks: Vec<String> = names.iter().map(|name| format!("lambda: {name}")).collect();
                self.import("_first");
                format!("_first({})", thunks.join(", "))
            }
        }
    }

    /// Reports names that `dir()` would still show.
    fn half_deleted(&mut self) {
        for (name, at) in std::mem::take(&mut self.deleted) {
            if self.found.asks_all || self.found.asked.iter().any(|(asked, _)| *asked == name) {
                let message = format!("`del {name}` only empties it here, and `dir()` still has it");
                let problem = Problem::error("compute-unsupported", at, message);
                self.report(problem.hint(format!("ask `{name} is not None`")));
            }
        }
    }

    fn gives_nothing(&mut self) {
        if self.returns || !self.found.calls.is_empty() {
            return;
        }
        let message = "the block gives no result";
        let hint = format!("end it with `result = …` or `{} = …`", self.setting.output);
        let start = self.source.len() - self.source.trim_start().len();
        let line = self.source.trim().lines().next().unwrap_or_default();
        let problem = Problem::warning("compute-no-result", start..start + line.len(), message);
        self.report(problem.hint(hint));
    }

    fn report(&mut self, problem: Problem) {
        self.found.problems.push(problem);
    }

    fn unsupported(&mut self, at: impl Ranged, message: impl Into<String>, hint: &str) {
        self.report(Problem::error("compute-unsupported", span(at.range()), message).hint(hint));
    }

    fn import(&mut self, name: &str) {
        self.found.imports.insert(name.to_owned());
    }

    /// Whether the name means what it means without the block and the skill.
    fn is_free(&self, name: &str) -> bool {
        self.scopes.owner(name) == Owner::Outside && !(self.setting.is_value)(name)
    }

    /// Whether what stands behind the dot of an expression is its own, and never a key.
    fn is_module(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Name(name) if self.is_free(&name.id) => {
                vocabulary::word(&name.id).is_some_and(|word| word.module)
            }
            Expr::Name(name) => self.scopes.is_module(&name.id) || matches!(name.id.as_str(), "self" | "cls"),
            Expr::Attribute(attribute) => self.is_module(&attribute.value),
            _ => false,
        }
    }

    /// Whether an expression is a built-in function or word of that name.
    fn is_builtin(&self, expression: &Expr, name: &str) -> bool {
        let Expr::Name(found) = expression else { return false };
        self.scopes.word(&found.id) == Some(name) || found.id == name && self.is_free(name)
    }

    /// One level down, unless that is too deep.
    fn deeper(&mut self, at: impl Ranged, look: impl FnOnce(&mut Self)) {
        if self.depth == DEEPEST {
            let known = self.found.problems.iter().any(|problem| problem.message.starts_with("nested"));
            if !known {
                self.unsupported(at, "nested too deeply", "keep parts of it in variables");
            }
            return;
        }
        self.depth += 1;
        look(self);
        self.depth -= 1;
    }
}

fn span(range: TextRange) -> Range<usize> {
    range.start().to_usize()..range.end().to_usize()
}

fn start(node: &impl Ranged) -> usize {
    node.start().to_usize()
}

fn end(node: &impl Ranged) -> usize {
    node.end().to_usize()
}
