//! What is written differently here than in Python, and what is not there at all.

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{CmpOp, Expr, ExprAttribute, ExprBinOp, ExprCall, ExprCompare, ExprContext};
use ruff_text_size::Ranged;

use super::{Walk, end, span, start};
use crate::compute::operation::helper;
use crate::compute::reading::Problem;
use crate::compute::scope::Owner;
use crate::compute::{modules, vocabulary};

/// Functions of `re` that compile a pattern.
const PATTERN: &[&str] = &["compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub"];

/// Built-in types, whose methods are only there on values.
const TYPES: &[&str] = &["bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"];

impl<'a> Walk<'a> {
    pub(super) fn operation(&mut self, operation: &'a ExprBinOp) {
        let (left, right) = (&*operation.left, &*operation.right);
        let of_module = |side: &Expr| matches!(side, Expr::Attribute(flag) if self.is_module(&flag.value));
        let Some((helper, mark)) =
            helper(operation.op, left, right).filter(|_| !of_module(left) && !of_module(right))
        else {
            self.visit_expr(left);
            return self.visit_expr(right);
        };
        self.import(helper);
        self.edits.insert(start(operation), format!("{helper}("));
        self.visit_expr(left);
        let operator = self.mark(end(left)..start(right), mark);
        self.edits.replace(operator..operator + 1, ",");
        self.visit_expr(right);
        self.edits.insert(end(operation), ")");
    }

    /// `'x' in dir()` asks for one name, so that is all that has to be known.
    pub(super) fn comparison(&mut self, comparison: &'a ExprCompare) {
        let asks = |op: &CmpOp| matches!(op, CmpOp::In | CmpOp::NotIn);
        if let (Expr::StringLiteral(text), [op], [Expr::Call(call)]) =
            (&*comparison.left, &*comparison.ops, &*comparison.comparators)
            && asks(op)
            && call.arguments.is_empty()
            && ["dir", "globals", "locals", "vars"].iter().any(|name| self.is_builtin(&call.func, name))
        {
            return self.asks(text.value.to_str(), text.range, call);
        }
        self.visit_expr(&comparison.left);
        comparison.comparators.iter().for_each(|other| self.visit_expr(other));
    }

    fn asks(&mut self, name: &str, at: ruff_text_size::TextRange, call: &ExprCall) {
        let own = match self.scopes.owner(name) {
            Owner::Outside if !(self.setting.is_value)(name) && vocabulary::word(name).is_some() => {
                self.import(name);
                true
            }
            Owner::Outside => false,
            Owner::Inner | Owner::Block | Owner::Perhaps => true,
        };
        let name = name.to_owned();
        self.listing(span(call.range()), if own { std::slice::from_ref(&name) } else { &[] });
        self.found.asked.push((name, span(at)));
    }

