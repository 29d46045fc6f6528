//! What type of value an expression gives, where its words alone say it.

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};
use minijinja::value::ValueKind;

/// The types of JSON that the value can have; `None` when the words do not tell.
pub(super) fn kinds(expression: &Expr<'_>) -> Option<&'static [&'static str]> {
    match expression {
        Expr::Const(constant) => match constant.value.kind() {
            ValueKind::None => Some(&["null"]),
            ValueKind::Bool => Some(&["boolean"]),
            ValueKind::String => Some(&["string"]),
            ValueKind::Number if constant.value.is_integer() => Some(&["integer"]),
            ValueKind::Number => Some(&["number"]),
            _ => None,
        },
        Expr::List(_) | Expr::Tuple(_) => Some(&["array"]),
        Expr::Map(_) => Some(&["object"]),
        Expr::Test(_) | Expr::Compare(_) => Some(&["boolean"]),
        Expr::UnaryOp(operation) => match operation.op {
            UnaryOpKind::Not => Some(&["boolean"]),
            UnaryOpKind::Neg => kinds(&operation.expr),
        },
        Expr::BinOp(operation) => match operation.op {
            BinOpKind::Concat => Some(&["string"]),
            question if compares(question) => Some(&["boolean"]),
            BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Pow => Some(&["number"]),
            _ => None,
        },
        Expr::IfExpr(choice) => {
            let one = kinds(&choice.true_expr)?;
            (one == kinds(choice.false_expr.as_ref()?)?).then_some(one)
        }
        Expr::Filter(filter) => filter.expr.as_ref().and_then(|_| of_filter(filter.name)),
        _ => None,
    }
}

fn of_filter(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "length" | "count" => Some(&["integer"]),
        "int" | "float" | "round" => Some(&["number"]),
        "bool" => Some(&["boolean"]),
        "basename" | "capitalize" | "indent" | "join" | "lower" | "regex_replace" | "replace"
        | "shell_quote" | "slug" | "string" | "title" | "tojson" | "trim" | "upper" => Some(&["string"]),
        "dictsort" | "groupby" | "items" | "lines" | "list" | "map" | "reject" | "rejectattr" | "select"
        | "selectattr" | "sort" | "split" | "unique" => Some(&["array"]),
        _ => None,
    }
}

/// Whether an operation only says how its sides stand to each other.
pub(super) fn compares(operation: BinOpKind) -> bool {
    use BinOpKind::{Eq, Gt, Gte, In, Lt, Lte, Ne};
    matches!(operation, In | Eq | Ne | Lt | Lte | Gt | Gte)
}
