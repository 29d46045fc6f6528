//! Expressions: the names in them, and what is taken out of their values.

use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, Expr, ExprAttribute, ExprCall, ExprContext, ExprName, ExprSubscript, Number, UnaryOp,
};
use ruff_text_size::Ranged;

use super::{Walk, end, span, start};
use crate::compute::reading::{Mention, Problem};
use crate::compute::scope::{Body, Bound, Owner};
use crate::compute::vocabulary;
use crate::template::Segment;

impl<'a> Walk<'a> {
    pub(super) fn expression(&mut self, expression: &'a Expr) {
        let in_path = std::mem::take(&mut self.in_path);
        if !in_path {
            self.path(expression);
        }
        if let Expr::Subscript(ExprSubscript { ctx, .. }) | Expr::Attribute(ExprAttribute { ctx, .. }) =
            expression
            && *ctx != ExprContext::Load
        {
            self.changes(expression);
        }
        match expression {
            Expr::Name(name) if name.ctx == ExprContext::Store => self.set(&name.id),
            Expr::Name(name) => self.rename(name),
            Expr::Attribute(attribute) => self.attribute(attribute, in_path),
            Expr::Subscript(item) => {
                self.in_path = in_path || path_of(expression).is_some();
                self.visit_expr(&item.value);
                self.in_path = false;
                self.visit_expr(&item.slice);
            }
            Expr::Call(call) => self.call(call, in_path || path_of(expression).is_some()),
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.as_deref();
                if let Some(parameters) = parameters {
                    self.defaults(parameters);
                }
                self.later(Bound::of_lambda(parameters), |walk| walk.visit_expr(&lambda.body));
            }
            Expr::ListComp(list) => self.comprehension(&[&*list.elt], &list.generators),
            Expr::SetComp(set) => self.comprehension(&[&*set.elt], &set.generators),
            Expr::DictComp(map) => {
                let parts: Vec<&Expr> = map.key.as_deref().into_iter().chain([&*map.value]).collect();
                self.comprehension(&parts, &map.generators);
            }
            Expr::Generator(all) => self.comprehension(&[&*all.elt], &all.generators),
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Compare(comparison) => self.comparison(comparison),
            Expr::BoolOp(choice) => {
                self.visit_expr(&choice.values[0]);
                self.perhaps(|walk| choice.values[1..].iter().for_each(|value| walk.visit_expr(value)));
            }
            Expr::If(choice) => {
                self.visit_expr(&choice.test);
                self.perhaps(|walk| walk.visit_expr(&choice.body));
                self.perhaps(|walk| walk.visit_expr(&choice.orelse));
            }
            _ => {
                self.lacking(expression);
                visitor::walk_expr(self, expression);
            }
        }
    }

    fn comprehension(&mut self, parts: &[&'a Expr], generators: &'a [Comprehension]) {
        let Some((first, others)) = generators.split_first() else { return };
        self.visit_expr(&first.iter);
        self.scopes.enter(Body::Comprehension, Bound::of_comprehension(generators));
        self.loops += 1;
        self.visit_expr(&first.target);
        first.ifs.iter().for_each(|condition| self.visit_expr(condition));
        for generator in others {
            self.visit_expr(&generator.iter);
            self.visit_expr(&generator.target);
            generator.ifs.iter().for_each(|condition| self.visit_expr(condition));
        }
        for part in parts {
            self.visit_expr(part);
        }
        self.loops -= 1;
        self.scopes.leave();
    }

    /// `x.name`: a key of a mapping as well as an attribute, so a helper has to look.
    fn attribute(&mut self, attribute: &'a ExprAttribute, in_path: bool) {
        self.not_there(attribute);
        let plain = attribute.ctx != ExprContext::Load
            || attribute.attr.starts_with("__")
            || self.is_module(&attribute.value);
        if !plain && self.is_type(&attribute.value) {
            return self.unbound(attribute);
        }
        if !plain {
            self.import("_attr");
            self.edits.insert(start(attribute), "_attr(");
        }
        self.in_path = in_path || path_of_attribute(attribute).is_some();
        self.visit_expr(&attribute.value);
        self.in_path = false;
        if !plain {
            let dot = self.mark(end(&*attribute.value)..start(&attribute.attr), '.');
            self.edits.replace(dot..dot + 1, ", ");
            self.edits.replace(span(attribute.attr.range), format!("\"{}\")", attribute.attr));
        }
    }

    /// Notes the path that an expression is, if its root is not the block's own.
    fn path(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && name.ctx != ExprContext::Load
        {
            return;
        }
        let Some((root, path, guarded)) = path_of(expression) else { return };
        self.read(root, path, span(expression.range()), guarded);
    }

    /// Notes that a name is read.
    pub(super) fn read(&mut self, root: &ExprName, path: Vec<Segment>, at: Range<usize>, guarded: bool) {
        let name = root.id.as_str();
        if let Some(word) = self.scopes.word(name) {
            return self.word(word, span(root.range));
        }
        let is_value = (self.setting.is_value)(name);
        let owner = self.scopes.owner(name);
        match owner {
            Owner::Perhaps | Owner::Outside if is_value => {}
            Owner::Inner | Owner::Block | Owner::Perhaps => return,
            Owner::Outside if vocabulary::word(name).is_some() => return self.word(name, span(root.range)),
            Owner::Outside if vocabulary::BUILTINS.contains(&name) || exception(name).is_some() => return,
            Owner::Outside => {
                if let Some(advice) = vocabulary::instead(name) {
                    let message = format!("`{name}` is not there");
                    let problem = Problem::error("compute-import", span(root.range), message);
                    return self.report(problem.hint(advice));
                }
            }
        }
        let path = [vec![Segment::Key(name.to_owned())], path].concat();
        // A function most likely runs when the block has set it.
        let doubtful = self.nets > 0 || owner == Owner::Perhaps && !self.scopes.runs_here();
        self.found.mentions.push(Mention { path, span: at, guarded, doubtful });
    }

    /// Notes a word of the prelude, and what it may call.
    fn word(&mut self, name: &str, at: Range<usize>) {
        let Some(word) = vocabulary::word(name) else { return };
        self.import(name);
        if matches!(name, "call_tool" | "memory" | "run_skill") {
            // Under another name, nobody would see what it calls.
            let message = format!("`{name}` must be called where it is named");
            let hint = format!(
                "write the call where it is needed, e.g. `{}`",
                match name {
                    "call_tool" => "call_tool(\"git_log\", limit=3)",
                    "memory" => "memory.read_memory(\"state/current_work\")",
                    _ => "run_skill(\"build\", {\"mr\": 1})",
                }
            );
            self.report(Problem::error("compute-callee", at.clone(), message).hint(hint));
        }
        for tool in word.tools {
            self.calls_for(tool, name, at.clone());
        }
        for read in word.reads {
            self.reads_for(read, at.clone());
        }
    }

    /// Notes that a word reads a name of the skill.
    pub(super) fn reads_for(&mut self, name: &str, at: Range<usize>) {
        let path = vec![Segment::Key(name.to_owned())];
        self.found.mentions.push(Mention { path, span: at, guarded: true, doubtful: false });
    }

    /// Built-in functions that go by another name here.
    fn rename(&mut self, name: &ExprName) {
        if matches!(name.id.as_str(), "getattr" | "hasattr") && self.is_free(&name.id) {
            let own = format!("_{}", name.id);
            self.import(&own);
            self.edits.replace(span(name.range), own);
        } else if let Some(ours) = exception(&name.id).filter(|_| self.is_free(&name.id)) {
            self.edits.replace(span(name.range), ours);
        } else if self.setting.lenient && self.nets == 0 && self.is_unknown(name) {
            // Read leniently, what nobody knows is nothing, unless the block copes itself.
            self.edits.replace(span(name.range), "None");
        }
    }

    fn is_unknown(&self, name: &ExprName) -> bool {
        let known = vocabulary::word(&name.id).is_some()
            || vocabulary::BUILTINS.contains(&name.id.as_str())
            || vocabulary::instead(&name.id).is_some();
        name.ctx == ExprContext::Load && !known && self.is_free(&name.id)
    }
}

