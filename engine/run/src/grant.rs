//! What somebody may use, and up to which effect, whatever the policy lets anybody do.

use std::sync::Arc;

use aa_spec::config::{Scope, ScopeKind};
use aa_spec::tool::Effect;

/// What somebody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// Everything: whoever owns the store.
    All,
    /// Every skill and every tool: a key that says nothing else.
    Usual,
    /// What the scopes name, and nothing else.
    Scopes(Arc<[Scope]>),
}

impl Grants {
    /// Whether something of this kind and name may be used with an effect.
    pub fn lets(&self, of: ScopeKind, name: &str, effect: Effect) -> bool {
        self.most(of, name).is_some_and(|most| match effect {
            // Nobody has said what it does, so it may do the worst.
            Effect::Unknown => most >= Effect::Destructive,
            effect => effect <= most,
        })
    }

    /// Whether something of this kind and name is there at all.
    pub fn shows(&self, of: ScopeKind, name: &str) -> bool {
        self.most(of, name).is_some()
    }

    /// Whether there is a skill or a tool of this name.
    pub fn shows_some(&self, name: &str) -> bool {
        self.shows(ScopeKind::Skill, name) || self.shows(ScopeKind::Tool, name)
    }

    /// Whether the runs of everybody in the tenant are there.
    pub fn sees_all_runs(&self) -> bool {
        self.shows(ScopeKind::Runs, "all")
    }

    /// Whether the business of whoever owns the server is theirs, too.
    pub fn owns_server(&self) -> bool {
        self.shows(ScopeKind::Server, "all")
    }

    /// Whether they may look at who did what: whoever owns the server may, and whoever is let.
    pub fn sees_audit(&self) -> bool {
        self.owns_server() || self.shows(ScopeKind::Audit, "all")
    }

    /// Whether nothing is kept from them that others with a key may use.
    pub fn is_usual(&self) -> bool {
        !matches!(self, Self::Scopes(_))
    }

    /// The strongest effect that is granted.
    fn most(&self, of: ScopeKind, name: &str) -> Option<Effect> {
        match self {
            Self::All => Some(Effect::Destructive),
            Self::Usual => matches!(of, ScopeKind::Skill | ScopeKind::Tool).then_some(Effect::Destructive),
            Self::Scopes(scopes) => {
                scopes.iter().filter(|scope| scope.names(of, name)).map(|scope| scope.most).max()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(scopes: &[&str]) -> Grants {
        Grants::Scopes(scopes.iter().map(|text| Scope::parse(text).unwrap()).collect())
    }

    #[test]
    fn the_strongest_of_what_fits_counts() {
        let of = grants(&["skill:*:read", "skill:deploy_*:write", "tool:git_*:read"]);
        let skill = |name, effect| of.lets(ScopeKind::Skill, name, effect);
        assert!(skill("look", Effect::Read) && !skill("look", Effect::Write));
        assert!(skill("deploy-web", Effect::Write) && !skill("deploy-web", Effect::Destructive));
        assert!(!skill("deploy_web", Effect::Unknown), "it may do the worst");
        assert!(of.lets(ScopeKind::Tool, "git_log", Effect::Read) && !of.shows(ScopeKind::Tool, "gitlab"));
        assert!(!of.shows(ScopeKind::Schedule, "nightly") && !of.sees_all_runs() && !of.owns_server());
    }

    #[test]
    fn who_has_no_scopes_has_nothing_and_a_key_without_a_word_no_schedules() {
        let none = grants(&[]);
        assert!(!none.shows_some("look") && !none.sees_audit() && !Grants::Usual.sees_audit());
        assert!(grants(&["audit:all"]).sees_audit() && !grants(&["audit:all"]).owns_server());
        assert!(grants(&["server:all"]).sees_audit() && Grants::All.sees_audit());
        assert!(Grants::Usual.lets(ScopeKind::Skill, "look", Effect::Unknown));
        assert!(!Grants::Usual.shows(ScopeKind::Schedule, "nightly") && !Grants::Usual.owns_server());
        assert!(Grants::All.lets(ScopeKind::Schedule, "nightly", Effect::Write) && Grants::All.owns_server());
    }
}