    /// Expressions that the interpreter lacks.
    pub(super) fn lacking(&mut self, expression: &Expr) {
        let (message, hint) = match expression {
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                ("`yield` is not there", "collect the items in a list and return it")
            }
            Expr::NumberLiteral(number) if number.value.is_complex() => {
                ("complex numbers are not there", "keep both parts in variables")
            }
            Expr::TString(_) => ("template strings are not there", "write it as in `f\"{value}\"`"),
            _ => return,
        };
        self.unsupported(expression, message, hint);
    }

    /// Attributes that the interpreter lacks, or that reach out of the block.
    pub(super) fn not_there(&mut self, attribute: &ExprAttribute) {
        let name = attribute.attr.as_str();
        let root = match &*attribute.value {
            Expr::Name(root) => root.id.as_str(),
            Expr::Attribute(inner) => inner.attr.as_str(),
            _ => "",
        };
        let lacking = vocabulary::LACKING.iter().find(|(known, lost, _)| *known == root && *lost == name);
        let lacking = lacking.filter(|_| self.is_module(&attribute.value) || self.is_type(&attribute.value));
        let is_own = attribute.ctx != ExprContext::Load || matches!(root, "self" | "cls");
        let method = vocabulary::METHODS.iter().find(|(lost, _)| *lost == name && !is_own);
        let advice = lacking.map(|(_, _, advice)| *advice).or_else(|| method.map(|(_, advice)| *advice));
        if let Some(advice) = advice {
            self.unsupported(&attribute.attr, format!("`{name}` is not there"), advice);
        }
        // `datetime` is the class, unless the module has been imported over it.
        let known = modules::names(root).filter(|_| root != "datetime" && self.is_module(&attribute.value));
        if advice.is_none() && known.is_some_and(|names| !names.contains(&name)) {
            self.unsupported(&attribute.attr, format!("`{root}` has no `{name}` here"), "do without it");
        }
        if root == "re" && PATTERN.contains(&name) && self.is_module(&attribute.value) {
            self.pattern(attribute);
        }
    }

    /// A pattern that is compiled again each time round.
    fn pattern(&mut self, attribute: &ExprAttribute) {
        if self.loops == 0 || self.slow {
            return;
        }
        self.slow = true;
        let message = format!("`re.{}` in a loop compiles its pattern each time round", attribute.attr);
        let problem = Problem::warning("compute-slow-pattern", span(attribute.range), message);
        self.report(problem.hint("compile it once before the loop: `pattern = re.compile(…)`"));
    }

    /// Whether it is a built-in type by its name.
    pub(super) fn is_type(&self, expression: &Expr) -> bool {
        TYPES.iter().any(|name| self.is_builtin(expression, name))
    }

    /// `str.lower`: methods are only there on values.
    pub(super) fn unbound(&mut self, attribute: &ExprAttribute) {
        let text = format!("(lambda _x, *_a, **_k: _x.{}(*_a, **_k))", attribute.attr);
        self.edits.replace(span(attribute.range), text);
    }

    /// `key=counts.get`: a method is no value, so something has to call it. True when it
    /// has been dealt with.
    pub(super) fn is_method_of_name(&mut self, argument: &'a Expr) -> bool {
        let Expr::Attribute(method) = argument else { return false };
        let known = ["get", "count", "index", "append", "add", "startswith", "endswith"];
        if !known.contains(&method.attr.as_str())
            || !method.value.is_name_expr()
            || self.is_module(&method.value)
            || self.is_type(&method.value)
        {
            return false;
        }
        self.edits.insert(start(method), "(lambda *_a: ");
        self.visit_expr(&method.value);
        self.edits.insert(end(method), "(*_a))");
        true
    }

    /// `re.sub` with a function: the interpreter only takes text. True when it has been
    /// dealt with.
    pub(super) fn substitution(&mut self, call: &'a ExprCall, method: &'a ExprAttribute) -> bool {
        if method.attr.as_str() != "sub" {
            return false;
        }
        let of_module = self.is_module(&method.value);
        let position = usize::from(of_module);
        let by_name = call.arguments.find_keyword("repl").map(|keyword| &keyword.value);
        let Some(replacement) = call.arguments.args.get(position).or(by_name) else { return false };
        // A pattern as well as a module takes two arguments; what else has a `sub` may not.
        let is_text = replacement.is_string_literal_expr() || replacement.is_f_string_expr();
        let given = call.arguments.args.len() + call.arguments.keywords.len();
        if is_text
            || given < position + 2
            || method.value.as_name_expr().is_some_and(|owner| owner.id == "self")
        {
            return false;
        }
        self.import("_re_sub");
        if of_module {
            self.edits.replace(span(method.range), "_re_sub");
        } else {
            self.edits.insert(start(method), "_re_sub(");
            self.visit_expr(&method.value);
            let open = start(&call.arguments);
            let dot = self.mark(end(&*method.value)..open, '.');
            self.edits.replace(dot..open + 1, ", ");
        }
        self.arguments(&call.arguments);
        true
    }

    /// `datetime.utcnow()` and `datetime.fromtimestamp(…)`, which the prelude has. True
    /// when it has been dealt with.
    pub(super) fn moment(&mut self, call: &ExprCall, method: &ExprAttribute) -> bool {
        let own = match method.attr.as_str() {
            "utcnow" => "_utcnow",
            "fromtimestamp" | "utcfromtimestamp" => "_fromtimestamp",
            _ => return false,
        };
        if !self.is_module(&method.value) {
            return false;
        }
        self.import(own);
        let is_date = match &*method.value {
            Expr::Name(name) => name.id == "date",
            Expr::Attribute(inner) => inner.attr.as_str() == "date",
            _ => false,
        };
        if is_date {
            self.edits
                .replace(start(method)..start(&call.arguments), format!("(lambda *_a: {own}(*_a).date())"));
        } else {
            self.edits.replace(span(method.range), own);
        }
        true
    }

    /// `text.format_map(values)` is `text.format(**values)`.
    pub(super) fn format_map(&mut self, call: &'a ExprCall, method: &'a ExprAttribute) -> bool {
        let ("format_map", [values]) = (method.attr.as_str(), &*call.arguments.args) else { return false };
        self.visit_expr(&method.value);
        self.edits.replace(span(method.attr.range), "format");
        self.edits.insert(start(&call.arguments) + 1, "**");
        self.visit_expr(values);
        true
    }
}
