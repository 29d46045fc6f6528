//! What a template reads and whether it knows all the words it uses, from its syntax
//! tree. The only file that sees the engine's tree.

mod items;
mod kind;
mod set;

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, CallType, Expr, Stmt, UnaryOpKind};

use self::items::accessed;
use self::set::set_once;
use super::functions::SHELL_QUOTE;
use super::vocabulary::{FILTERS, FUNCTIONS, METHODS, PYTHON, TESTS};
use super::{Field, Reference, Segment, SyntaxError};
use crate::name::suggest;

/// What one expression or text says of itself.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// Outside names, in the order of the text.
    pub(super) references: Vec<Reference>,
    /// Fields of items of lists.
    pub(super) fields: Vec<Field>,
    /// Of an expression, the way from an outside name to its value.
    pub(super) source: Option<Vec<Segment>>,
    /// Of an expression, the types of JSON that its value can have, where its words tell.
    pub(super) kinds: Option<&'static [&'static str]>,
    /// Outermost uses of `~`.
    pub(super) concatenations: Vec<Range<usize>>,
    /// Whether it asks what time it is.
    pub(super) clock: bool,
    /// The first unknown word.
    pub(super) unknown: Option<SyntaxError>,
    /// Whether Python may know it.
    pub(super) python: bool,
}

struct Walk<'a> {
    found: Analysis,
    /// Functions beside those of the vocabulary.
    functions: &'a [&'a str],
    /// Names that the template itself binds, innermost level last, with the way to their value where one leads to it.
    bound: Vec<Vec<Bound<'a>>>,
    /// Those of them that are set in one place, which every way through the text passes.
    set_once: BTreeSet<&'a str>,
    /// How many surrounding operations cope with a missing value.
    guards: usize,
    /// How many surrounding operations look into a value or make another of it.
    works: usize,
    /// How many surrounding operations only ask something of a value, so that it is not in what they give.
    questions: usize,
    /// How many surrounding filters quote a value for a shell.
    quotes: usize,
}

/// A name, and the way to its value.
type Bound<'a> = (&'a str, Option<Vec<Segment>>);

/// Analyses one expression.
pub(super) fn of_expression(expression: &Expr<'_>) -> Analysis {
    let mut walk = Walk::new();
    walk.expression(expression);
    walk.found.source = walk.source_of(expression);
    walk.found.kinds = kind::kinds(expression);
    walk.found
}

/// Analyses a text, which may call these functions beside those of the vocabulary.
pub(super) fn of_text<'a>(statement: &Stmt<'a>, functions: &'a [&'a str]) -> Analysis {
    let mut walk = Walk { functions, set_once: set_once(statement), ..Walk::new() };
    walk.statement(statement);
    walk.found
}

/// The path that an expression is, if it is nothing else: `a.b["c"]`, `a.get("b")`.
pub(super) fn path_of(expression: &Expr<'_>) -> Option<Vec<Segment>> {
    match expression {
        Expr::Var(var) => Some(vec![Segment::Key(var.id.to_owned())]),
        Expr::GetAttr(attribute) => {
            let mut path = path_of(&attribute.expr)?;
            path.push(Segment::Key(attribute.name.to_owned()));
            Some(path)
        }
        Expr::GetItem(item) => {
            let Expr::Const(key) = &item.subscript_expr else { return None };
            let mut path = path_of(&item.expr)?;
            path.push(match key.value.as_str() {
                Some(key) => Segment::Key(key.to_owned()),
                None => Segment::Index(key.value.as_i64()?),
            });
            Some(path)
        }
        Expr::Call(call) => {
            let (inner, key) = constant_get(call)?;
            let mut path = path_of(inner)?;
            path.push(Segment::Key(key));
            Some(path)
        }
        _ => None,
    }
}

/// The object and key of `x.get("key")`, with or without a default.
fn constant_get<'e, 'a>(call: &'e Call<'a>) -> Option<(&'e Expr<'a>, String)> {
    let Expr::GetAttr(method) = &call.expr else { return None };
    let (CallArg::Pos(Expr::Const(key)), 1..=2) = (call.args.first()?, call.args.len()) else { return None };
    (method.name == "get").then_some((&method.expr, key.value.as_str()?.to_owned()))
}

