//! What a caller may do without asking: decided by the strongest effect of what is to run.

use aa_spec::config::Rule;
use aa_spec::tool::Effect;

use crate::caller::{Caller, LOCAL};
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

/// What a key says of its holder; where it says nothing, what holds for all of them does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What changes nothing.
    pub read: Option<Rule>,
    /// What changes something.
    pub write: Option<Rule>,
    /// What destroys something.
    pub destructive: Option<Rule>,
    /// Whether a model may answer questions itself.
    pub self_approve: Option<bool>,
}

/// What a project's file lets anybody do at most, whatever their key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Rules that are at least this strict.
    pub policy: Policy,
    /// Whether a model may answer questions itself.
    pub self_approve: bool,
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
            Origin::Mcp | Origin::Http => caller.rules.over(calling.policy).within(calling.bound.policy),
            Origin::Cron => caller.rules.over(calling.unattended),
            Origin::Cli | Origin::Parent => caller.rules.over(Self::FREE),
        }
    }

    /// The stricter of both for each effect.
    fn within(self, bound: Self) -> Self {
        Self {
            read: self.read.max(bound.read),
            write: self.write.max(bound.write),
            destructive: self.destructive.max(bound.destructive),
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

impl Rules {
    /// What comes of a policy where a key says something else.
    fn over(self, policy: Policy) -> Policy {
        Policy {
            read: self.read.unwrap_or(policy.read),
            write: self.write.unwrap_or(policy.write),
            destructive: self.destructive.unwrap_or(policy.destructive),
        }
    }
}

impl Bound {
    /// None: the project says nothing.
    pub const NONE: Self = Self { policy: Policy::FREE, self_approve: true };
}

/// Whether a caller may approve of a run that they have started themselves, where the policy wants it approved: the
/// owner of the server may, and a key that says so, as for models.
pub fn may_approve_own(caller: &Caller, calling: &Calling) -> bool {
    let may = caller.rules.self_approve.unwrap_or(calling.self_approve) && calling.bound.self_approve;
    caller.principal == LOCAL || caller.is_of_main() && caller.grants.owns_server() || may
}

/// Whether a caller that is a model may answer a run's questions itself.
pub fn may_answer(caller: &Caller, calling: &Calling) -> bool {
    let may = caller.rules.self_approve.unwrap_or(calling.self_approve) && calling.bound.self_approve;
    caller.origin != Origin::Mcp || may
}

#[cfg(test)]
mod tests {
    use aa_spec::config::Scope;

    use super::*;
    use crate::grant::Grants;

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

    #[test]
    fn whoever_has_started_a_run_approves_of_it_only_where_that_is_let() {
        let calling = Calling { bound: Bound::NONE, ..Calling::default() };
        let of = |principal: &str, self_approve: Option<bool>, grants: Grants| {
            let rules = Rules { self_approve, ..Rules::default() };
            let principal = principal.to_owned();
            let caller = Caller { principal, rules, grants, ..Caller::local(Origin::Http) };
            may_approve_own(&caller, &calling)
        };
        assert!(of(LOCAL, None, Grants::All) && of("ci", Some(true), Grants::Usual));
        assert!(!of("ci", None, Grants::Usual) && !of("ci", Some(false), Grants::Usual));
        let admin = Grants::Scopes([Scope::parse("server:all").unwrap()].into());
        assert!(of("ann", None, admin));
    }

    #[test]
    fn a_key_has_rules_of_its_own_but_none_laxer_than_the_projects() {
        let rules = Rules {
            write: Some(Rule::Allow),
            destructive: Some(Rule::Deny),
            self_approve: Some(true),
            read: None,
        };
        let of = |bound: Bound, origin| {
            let caller = Caller { rules, ..Caller::local(origin) };
            let calling = Calling { bound, ..Calling::default() };
            (Policy::of(&caller, &calling), may_answer(&caller, &calling))
        };
        let own = Policy { read: Rule::Allow, write: Rule::Allow, destructive: Rule::Deny };
        assert_eq!(of(Bound::NONE, Origin::Mcp), (own, true));
        assert_eq!(of(Bound::NONE, Origin::Http), (own, true), "a key is the same key at every door");
        let bound = Policy { read: Rule::Plan, write: Rule::Ask, destructive: Rule::Ask };
        let bounded = Policy { destructive: Rule::Deny, ..bound };
        assert_eq!(of(Bound { policy: bound, self_approve: false }, Origin::Mcp), (bounded, false));
    }
}
