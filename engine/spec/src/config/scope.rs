//! Scopes: what somebody may use, and up to which effect, in words such as `skill:deploy_*:write`.

use crate::name::{fold, suggest};
use crate::tool::Effect;

/// Something that may be used by whoever has the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What kind of thing.
    pub of: Kind,
    /// Which of them: a name, in which `*` stands for any letters.
    pub pattern: String,
    /// The strongest effect that a use may have. Of a schedule, `Write` is to run and to steer it.
    pub most: Effect,
}

/// What a scope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Skills: running them.
    Skill,
    /// Tools: calling them outside of skills.
    Tool,
    /// Schedules: looking at them, and running and steering them.
    Schedule,
    /// The runs of everybody in the tenant.
    Runs,
    /// What else is the business of whoever owns the server.
    Server,
    /// Looking at who did what.
    Audit,
}

/// The tenant of everybody of whom nothing else is said. What belongs to the machine is there for no other.
pub const MAIN: &str = "main";

/// Roles that everybody knows, with their scopes.
pub const ROLES: [(&str, &[&str]); 4] = [
    ("viewer", &["skill:*:read", "tool:*:read", "schedule:*:read"]),
    ("operator", &["skill:*:write", "tool:*:write", "schedule:*:run"]),
    ("auditor", &["audit:all"]),
    ("admin", &["skill:*:destructive", "tool:*:destructive", "schedule:*:run", "runs:all", "server:all"]),
];

const FORM: &str = "write `skill:NAME:EFFECT`, `tool:NAME:EFFECT` (`read`, `write` or `destructive`), `schedule:NAME:read`, `schedule:NAME:run`, `runs:all`, `audit:all` or `server:all`";

impl Scope {
    /// Reads a scope.
    ///
    /// # Errors
    /// What the scopes look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no scope; {FORM}");
        let parts: Vec<&str> = text.split(':').collect();
        let (of, pattern, most) = match parts[..] {
            ["runs", "all"] => (Kind::Runs, "*", Effect::Destructive),
            ["server", "all"] => (Kind::Server, "*", Effect::Destructive),
            ["audit", "all"] => (Kind::Audit, "*", Effect::Read),
            ["skill", pattern, most] => (Kind::Skill, pattern, effect(most).ok_or_else(wrong)?),
            ["tool", pattern, most] => (Kind::Tool, pattern, effect(most).ok_or_else(wrong)?),
            ["schedule", pattern, "read"] => (Kind::Schedule, pattern, Effect::Read),
            ["schedule", pattern, "run"] => (Kind::Schedule, pattern, Effect::Write),
            _ => return Err(wrong()),
        };
        let good = |c: char| c.is_alphanumeric() || "_-.*".contains(c);
        if pattern.is_empty() || !pattern.chars().all(good) {
            return Err(wrong());
        }
        Ok(Self { of, pattern: fold(pattern), most })
    }

    /// Whether it is about what belongs to the machine, which is there for no tenant but the main one.
    pub fn is_of_machine(&self) -> bool {
        matches!(self.of, Kind::Schedule | Kind::Audit | Kind::Server)
    }

    /// Whether it is about something of this kind and name.
    pub fn names(&self, of: Kind, name: &str) -> bool {
        self.of == of && fits(&self.pattern, &fold(name))
    }
}

fn effect(word: &str) -> Option<Effect> {
    match word {
        "read" => Some(Effect::Read),
        "write" => Some(Effect::Write),
        "destructive" => Some(Effect::Destructive),
        _ => None,
    }
}

/// Whether a name is what a pattern describes. Looks at no letter of the name twice for each `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(tail)
}

/// The scopes of a role that everybody knows.
pub fn role(name: &str) -> Option<Vec<Scope>> {
    let (_, scopes) = ROLES.iter().find(|(known, _)| *known == name)?;
    Some(scopes.iter().filter_map(|text| Scope::parse(text).ok()).collect())
}

/// That a role is not known, and what was perhaps meant.
pub fn unknown_role<'a>(name: &str, own: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = ROLES.iter().map(|(name, _)| *name).chain(own).collect();
    let near = suggest(name, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("there is no role `{name}`{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_others_are_refused() {
        let scope = Scope::parse("skill:deploy-*:write").unwrap();
        assert_eq!((scope.of, scope.pattern.as_str(), scope.most), (Kind::Skill, "deploy_*", Effect::Write));
        assert_eq!(Scope::parse("schedule:nightly:run").unwrap().most, Effect::Write);
        assert_eq!(Scope::parse("runs:all").unwrap().of, Kind::Runs);
        for bad in [
            "",
            "skill",
            "skill:*",
            "skill:*:all",
            "skill::read",
            "skill:a b:read",
            "schedule:*:write",
            "runs:own",
            "audit:own",
            "skill:*:unknown",
            "tool:*:read:more",
            "*",
            "admin",
        ] {
            assert!(Scope::parse(bad).unwrap_err().contains("is no scope"), "{bad}");
        }
    }

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, fit) in [
            ("look", "look", true),
            ("look", "looks", false),
            ("deploy_*", "deploy_web", true),
            ("deploy_*", "undeploy_web", false),
            ("*_web", "deploy_web", true),
            ("*_web", "deploy_web2", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }

    #[test]
    fn the_scopes_of_known_roles_can_be_read() {
        for (name, scopes) in ROLES {
            assert_eq!(role(name).unwrap().len(), scopes.len(), "{name}");
        }
        assert!(unknown_role("amdin", ["deployer"].into_iter()).contains("did you mean `admin`?"));
    }
}
