//! Statements: what they bind, which way they go, and those that the interpreter lacks.

use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Comprehension, ExceptHandler, Expr, InterpolatedStringElement, Operator, Parameters};
use ruff_python_ast::{Stmt, StmtAugAssign};
use ruff_python_ast::{StmtClassDef, StmtDelete, StmtFunctionDef, StmtIf, StmtTry};

use super::{Walk, end, start};
use crate::compute::operation::helper_in_place;
use crate::compute::scope::{Body, Bound};

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.deeper(statement, |walk| walk.statement(statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.deeper(expression, |walk| walk.expression(expression));
    }

    // What a type hint says is never looked at.
    fn visit_annotation(&mut self, _: &'a Expr) {}

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        let before = self.edits.len();
        visitor::walk_interpolated_string_element(self, element);
        let says_itself = element.as_interpolation().is_some_and(|inner| inner.debug_text.is_some());
        if says_itself && self.edits.len() > before {
            let message = "`{…=}` would show what the code is made into";
            self.unsupported(element, message, "write the words yourself, as in `f\"size={file.size!r}\"`");
        }
    }

    // Comprehensions are walked as a whole.
    fn visit_comprehension(&mut self, _: &'a Comprehension) {}
}

impl<'a> Walk<'a> {
    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::Import(import) => self.imports(import),
            Stmt::ImportFrom(import) => self.imports_from(import),
            Stmt::If(choice) => self.choice(choice),
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::For(each) => {
                self.visit_expr(&each.iter);
                self.repeated(|walk| {
                    walk.visit_expr(&each.target);
                    walk.visit_body(&each.body);
                });
                self.perhaps(|walk| walk.visit_body(&each.orelse));
            }
            Stmt::While(each) => {
                self.repeated(|walk| {
                    walk.visit_expr(&each.test);
                    walk.visit_body(&each.body);
                });
                self.perhaps(|walk| walk.visit_body(&each.orelse));
            }
            Stmt::AugAssign(change) => self.change(change),
            Stmt::AnnAssign(assign) => {
                assign.value.iter().for_each(|value| self.visit_expr(value));
                self.visit_expr(&assign.target);
            }
            Stmt::Return(_) => {
                self.returns |= self.scopes.is_outermost();
                visitor::walk_stmt(self, statement);
            }
            Stmt::Delete(delete) => self.delete(delete),
            Stmt::Expr(alone) => {
                self.changes_by_call(&alone.value);
                self.visit_expr(&alone.value);
            }
            Stmt::Match(_) => {
                self.unsupported(statement, "`match` is not there", "write it with `if` and `elif`");
            }
            Stmt::TypeAlias(_) => self.unsupported(statement, "`type` is not there", "leave it out"),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn function(&mut self, function: &'a StmtFunctionDef) {
        match function.decorator_list.first().filter(|_| self.scopes.in_class()) {
            Some(first) => {
                let message = "methods with a decorator (`@property`, `@staticmethod` …) are not there";
                self.unsupported(first, message, "write a plain method, or a function");
            }
            None => function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator)),
        }
        self.defaults(&function.parameters);
        let bound = Bound::of_function(&function.parameters, &function.body);
        self.later(bound, |walk| walk.visit_body(&function.body));
        self.set(&function.name);
    }

    /// What runs another time, if at all.
    pub(super) fn later(&mut self, bound: Bound, look: impl FnOnce(&mut Self)) {
        let loops = mem::take(&mut self.loops);
        self.scopes.enter(Body::Function, bound);
        look(self);
        self.scopes.leave();
        self.loops = loops;
    }

    pub(super) fn defaults(&mut self, parameters: &'a Parameters) {
        let defaults = parameters.iter_non_variadic_params().filter_map(|one| one.default.as_deref());
        defaults.for_each(|default| self.visit_expr(default));
    }

    fn class(&mut self, class: &'a StmtClassDef) {
        if class.arguments.as_ref().is_some_and(|bases| !bases.is_empty()) {
            let message = format!("class `{}` inherits from another, which is not there", class.name);
            self.unsupported(
                &class.name,
                message,
                "raise `ValueError` or `RuntimeError`, or write one class",
            );
        }
        class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        self.scopes.enter(Body::Class, Bound::of(&class.body));
        self.visit_body(&class.body);
        self.scopes.leave();
        self.set(&class.name);
    }

    /// Notes that a name of the block has a value from here on.
    pub(super) fn set(&mut self, name: &str) {
        if self.scopes.is_outermost() {
            self.scopes.certain.insert(name.to_owned());
        }
    }

    /// What may not happen: nothing that it sets is certain.
    pub(super) fn perhaps(&mut self, look: impl FnOnce(&mut Self)) -> BTreeSet<String> {
        let before = self.scopes.certain.clone();
        look(self);
        mem::replace(&mut self.scopes.certain, before)
    }

    fn repeated(&mut self, look: impl FnOnce(&mut Self)) {
        self.loops += 1;
        self.perhaps(look);
        self.loops -= 1;
    }

    fn choice(&mut self, choice: &'a StmtIf) {
        self.visit_expr(&choice.test);
        let mut ways = Ways::default();
        ways.add(&choice.body, self.perhaps(|walk| walk.visit_body(&choice.body)));
        let mut open = true;
        for clause in &choice.elif_else_clauses {
            clause.test.iter().for_each(|test| self.visit_expr(test));
            open &= clause.test.is_some();
            ways.add(&clause.body, self.perhaps(|walk| walk.visit_body(&clause.body)));
        }
        if open {
            ways.add(&[], self.scopes.certain.clone());
        }
        self.scopes.certain = ways.common(&self.scopes.certain);
    }

    fn attempt(&mut self, attempt: &'a StmtTry) {
        let (names, imports) = (catches(attempt, &["NameError"]), catches(attempt, IMPORT_ERRORS));
        self.nets += usize::from(names);
        self.import_nets += usize::from(imports);
        let mut ways = Ways::default();
        let tried = self.perhaps(|walk| {
            walk.visit_body(&attempt.body);
            walk.nets -= usize::from(names);
            walk.import_nets -= usize::from(imports);
            walk.visit_body(&attempt.orelse);
        });
        let last = if attempt.orelse.is_empty() { &attempt.body } else { &attempt.orelse };
        ways.add(last, tried);
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            let certain = self.perhaps(|walk| {
                handler.type_.iter().for_each(|kind| walk.visit_expr(kind));
                handler.name.iter().for_each(|name| walk.set(name));
                walk.visit_body(&handler.body);
            });
            ways.add(&handler.body, certain);
        }
        self.scopes.certain = ways.common(&self.scopes.certain);
        self.visit_body(&attempt.finalbody);
    }

    /// `x += y`: a name is read as well as set.
    fn change(&mut self, change: &'a StmtAugAssign) {
        if let Expr::Name(name) = &*change.target {
            self.read(name, Vec::new(), start(name)..end(name), false);
        }
        let merges = change.op == Operator::BitOr && is_mapping(&change.value);
        let helper = helper_in_place(change.op, &change.value);
        match (&*change.target, helper) {
            (Expr::Name(name), Some(helper)) => {
                self.import(helper);
                self.change_by(change, &format!(" = {helper}({},", name.id));
            }
            // Mappings cannot be merged with `|` here.
            (Expr::Subscript(_), _) if merges => self.change_by(change, ".update("),
            _ => {
                self.visit_expr(&change.value);
                self.visit_expr(&change.target);
            }
        }
    }

    /// Puts a call in the place of the operator of `x += y`.
    fn change_by(&mut self, change: &'a StmtAugAssign, call: &str) {
        let is_bare = matches!(&*change.value, Expr::Tuple(values) if !values.parenthesized);
        let (open, close) = if is_bare { ("(", "))") } else { ("", ")") };
        self.visit_expr(&change.target);
        let operator = self.mark(end(&*change.target)..start(&*change.value), '=');
        self.edits.replace(end(&*change.target)..operator + 1, format!("{call}{open}"));
        self.visit_expr(&change.value);
        self.edits.insert(end(change), close);
    }

    /// `del` is not there: an item is popped, a name forgotten.
    fn delete(&mut self, delete: &'a StmtDelete) {
        let mut from = start(delete);
        for target in &delete.targets {
            let between = if from == start(delete) { "" } else { "; " };
            self.edits.replace(from..start(target), between);
            from = end(target);
            match target {
                Expr::Subscript(item) if !item.slice.is_slice_expr() => {
                    self.changes(target);
                    // A dot right after a number would be its decimal point.
                    let (open, close) =
                        if item.value.is_number_literal_expr() { ("(", ")") } else { ("", "") };
                    self.edits.insert(start(&*item.value), open);
                    self.visit_expr(&item.value);
                    self.edits.insert(end(&*item.value), close);
                    let open = self.mark(end(&*item.value)..start(&*item.slice), '[');
                    let is_bare = matches!(&*item.slice, Expr::Tuple(key) if !key.parenthesized);
                    let (before, after) = if is_bare { (".pop((", "))") } else { (".pop(", ")") };
                    self.edits.replace(open..open + 1, before);
                    self.visit_expr(&item.slice);
                    let close = self.mark(end(&*item.slice)..from, ']');
                    self.edits.replace(close..close + 1, after);
                }
                Expr::Name(name) => {
                    self.edits.insert(from, " = None");
                    self.scopes.certain.remove(name.id.as_str());
                    self.deleted.push((name.id.to_string(), start(name)..from));
                }
                _ => {
                    let hint = "set what is left, e.g. `items = items[:2]`";
                    self.unsupported(target, "`del` is only there for names and single items", hint);
                }
            }
        }
        self.edits.replace(from..end(delete), "");
    }

    /// Where a mark stands; the end when it does not, which cannot be in a syntax tree.
    pub(super) fn mark(&self, between: Range<usize>, mark: char) -> usize {
        let end = between.end;
        crate::compute::edit::mark(self.source, between, mark).unwrap_or(end)
    }
}