/// What an exception is called here.
fn exception(name: &str) -> Option<&'static str> {
    vocabulary::EXCEPTIONS.iter().find(|(lost, _)| *lost == name).map(|(_, ours)| *ours)
}

/// The root and the keys of an expression that is a path, and whether it copes with a
/// missing field: `a.b["c"]`, `a.get("b")`.
pub(super) fn path_of(expression: &Expr) -> Option<(&ExprName, Vec<Segment>, bool)> {
    match expression {
        Expr::Name(name) => Some((name, Vec::new(), false)),
        Expr::Attribute(attribute) => path_of_attribute(attribute),
        Expr::Subscript(item) if item.ctx == ExprContext::Load => {
            let (root, mut path, guarded) = path_of(&item.value)?;
            path.push(constant_key(&item.slice)?);
            Some((root, path, guarded))
        }
        Expr::Call(call) => {
            let (inner, key) = constant_get(call)?;
            let (root, mut path, _) = path_of(inner)?;
            path.push(Segment::Key(key));
            Some((root, path, true))
        }
        _ => None,
    }
}

fn path_of_attribute(attribute: &ExprAttribute) -> Option<(&ExprName, Vec<Segment>, bool)> {
    let (root, mut path, guarded) = path_of(&attribute.value)?;
    path.push(Segment::Key(attribute.attr.to_string()));
    (attribute.ctx == ExprContext::Load).then_some((root, path, guarded))
}

fn constant_key(slice: &Expr) -> Option<Segment> {
    let index = |expression: &Expr| match expression {
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(index) => index.as_i64(),
            _ => None,
        },
        _ => None,
    };
    match slice {
        Expr::StringLiteral(key) => Some(Segment::Key(key.value.to_str().to_owned())),
        Expr::UnaryOp(sign) if sign.op == UnaryOp::USub => Some(Segment::Index(-index(&sign.operand)?)),
        other => Some(Segment::Index(index(other)?)),
    }
}

/// The object and key of `x.get("key")`, with or without a default.
fn constant_get(call: &ExprCall) -> Option<(&Expr, String)> {
    let Expr::Attribute(method) = &*call.func else { return None };
    let ([Expr::StringLiteral(key), ..], true) = (&*call.arguments.args, call.arguments.keywords.is_empty())
    else {
        return None;
    };
    (method.attr.as_str() == "get").then(|| (&*method.value, key.value.to_str().to_owned()))
}
