//! One walk over the tree of an expression: names, words, and what has to be rewritten.

use std::ops::Range;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_interpolated_string_element};
use ruff_python_ast::{
    CmpOp, Comprehension, Expr, ExprAttribute, ExprBinOp, ExprCall, ExprCompare, ExprLambda, ExprName,
    InterpolatedStringElement, Number, Operator, UnaryOp,
};
use ruff_text_size::{Ranged, TextRange};

use super::words::{FUNCTIONS, METHODS};
use crate::compute::edit::{Edits, mark};
use crate::compute::operation;
use crate::name::suggest;
use crate::template::vocabulary::{FILTERS, TESTS};
use crate::template::{Field, Reference, Segment, SyntaxError};

/// What an expression says of itself.
#[derive(Default)]
pub(super) struct Walk<'a> {
    source: &'a str,
    pub(super) references: Vec<Reference>,
    /// Fields of items of lists.
    pub(super) fields: Vec<Field>,
    pub(super) edits: Edits,
    /// Whether it takes attributes of values.
    pub(super) attributes: bool,
    pub(super) clock: bool,
    /// The first thing that means nothing here.
    pub(super) refused: Option<SyntaxError>,
    /// Names that the expression itself binds, innermost level last, with the way to their value where one leads to it.
    bound: Vec<Vec<Bound<'a>>>,
    /// How many surrounding operations cope with a missing value.
    guards: usize,
    /// Whether the next expression is the inside of a path that is already noted.
    on_path: bool,
}

/// A name, and the way to its value.
type Bound<'a> = (&'a str, Option<Vec<Segment>>);

impl<'a> Walk<'a> {
    pub(super) fn over(source: &'a str, body: &'a Expr) -> Self {
        let mut walk = Self { source, bound: vec![Vec::new()], ..Self::default() };
        walk.visit_expr(body);
        walk
    }

    /// Notes that an outside name is read, if the expression is a path from one.
    fn reference(&mut self, expression: &'a Expr) -> bool {
        let Some(path) = path_of(expression) else { return false };
        let Some(root) = path.first().and_then(Segment::key) else { return false };
        if self.is_bound(root) {
            return self.field(&path, expression);
        }
        if is_constant(root) || path.len() == 1 && FUNCTIONS.contains(&root) {
            return false;
        }
        let guarded = self.guards > 0 || matches!(expression, Expr::Call(_));
        self.note(path, place(expression.range()), guarded);
        true
    }

    /// Notes a field that is taken out of what a name of the expression itself stands for; true when it is one.
    fn field(&mut self, written: &[Segment], expression: &'a Expr) -> bool {
        let Some((Segment::Key(name), rest)) = written.split_first() else { return false };
        let source = self.source_of(name);
        let (Some(source), false) = (source, rest.is_empty()) else { return false };
        self.fields.push(Field {
            path: [source, rest.to_vec()].concat(),
            depth: rest.len(),
            of: name.clone(),
            span: place(expression.range()),
            guarded: self.guards > 0 || matches!(expression, Expr::Call(_)),
        });
        true
    }

    /// The way to what a bound name stands for.
    fn source_of(&self, name: &str) -> Option<Vec<Segment>> {
        self.bound.iter().rev().flatten().rfind(|(bound, _)| *bound == name)?.1.clone()
    }

    /// The way to an item of what is gone through.
    fn item_of(&self, list: &Expr) -> Option<Vec<Segment>> {
        let path = path_of(list)?;
        let root = path.first()?.key()?;
        let source =
            if self.is_bound(root) { [self.source_of(root)?, path[1..].to_vec()].concat() } else { path };
        Some([source, vec![Segment::Each]].concat())
    }

    fn note(&mut self, path: Vec<Segment>, span: Range<usize>, guarded: bool) {
        // Whatever Python does with a value, it does not only pass it on.
        self.references.push(Reference {
            path,
            span,
            guarded,
            worked_on: true,
            carried: true,
            quoted: false,
        });
    }

