//! Which names have one value wherever a text uses them.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{Expr, Stmt};

/// Enough not to be once.
const SOMETIMES: usize = 2;

/// The names that a text sets in one place, and not only on some of the ways through it.
pub(super) fn set_once<'a>(statement: &Stmt<'a>) -> BTreeSet<&'a str> {
    let mut times = BTreeMap::new();
    count(std::slice::from_ref(statement), 1, &mut times);
    times.into_iter().filter(|(_, times)| *times == 1).map(|(name, _)| name).collect()
}

fn count<'a>(statements: &[Stmt<'a>], each: usize, times: &mut BTreeMap<&'a str, usize>) {
    for statement in statements {
        match statement {
            Stmt::Template(template) => count(&template.children, each, times),
            Stmt::ForLoop(each_item) => {
                count(&each_item.body, each, times);
                count(&each_item.else_body, SOMETIMES, times);
            }
            Stmt::IfCond(condition) => {
                count(&condition.true_body, SOMETIMES, times);
                count(&condition.false_body, SOMETIMES, times);
            }
            Stmt::WithBlock(with) => count(&with.body, each, times),
            Stmt::Set(set) => count_name(&set.target, each, times),
            Stmt::SetBlock(set) => {
                count_name(&set.target, each, times);
                count(&set.body, each, times);
            }
            Stmt::AutoEscape(escape) => count(&escape.body, each, times),
            Stmt::FilterBlock(block) => count(&block.body, each, times),
            Stmt::EmitExpr(_) | Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) | Stmt::Do(_) => {}
        }
    }
}

fn count_name<'a>(target: &Expr<'a>, each: usize, times: &mut BTreeMap<&'a str, usize>) {
    match target {
        Expr::Var(var) => *times.entry(var.id).or_default() += each,
        Expr::List(list) => list.items.iter().for_each(|item| count_name(item, each, times)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| count_name(item, each, times)),
        _ => {}
    }
}