/// Whether an expression can only be a mapping.
fn is_mapping(expression: &Expr) -> bool {
    matches!(expression, Expr::Dict(_) | Expr::DictComp(_))
}

const IMPORT_ERRORS: &[&str] = &["ImportError", "ModuleNotFoundError", "Exception", "BaseException"];

/// Whether a handler of it takes one of these errors.
fn catches(attempt: &StmtTry, errors: &[&str]) -> bool {
    let named = |kind: &Expr| matches!(kind, Expr::Name(name) if errors.contains(&name.id.as_str()));
    attempt.handlers.iter().any(|ExceptHandler::ExceptHandler(handler)| match handler.type_.as_deref() {
        None => errors.contains(&"Exception"),
        Some(Expr::Tuple(kinds)) => kinds.elts.iter().any(named),
        Some(kind) => named(kind),
    })
}

/// The ways a run can take, with what is certain at the end of each.
#[derive(Default)]
struct Ways(Vec<BTreeSet<String>>);

impl Ways {
    /// A way that goes on; one that leaves the block or the loop does not count.
    fn add(&mut self, body: &[Stmt], certain: BTreeSet<String>) {
        let leaves = |last: &Stmt| {
            matches!(last, Stmt::Return(_) | Stmt::Raise(_) | Stmt::Continue(_) | Stmt::Break(_))
        };
        if !body.last().is_some_and(leaves) {
            self.0.push(certain);
        }
    }

    fn common(self, before: &BTreeSet<String>) -> BTreeSet<String> {
        let common = self.0.into_iter().reduce(|one, other| one.intersection(&other).cloned().collect());
        common.unwrap_or_else(|| before.clone())
    }
}
