//! What a caller may do without asking: decided by the strongest effect of what is to run.

use aa_spec::config::Rule;
use aa_spec::tool::Effect;

use crate::caller::Caller;
use crate::event::Origin;
use crate::settings::Calling;

/// What it takes to be run, by effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What changes nothing.
    pub read: Rule,
    /// What changes something.
    pub write: Rule,
    /// What destroys something.
    pub destructive: Rule,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Go,
    /// It runs once a person has approved.
    Ask,
    /// It does not run.
    Refuse,
}

impl Policy {
    /// What people at their own terminal may do.
    pub const FREE: Self = Self { read: Rule::Allow, write: Rule::Allow, destructive: Rule::Allow };

    /// The policy that holds for a caller.
    pub fn of(caller: &Caller, calling: &Calling) -> Self {
        match caller.origin {
            Origin::Mcp => calling.policy,
            Origin::Cron => calling.unattended,
            Origin::Cli | Origin::Http | Origin::Parent => Self::FREE,
        }
    }

    /// What becomes of a request; `planned` when it names the plan that was shown.
    pub fn judge(self, effect: Effect, planned: bool) -> Verdict {
        let rule = match effect {
            Effect::Read => self.read,
            Effect::Write => self.write,
            // Nobody has said what it does, so it may do the worst.
            Effect::Destructive | Effect::Unknown => self.destructive,
        };
        match rule {
            Rule::Allow => Verdict::Go,
            Rule::Plan if planned => Verdict::Go,
            Rule::Plan | Rule::Ask => Verdict::Ask,
            Rule::Deny => Verdict::Refuse,
        }
    }
}

/// Whether a caller that is a model may answer a run's questions itself.
pub fn may_answer(caller: &Caller, calling: &Calling) -> bool {
    caller.origin != Origin::Mcp || calling.self_approve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_was_shown_is_enough_only_where_the_rule_says_so() {
        let policy = Policy { read: Rule::Allow, write: Rule::Plan, destructive: Rule::Ask };
        let verdicts = [
            (Effect::Read, false, Verdict::Go),
            (Effect::Write, true, Verdict::Go),
            (Effect::Write, false, Verdict::Ask),
            (Effect::Destructive, true, Verdict::Ask),
        ];
        for (effect, planned, expected) in verdicts {
            assert_eq!(policy.judge(effect, planned), expected, "{effect:?} {planned}");
        }
        let strict = Policy { write: Rule::Deny, ..policy };
        assert_eq!(strict.judge(Effect::Write, true), Verdict::Refuse);
    }
}
