//! Outputs, and the steps that stand among them.

use super::{Dialect, edit, tree};
use crate::fix::Edit;
use crate::source::Span;
use crate::yaml::Node;

/// The keys of which a step has exactly one.
pub(super) const ACTIONS: [&str; 6] = ["tool", "compute", "skill", "confirm", "wait", "then"];

impl Dialect<'_> {
    pub(super) fn outputs(&mut self, root: &mut Node) {
        self.output_mapping(root);
        self.misplaced_steps(root);
    }

    /// Steps that were added to the end of the file, after `outputs:`.
    fn misplaced_steps(&mut self, root: &mut Node) {
        let has_steps = root.get("steps").is_some_and(|steps| !steps.items().is_empty());
        let Some((span, outputs)) = tree::entry_mut(root, "outputs") else { return };
        let Some(items) = tree::items_mut(outputs) else { return };
        let (misplaced, kept): (Vec<Node>, Vec<Node>) = std::mem::take(items).into_iter().partition(is_step);
        let empties = kept.is_empty() && !misplaced.is_empty();
        *items = kept;
        if !has_steps && !misplaced.is_empty() {
            tree::set(root, "steps", tree::list(Vec::new(), span));
        }
        let end = root.get("steps").and_then(|steps| steps.items().last()).map(|last| last.span);
        for (index, step) in misplaced.iter().enumerate() {
            let mut fix = end.map(|last| self.moving(step, last)).unwrap_or_default();
            if empties && index == 0 && !fix.is_empty() {
                fix.extend(edit::after_key(self.source, span, " []"));
            }
            let name = step.get("name").and_then(Node::as_str).unwrap_or("without a name");
            let place = step.entries().first().map_or(step.span, |(key, value)| key.span.to(value.span));
            let problem = self.warn("misplaced-step", place, format!("step `{name}` is among the outputs"));
            "it runs after the other steps; move it to the end of `steps`".clone_into(&mut problem.hint);
            problem.fix = fix;
        }
        if let Some(steps) = tree::get_mut(root, "steps").and_then(tree::items_mut) {
            steps.extend(misplaced);
        }
    }

    /// The changes that move an item to the end of the steps, where both are written in lines.
    fn moving(&self, step: &Node, last: Span) -> Vec<Edit> {
        let columns = edit::dash(self.source, step.span.start).zip(edit::dash(self.source, last.start));
        let (Some((from, to)), Some(item)) = (columns, edit::item(self.source, step)) else {
            return Vec::new();
        };
        let by = to.cast_signed() - from.cast_signed();
        edit::moved(self.source, item, by, edit::lines(self.source, last).end)
    }
}

fn is_step(item: &Node) -> bool {
    item.get("value").is_none() && ACTIONS.iter().any(|action| item.get(action).is_some())
}
