//! Which values the items of lists are, so that their fields can be looked at like any other.

use minijinja::machinery::ast::{CallArg, Expr, Filter};

use super::super::{Field, Segment};
use super::{Walk, path_of, root_start};

/// Filters that give items of their list, as they are.
const SAME_ITEMS: [&str; 8] =
    ["list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"];
/// Filters that give one item of their list.
const ONE_ITEM: [&str; 4] = ["first", "last", "max", "min"];

impl<'a> Walk<'a> {
    /// The path from an outside name that leads to the value of an expression, also through lists.
    pub(super) fn source_of(&self, expression: &Expr<'a>) -> Option<Vec<Segment>> {
        if let Some(path) = path_of(expression) {
            let root = path.first().and_then(Segment::key)?;
            return match self.bound.iter().rev().flatten().find(|(name, _)| *name == root) {
                Some((_, source)) => Some([source.clone()?, path[1..].to_vec()].concat()),
                None => Some(path),
            };
        }
        match expression {
            Expr::GetAttr(attribute) => {
                Some(joined(self.source_of(&attribute.expr)?, Segment::Key(attribute.name.to_owned())))
            }
            Expr::GetItem(item) => {
                let Expr::Const(key) = &item.subscript_expr else { return None };
                let segment = match key.value.as_str() {
                    Some(key) => Segment::Key(key.to_owned()),
                    None => Segment::Index(key.value.as_i64()?),
                };
                Some(joined(self.source_of(&item.expr)?, segment))
            }
            Expr::Slice(slice) => self.source_of(&slice.expr),
            Expr::Filter(filter) => {
                let source = self.source_of(filter.expr.as_ref()?)?;
                match filter.name {
                    name if SAME_ITEMS.contains(&name) => Some(source),
                    name if ONE_ITEM.contains(&name) => Some(joined(source, Segment::Each)),
                    "default" | "d" => filter.args.iter().all(is_nothing).then_some(source),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Notes a field that is taken out of an item; true when it is one.
    pub(super) fn field(&mut self, expression: &Expr<'a>) -> bool {
        let (mut base, mut depth) = (expression, 0);
        while let Some(inner) = accessed(base) {
            (base, depth) = (inner, depth + 1);
        }
        let Some(path) = self.source_of(expression).filter(|_| depth > 0) else { return false };
        let of = match base {
            Expr::Var(var) => var.id.to_owned(),
            _ => String::new(),
        };
        let start = root_start(expression);
        let span = start..(expression.span().end_offset as usize).max(start);
        let guarded = self.guards > 0;
        self.found.fields.push(Field { path, depth, of, span, guarded });
        true
    }

    /// Notes the fields that a filter takes out of each item: `selectattr("name", …)`, `map(attribute="name")`.
    pub(super) fn fields_in_arguments(&mut self, filter: &Filter<'a>) {
        let positional = match filter.name {
            "selectattr" | "rejectattr" | "groupby" => filter.args.first(),
            _ => None,
        };
        let positional = positional.and_then(|argument| match argument {
            CallArg::Pos(value) => Some(value),
            _ => None,
        });
        let named = filter.args.iter().find_map(|argument| match argument {
            CallArg::Kwarg("attribute", value) => Some(value),
            _ => None,
        });
        let Some(Expr::Const(name)) = named.or(positional) else { return };
        let source = filter.expr.as_ref().and_then(|inner| self.source_of(inner));
        let (Some(text), Some(source)) = (name.value.as_str(), source) else { return };
        let keys = text.split('.').map(|key| match key.parse() {
            Ok(index) => Segment::Index(index),
            Err(_) => Segment::Key(key.to_owned()),
        });
        let keys: Vec<Segment> = keys.collect();
        let tested = matches!(filter.args.get(1), Some(CallArg::Pos(Expr::Const(test)))
            if matches!(test.value.as_str(), Some("defined" | "undefined" | "none")));
        let copes = tested || filter.args.iter().any(|one| matches!(one, CallArg::Kwarg("default", _)));
        let span = name.span();
        self.found.fields.push(Field {
            depth: keys.len(),
            path: [source, vec![Segment::Each], keys].concat(),
            of: String::new(),
            span: span.start_offset as usize..span.end_offset as usize,
            guarded: copes || self.guards > 0,
        });
    }
}

/// What something is taken out of, when its name is written out.
pub(super) fn accessed<'e, 'a>(expression: &'e Expr<'a>) -> Option<&'e Expr<'a>> {
    match expression {
        Expr::GetAttr(attribute) => Some(&attribute.expr),
        Expr::GetItem(item) => matches!(item.subscript_expr, Expr::Const(_)).then_some(&item.expr),
        _ => None,
    }
}

/// Whether a default has no items.
fn is_nothing(argument: &CallArg<'_>) -> bool {
    match argument {
        CallArg::Pos(Expr::List(list)) => list.items.is_empty(),
        CallArg::Pos(Expr::Map(map)) => map.keys.is_empty(),
        _ => false,
    }
}

fn joined(mut path: Vec<Segment>, segment: Segment) -> Vec<Segment> {
    path.push(segment);
    path
}
