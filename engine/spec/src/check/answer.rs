//! Whether what a person answers decides anything.

use super::Checker;
use super::order::Draft;
use crate::plan::{Action, StepPlan};
use crate::skill::Step;

/// Answers that say no.
const NO: [&str; 2] = ["reject", "cancel"];

impl Checker<'_, '_> {
    /// Answers that no later step reads. One that says no then ends the skill; where none does, the steps after the
    /// question follow whatever is answered, which nobody means.
    pub(super) fn unread_answers(&mut self, steps: &[Step], plans: &mut [StepPlan], drafts: &[Draft]) {
        for (index, plan) in plans.iter_mut().enumerate() {
            let Action::Confirm { options, ends, .. } = &mut plan.action else { continue };
            let later = &drafts[index + 1..];
            let is_read = later.iter().any(|draft| draft.reads_all || draft.reads.contains(&index));
            if is_read || later.is_empty() || !plan.validate.is_empty() {
                continue;
            }
            *ends = options.iter().filter(|option| NO.contains(&option.as_str())).cloned().collect();
            if ends.is_empty() && options.len() > 1 {
                let (name, first) = (&plan.name, &options[0]);
                let message =
                    format!("nothing reads the answer to `{name}`: the steps after it follow whatever it is");
                let problem = self.warning("unread-answer", steps[index].name.span, message);
                self.report(problem.hint(format!(
                    "let a `condition` read it, as in `{} == '{first}'`, or call the answer that ends the skill `reject` or `cancel`",
                    plan.output
                )));
            }
        }
    }
}