    fn name(&mut self, name: &'a ExprName) {
        let word = name.id.as_str();
        if self.is_bound(word) {
            return;
        }
        match word {
            "true" | "false" | "none" => {
                let python = if word == "none" {
                    "None"
                } else if word == "true" {
                    "True"
                } else {
                    "False"
                };
                self.replace(name.range(), python);
            }
            "now" => self.clock = true,
            _ => {}
        }
    }

    /// `value.name` becomes `_attr_or_none(value, "name")`.
    fn attribute(&mut self, attribute: &'a ExprAttribute) {
        let name = attribute.attr.as_str();
        if name.starts_with("__") {
            return self.refuse("attributes that begin with `__` cannot be read", "", attribute.range());
        }
        if let Expr::Name(kind) = &*attribute.value
            && !self.is_bound(&kind.id)
            && ["bool", "dict", "float", "int", "list", "set", "str", "tuple"].contains(&&*kind.id)
        {
            let hint = format!("write `lambda value: value.{name}()`");
            return self.refuse("methods cannot be taken from a type", &hint, attribute.range());
        }
        let from = attribute.value.end().to_usize();
        let between = self.source.get(from..attribute.attr.start().to_usize()).unwrap_or_default();
        let Some(dot) = between.rfind('.') else { return };
        self.attributes = true;
        self.edits.insert(attribute.start().to_usize(), "_attr_or_none(");
        self.edits.replace(from + dot..attribute.end().to_usize(), format!(", \"{name}\")"));
    }

    fn call(&mut self, call: &'a ExprCall, on_path: bool) {
        match &*call.func {
            Expr::Name(function) => self.function(function),
            Expr::Attribute(method) => {
                self.known("method", method.attr.as_str(), METHODS, method.attr.range());
                self.on_path = on_path;
                self.visit_expr(&method.value);
            }
            other => self.visit_expr(other),
        }
        self.on_path = false;
        self.iterated(call);
        self.visit_arguments(&call.arguments);
    }

    /// `next(xs)` becomes `next(iter(xs))`: to the interpreter, a generator is a list.
    fn iterated(&mut self, call: &'a ExprCall) {
        let (Expr::Name(function), Some(first)) = (&*call.func, call.arguments.args.first()) else { return };
        if function.id == "next" && !self.is_bound("next") {
            let Range { start, end } = place(first.range());
            self.edits.insert(start, "iter(");
            self.edits.insert(end, ")");
        }
    }

    fn function(&mut self, function: &'a ExprName) {
        if self.is_bound(&function.id) {
            return;
        }
        if function.id == "dir" {
            let hint = "write `'name' in dir()`";
            return self.refuse("`dir()` only tells whether a name is there", hint, function.range());
        }
        self.known("function", function.id.as_str(), FUNCTIONS, function.range());
        self.name(function);
    }

    /// `'name' in dir()` asks whether a name has a value.
    fn lookup(&mut self, compare: &'a ExprCompare) -> bool {
        let (Expr::StringLiteral(name), [Expr::Call(call)]) = (&*compare.left, &*compare.comparators) else {
            return false;
        };
        let test = match &*compare.ops {
            [CmpOp::In] => "is not None",
            [CmpOp::NotIn] => "is None",
            _ => return false,
        };
        let asks = matches!(&*call.func, Expr::Name(function) if function.id == "dir");
        if !asks || !call.arguments.is_empty() {
            return false;
        }
        let name = name.value.to_str();
        if !is_name(name) {
            return false;
        }
        self.note(vec![Segment::Key(name.to_owned())], place(compare.left.range()), true);
        self.replace(compare.range(), &format!("({name} {test})"));
        true
    }

