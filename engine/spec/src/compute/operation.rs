//! Operations that the interpreter only has for some values, so that a helper does them.

use ruff_python_ast::{Expr, Operator};

/// The helper for an operation, and the mark of its operator; nothing where the
/// interpreter certainly does it itself.
pub(super) fn helper(operator: Operator, left: &Expr, right: &Expr) -> Option<(&'static str, char)> {
    match operator {
        // `n % 2` is for numbers, unless it is seen to begin with a text.
        Operator::Mod => {
            let of_numbers =
                left.is_number_literal_expr() || right.is_number_literal_expr() && !is_text(left);
            (!of_numbers).then_some(("_percent", '%'))
        }
        Operator::BitOr => (!is_plain(left) && !is_plain(right)).then_some(("_merge", '|')),
        _ => None,
    }
}

/// The helper for a change in place, such as `x |= y`.
pub(super) fn helper_in_place(operator: Operator, value: &Expr) -> Option<&'static str> {
    match operator {
        Operator::Mod => (!value.is_number_literal_expr()).then_some("_percent"),
        Operator::BitOr => (!is_plain(value)).then_some("_merge_into"),
        _ => None,
    }
}

/// Whether an expression is seen to be a text.
fn is_text(expression: &Expr) -> bool {
    match expression {
        Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::BinOp(sum) if sum.op == Operator::Add => is_text(&sum.left) || is_text(&sum.right),
        _ => false,
    }
}

/// Whether an expression is seen to be no mapping.
fn is_plain(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::Set(_)
            | Expr::SetComp(_)
    )
}