impl<'a> Walk<'a> {
    fn new() -> Self {
        Self {
            found: Analysis::default(),
            functions: &[],
            bound: vec![Vec::new()],
            set_once: BTreeSet::new(),
            guards: 0,
            works: 0,
            questions: 0,
            quotes: 0,
        }
    }

    fn statements(&mut self, statements: &[Stmt<'a>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'a>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => {}
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                let item = self.source_of(&each.iter).map(|list| [list, vec![Segment::Each]].concat());
                self.bound.push(vec![("loop", None)]);
                self.bind(&each.target, item);
                each.filter_expr.iter().for_each(|filter| self.expression(filter));
                self.statements(&each.body);
                self.bound.pop();
                self.statements(&each.else_body);
            }
            Stmt::IfCond(condition) => {
                self.decided_by(&condition.expr);
                self.statements(&condition.true_body);
                self.statements(&condition.false_body);
            }
            Stmt::WithBlock(with) => {
                self.bound.push(Vec::new());
                for (target, value) in &with.assignments {
                    self.expression(value);
                    let source = self.source_of(value);
                    self.bind(target, source);
                }
                self.statements(&with.body);
                self.bound.pop();
            }
            Stmt::Set(set) => {
                self.expression(&set.expr);
                // Where it is set elsewhere, too, which of them holds depends on the way through the text.
                let is_sure = matches!(&set.target, Expr::Var(var) if self.set_once.contains(var.id));
                let source = is_sure.then(|| self.source_of(&set.expr)).flatten();
                self.bind(&set.target, source);
            }
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expression(filter));
                self.statements(&set.body);
                self.bind(&set.target, None);
            }
            Stmt::AutoEscape(escape) => {
                self.expression(&escape.enabled);
                self.statements(&escape.body);
            }
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter);
                self.statements(&block.body);
            }
            Stmt::Do(run) => self.call(&run.call),
        }
    }

    fn bind(&mut self, target: &Expr<'a>, source: Option<Vec<Segment>>) {
        match target {
            Expr::Var(var) => {
                if let Some(level) = self.bound.last_mut() {
                    level.push((var.id, source));
                }
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item, None)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item, None)),
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr<'a>) {
        let (works, questions) = (usize::from(!passes_on(expression)), usize::from(asks(expression)));
        let quotes = usize::from(quotes(expression));
        (self.works, self.questions) = (self.works + works, self.questions + questions);
        self.quotes += quotes;
        self.expression_inside(expression);
        self.quotes -= quotes;
        (self.works, self.questions) = (self.works - works, self.questions - questions);
    }

    fn expression_inside(&mut self, expression: &Expr<'a>) {
        if let Some(path) = path_of(expression) {
            return self.path(path, expression);
        }
        match expression {
            // Paths, or without anything to see.
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::GetAttr(_) | Expr::GetItem(_) if self.field(expression) => {
                let mut base = expression;
                while let Some(inner) = accessed(base) {
                    base = inner;
                }
                self.expression(base);
            }
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.expression(&item.subscript_expr);
            }
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                if slice.step.as_ref().is_some_and(|step| !is_positive(step)) {
                    // The engine cannot be trusted with the others.
                    self.found.python |= self.found.unknown.is_none();
                    let hint = "to go backwards, use `| reverse`".to_owned();
                    self.refuse(
                        "the step of a slice must be a positive number".to_owned(),
                        hint,
                        &slice.expr,
                    );
                }
                let bounds = [&slice.start, &slice.stop, &slice.step];
                bounds.into_iter().flatten().for_each(|bound| self.expression(bound));
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::BinOp(operation) => match operation.op {
                BinOpKind::Concat => {
                    let span = operation.span();
                    self.concatenation(span.start_offset as usize..span.end_offset as usize);
                    self.expression(&operation.left);
                    self.expression(&operation.right);
                }
                BinOpKind::ScOr | BinOpKind::ScAnd => {
                    self.guarded(|walk| walk.expression(&operation.left));
                    self.expression(&operation.right);
                }
                BinOpKind::In if self.lookup(&operation.left, &operation.right) => {}
                _ => {
                    self.expression(&operation.left);
                    self.expression(&operation.right);
                }
            },
            Expr::Compare(compare) => {
                self.expression(&compare.expr);
                compare.ops.iter().for_each(|op| self.expression(&op.expr));
            }
            Expr::IfExpr(choice) => {
                self.decided_by(&choice.test_expr);
                self.expression(&choice.true_expr);
                choice.false_expr.iter().for_each(|expr| self.expression(expr));
            }
            Expr::Filter(filter) => {
                self.known("filter", filter.name, FILTERS, expression);
                self.named_in_arguments(filter.name, &filter.args, expression);
                self.fields_in_arguments(filter);
                let copes = matches!(filter.name, "default" | "d" | "length" | "count");
                if let Some(inner) = &filter.expr {
                    self.guards += usize::from(copes);
                    self.expression(inner);
                    self.guards -= usize::from(copes);
                }
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.known("test", test.name, TESTS, expression);
                self.guarded(|walk| walk.expression(&test.expr));
                self.arguments(&test.args);
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item)),
        }
    }

    /// `'name' in dir()` asks whether a name has a value, so it reads it.
    fn lookup(&mut self, name: &Expr<'a>, list: &Expr<'a>) -> bool {
        let (Expr::Const(constant), Expr::Call(call)) = (name, list) else { return false };
        let Some(root) = constant.value.as_str() else { return false };
        if !matches!(call.identify_call(), CallType::Function("dir")) || !call.args.is_empty() {
            return false;
        }
        let span = name.span();
        let span = span.start_offset as usize..span.end_offset as usize;
        let path = vec![Segment::Key(root.to_owned())];
        let about = Reference { path, span, guarded: true, worked_on: true, carried: false, quoted: false };
        self.found.references.push(about);
        true
    }

    fn call(&mut self, call: &Call<'a>) {
        match call.identify_call() {
            CallType::Function("dir") if !self.is_bound("dir") => {
                let hint = "write `'name' in dir()`".to_owned();
                self.refuse("`dir()` only tells whether a name is there".to_owned(), hint, &call.expr);
            }
            CallType::Function(name) if self.functions.contains(&name) => {}
            CallType::Function(name) => {
                self.found.clock |= name == "now";
                if self.is_bound(name) || !FUNCTIONS.contains(&name) {
                    self.found.python |= self.found.unknown.is_none() && PYTHON.contains(&name);
                    self.unknown("function", name, FUNCTIONS, &call.expr);
                }
            }
            CallType::Method(object, name) => {
                self.known("method", name, METHODS, &call.expr);
                self.expression(object);
            }
            CallType::Object(object) => {
                self.refuse("only functions and methods can be called".to_owned(), String::new(), object);
                self.expression(object);
            }
        }
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &[CallArg<'a>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }

    fn guarded(&mut self, inside: impl FnOnce(&mut Self)) {
        self.guards += 1;
        inside(self);
        self.guards -= 1;
    }

    /// What follows depends on whether this is true, and on nothing else of it.
    fn decided_by(&mut self, condition: &Expr<'a>) {
        self.questions += 1;
        self.guarded(|walk| walk.expression(condition));
        self.questions -= 1;
    }

    fn path(&mut self, path: Vec<Segment>, expression: &Expr<'a>) {
        let Some(Segment::Key(root)) = path.first() else { return };
        // A function's name alone is a type, as in `isinstance(x, str)`.
        if self.is_bound(root) {
            self.field(expression);
            return;
        }
        if path.len() == 1 && FUNCTIONS.contains(&root.as_str()) {
            return;
        }
        let start = root_start(expression);
        let span = start..(expression.span().end_offset as usize).max(start);
        let guarded = self.guards > 0 || matches!(expression, Expr::Call(_));
        if let Expr::Call(call) = expression {
            // The default of `.get("key", default)` may read something, too.
            self.arguments(&call.args[1..]);
        }
        let (worked_on, carried, quoted) = (self.works > 0, self.questions == 0, self.quotes > 0);
        self.found.references.push(Reference { path, span, guarded, worked_on, carried, quoted });
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|level| level.iter().any(|(bound, _)| *bound == name))
    }

    fn concatenation(&mut self, span: Range<usize>) {
        let inside = |outer: &Range<usize>| outer.start == span.start && outer.end >= span.end;
        if !self.found.concatenations.iter().any(inside) {
            self.found.concatenations.push(span);
        }
    }

    /// `map("upper")`, `select("odd")`, `selectattr("x", "eq", 1)` name filters and tests
    /// by strings.
    fn named_in_arguments(&mut self, filter: &str, arguments: &[CallArg<'a>], at: &Expr<'a>) {
        let (index, kind, names) = match filter {
            "map" => (0, "filter", FILTERS),
            "select" | "reject" => (0, "test", TESTS),
            "selectattr" | "rejectattr" => (1, "test", TESTS),
            _ => return,
        };
        let Some(CallArg::Pos(Expr::Const(name))) = arguments.get(index) else { return };
        let operator = |name: &str| matches!(name, "==" | "!=" | "<" | "<=" | ">" | ">=");
        if let Some(name) = name.value.as_str().filter(|name| kind == "filter" || !operator(name)) {
            self.known(kind, name, names, at);
        }
    }

    fn known(&mut self, kind: &str, name: &str, names: &[&str], at: &Expr<'a>) {
        if !names.contains(&name) {
            self.unknown(kind, name, names, at);
        }
    }

    fn unknown(&mut self, kind: &str, name: &str, names: &[&str], at: &Expr<'a>) {
        let hint = suggest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.refuse(format!("there is no {kind} `{name}`"), hint.unwrap_or_default(), at);
    }

    fn refuse(&mut self, message: String, hint: String, at: &Expr<'a>) {
        let offset = at.span().start_offset as usize;
        self.found.unknown.get_or_insert(SyntaxError { message, offset, path: Vec::new(), hint });
    }
}

/// Whether an expression gives on the values in it as they are, alone or inside others, or asks only whether they
/// are there.
fn passes_on(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::BinOp(operation) => {
            matches!(operation.op, BinOpKind::Concat | BinOpKind::Add | BinOpKind::ScOr | BinOpKind::ScAnd)
        }
        Expr::Filter(filter) => matches!(filter.name, "default" | "d" | "string" | "tojson"),
        Expr::Test(test) => matches!(test.name, "defined" | "undefined"),
        Expr::UnaryOp(operation) => matches!(operation.op, UnaryOpKind::Not),
        Expr::IfExpr(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => true,
        other => path_of(other).is_some(),
    }
}

/// Whether an expression gives an answer about the values in it, which has nothing of them in it.
fn asks(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Test(_) | Expr::Compare(_) => true,
        Expr::Filter(filter) => matches!(filter.name, "length" | "count"),
        Expr::UnaryOp(operation) => matches!(operation.op, UnaryOpKind::Not),
        Expr::BinOp(operation) => kind::compares(operation.op),
        _ => false,
    }
}

/// Whether what an expression gives is quoted for a shell.
fn quotes(expression: &Expr<'_>) -> bool {
    let Expr::Filter(filter) = expression else { return false };
    let each = |args: &[CallArg<'_>]| matches!(args, [CallArg::Pos(Expr::Const(name))] if name.value.as_str() == Some(SHELL_QUOTE));
    filter.name == SHELL_QUOTE || (filter.name == "map" && each(&filter.args))
}

fn is_positive(step: &Expr<'_>) -> bool {
    matches!(step, Expr::Const(step) if step.value.as_i64().is_some_and(|step| step > 0))
}

/// Where a path begins; the engine's spans of nested accesses begin at their last part.
fn root_start(expression: &Expr<'_>) -> usize {
    match expression {
        Expr::GetAttr(attribute) => root_start(&attribute.expr),
        Expr::GetItem(item) => root_start(&item.expr),
        Expr::Call(call) => root_start(&call.expr),
        other => other.span().start_offset as usize,
    }
}
