//! A skill that is called like a tool: a step that runs it.

use super::Checker;
use crate::fix::Edit;
use crate::name::fold;
use crate::shape::is_stand_in;
use crate::skill::{Skill, Step};
use crate::source::Span;

impl Checker<'_, '_> {
    /// Makes steps that run a skill of those that call one as if it were a tool. A tool of that
    /// name comes first, also one that is not known yet: the same text must not mean two things.
    pub(super) fn skills_as_tools(&mut self, skill: &mut Skill) {
        for step in &mut skill.steps {
            self.skill_as_tool(step);
        }
    }

    fn skill_as_tool(&mut self, step: &mut Step) {
        let Some(name) = step.tool.as_ref().filter(|name| !is_stand_in(name)) else { return };
        let catalog = self.library.catalog;
        if step.skill.is_some()
            || catalog.tool(&name.value).is_some()
            || catalog.skill(&fold(&name.value)).is_none()
            || catalog.may_have_tool(&name.value)
        {
            return;
        }
        let message = format!("`{}` is a skill, not a tool", name.value);
        let problem = self.warning("skill-as-tool", name.span, message);
        let key = self.key_before(name.span);
        let fix = key.map(|key| Edit::replace(key, "skill")).into_iter().collect();
        let problem = problem.hint(format!("write `skill: {}`", name.value)).fix(fix);
        step.skill = step.tool.take();
        self.report(problem);
    }

    /// Where it says `tool` before a value; nothing where that is in quotes or farther away.
    fn key_before(&self, value: Span) -> Option<Span> {
        let before = self.source.text.get(..value.start as usize)?;
        // The value may begin with a quote.
        let before = before.trim_end_matches(['"', '\'']).trim_end().strip_suffix(':')?.trim_end();
        let start = before.strip_suffix("tool")?.len();
        let offset = |at: usize| u32::try_from(at).ok();
        Some(Span { start: offset(start)?, end: offset(before.len())? })
    }
}