    fn compare(&mut self, compare: &'a ExprCompare) {
        if self.lookup(compare) {
            return;
        }
        let is = |op: &CmpOp| matches!(op, CmpOp::Is | CmpOp::IsNot);
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            if let Expr::Name(test) = right
                && is(op)
                && TESTS.contains(&test.id.as_str())
                && !is_constant(&test.id)
            {
                let message = format!("the test `is {}` cannot stand in a Python expression", test.id);
                return self.refuse(&message, "write `is not None`, or use `isinstance`", test.range());
            }
        }
        let guards = usize::from(compare.ops.iter().any(is));
        self.guards += guards;
        self.visit_expr(&compare.left);
        compare.comparators.iter().for_each(|right| self.visit_expr(right));
        self.guards -= guards;
    }

    /// An operation that a helper of the prelude does.
    fn operation(&mut self, operation: &'a ExprBinOp) {
        let (left, right) = (&*operation.left, &*operation.right);
        let helper = operation::helper(operation.op, left, right);
        if let Some((helper, _)) = helper {
            self.edits.insert(operation.start().to_usize(), format!("{helper}("));
        }
        self.visit_expr(left);
        if let Some((_, operator)) = helper {
            let between = left.end().to_usize()..right.start().to_usize();
            let at = mark(self.source, between.clone(), operator).unwrap_or(between.end);
            self.edits.replace(at..at + 1, ",");
        }
        self.visit_expr(right);
        if helper.is_some() {
            self.edits.insert(operation.end().to_usize(), ")");
        }
    }

    fn filter(&mut self, right: &'a Expr) {
        let name = match right {
            Expr::Name(name) => name,
            Expr::Call(call) => match &*call.func {
                Expr::Name(name) => name,
                _ => return,
            },
            _ => return,
        };
        if FILTERS.contains(&name.id.as_str()) && !self.is_bound(&name.id) {
            let message = format!("the filter `| {}` cannot stand in a Python expression", name.id);
            self.refuse(&message, "use functions and methods, e.g. `len(x)`, `x.upper()`", name.range());
        }
    }

    fn comprehension(&mut self, generators: &'a [Comprehension], parts: &[&'a Expr]) {
        self.bound.push(Vec::new());
        for generator in generators {
            self.visit_expr(&generator.iter);
            let item = self.item_of(&generator.iter);
            self.bind(&generator.target, item);
            generator.ifs.iter().for_each(|test| self.visit_expr(test));
        }
        for part in parts {
            self.visit_expr(part);
        }
        self.bound.pop();
    }

    fn lambda(&mut self, lambda: &'a ExprLambda) {
        let mut names = Vec::new();
        for parameter in lambda.parameters.iter().flat_map(|parameters| parameters.iter()) {
            parameter.default().into_iter().for_each(|default| self.visit_expr(default));
            names.push((parameter.name().as_str(), None));
        }
        self.bound.push(names);
        self.visit_expr(&lambda.body);
        self.bound.pop();
    }

    fn bind(&mut self, target: &'a Expr, source: Option<Vec<Segment>>) {
        match target {
            Expr::Name(name) => {
                if let Some(level) = self.bound.last_mut() {
                    level.push((name.id.as_str(), source));
                }
            }
            Expr::List(list) => list.elts.iter().for_each(|item| self.bind(item, None)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.bind(item, None)),
            Expr::Starred(starred) => self.bind(&starred.value, None),
            other => self.refuse("only a name can be bound here", "", other.range()),
        }
    }

    fn guarded(&mut self, expression: &'a Expr) {
        self.guards += 1;
        self.visit_expr(expression);
        self.guards -= 1;
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|level| level.iter().any(|(bound, _)| *bound == name))
    }

    fn known(&mut self, kind: &str, name: &str, names: &[&str], at: TextRange) {
        if !names.contains(&name) {
            let hint = suggest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            self.refuse(&format!("there is no {kind} `{name}`"), &hint.unwrap_or_default(), at);
        }
    }

    fn replace(&mut self, range: TextRange, text: &str) {
        self.edits.replace(place(range), text);
    }

    fn refuse(&mut self, message: &str, hint: &str, at: TextRange) {
        let at = at.start().to_usize();
        self.refused
            .get_or_insert_with(|| SyntaxError { hint: hint.to_owned(), ..SyntaxError::at(at, message) });
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        let outer = std::mem::take(&mut self.on_path);
        let on_path = outer || self.reference(expression);
        match expression {
            Expr::Name(name) if !on_path => self.name(name),
            Expr::Attribute(attribute) => {
                self.attribute(attribute);
                self.on_path = on_path;
                self.visit_expr(&attribute.value);
            }
            Expr::Subscript(item) => {
                self.on_path = on_path;
                self.visit_expr(&item.value);
                self.on_path = false;
                self.visit_expr(&item.slice);
            }
            Expr::Call(call) => self.call(call, on_path),
            Expr::Compare(compare) => self.compare(compare),
            Expr::BoolOp(operation) => {
                if let Some((last, others)) = operation.values.split_last() {
                    for value in others {
                        self.guarded(value);
                    }
                    self.visit_expr(last);
                }
            }
            Expr::If(choice) => {
                self.guarded(&choice.test);
                self.visit_expr(&choice.body);
                self.visit_expr(&choice.orelse);
            }
            Expr::BinOp(operation) => {
                if operation.op == Operator::BitOr {
                    self.filter(&operation.right);
                }
                self.operation(operation);
            }
            Expr::Named(named) => {
                self.visit_expr(&named.value);
                // It is bound outside of the comprehension it stands in.
                if let (Expr::Name(name), Some(level)) = (&*named.target, self.bound.first_mut()) {
                    level.push((name.id.as_str(), None));
                }
            }
            Expr::ListComp(list) => self.comprehension(&list.generators, &[&list.elt]),
            Expr::SetComp(set) => self.comprehension(&set.generators, &[&set.elt]),
            Expr::Generator(each) => self.comprehension(&each.generators, &[&each.elt]),
            Expr::DictComp(map) => {
                let parts: Vec<&Expr> = map.key.as_deref().into_iter().chain([&*map.value]).collect();
                self.comprehension(&map.generators, &parts);
            }
            Expr::Lambda(lambda) => self.lambda(lambda),
            Expr::Set(set) if set.elts.iter().any(|item| matches!(item, Expr::Set(_) | Expr::Dict(_))) => {
                let hint = "write the whole expression without `{{ }}`";
                self.refuse("this is text with holes, not one expression", hint, set.range());
            }
            Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::TString(_) => {
                self.refuse("this cannot stand in an expression of a skill", "", expression.range());
            }
            _ => walk_expr(self, expression),
        }
    }

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        if let InterpolatedStringElement::Interpolation(hole) = element
            && hole.debug_text.is_some()
        {
            self.refuse("`=` cannot end a hole of an f-string", "write the name yourself", hole.range());
        }
        walk_interpolated_string_element(self, element);
    }
}

/// The path that an expression is, if it is nothing else: `a.b["c"]`, `a.get("b")`.
fn path_of(expression: &Expr) -> Option<Vec<Segment>> {
    let (inner, segment) = match expression {
        Expr::Name(name) => return Some(vec![Segment::Key(name.id.to_string())]),
        Expr::Attribute(attribute) => (&*attribute.value, Segment::Key(attribute.attr.to_string())),
        Expr::Subscript(item) => (&*item.value, constant(&item.slice)?),
        Expr::Call(call) => {
            let Expr::Attribute(method) = &*call.func else { return None };
            let key = constant(call.arguments.args.first()?)?;
            let plain = call.arguments.keywords.is_empty() && call.arguments.args.len() <= 2;
            if method.attr.as_str() != "get" || !plain || key.key().is_none() {
                return None;
            }
            (&*method.value, key)
        }
        _ => return None,
    };
    let mut path = path_of(inner)?;
    path.push(segment);
    Some(path)
}

fn constant(expression: &Expr) -> Option<Segment> {
    match expression {
        Expr::StringLiteral(text) => Some(Segment::Key(text.value.to_str().to_owned())),
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(index) => Some(Segment::Index(index.as_i64()?)),
            _ => None,
        },
        Expr::UnaryOp(operation) if operation.op == UnaryOp::USub => match constant(&operation.operand)? {
            Segment::Index(index) => Some(Segment::Index(-index)),
            Segment::Key(_) | Segment::Each => None,
        },
        _ => None,
    }
}

/// The constants of the template language; those of Python are no names.
fn is_constant(name: &str) -> bool {
    matches!(name, "true" | "false" | "none")
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && parse_as_name(text)
}

/// Whether it is not a keyword.
fn parse_as_name(text: &str) -> bool {
    ruff_python_parser::parse_expression(text).is_ok_and(|tree| matches!(*tree.syntax().body, Expr::Name(_)))
}

fn place(range: TextRange) -> Range<usize> {
    range.start().to_usize()..range.end().to_usize()
}
