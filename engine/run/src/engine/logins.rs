//! Logins that something counts on and that nobody has configured.

use aa_spec::check::Strictness;
use aa_spec::plan::{Action, Plan};

use super::{Engine, StartError};
use crate::toolbox::Toolbox;

/// A login that would be called, and could only say that it is not configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLogin {
    /// The tool, which is also the section of the configuration.
    pub tool: &'static str,
    /// Skills whose steps call it, or may need a heal rule that does.
    pub skills: Vec<String>,
    /// Heal rules that call it, other than shipped ones, which nobody has asked for.
    pub rules: Vec<String>,
}

impl Engine {
    /// Logins whose command is not configured, though skills or heal rules count on them. Checks
    /// every skill.
    ///
    /// # Errors
    /// A folder or file of modules or skills cannot be read.
    pub fn missing_logins(&self) -> Result<Vec<MissingLogin>, StartError> {
        let toolbox = self.parts.toolbox()?;
        let tools = self.idle_logins(&toolbox).into_iter();
        let mut missing: Vec<MissingLogin> =
            tools.map(|tool| MissingLogin { tool, skills: Vec::new(), rules: Vec::new() }).collect();
        if missing.is_empty() {
            return Ok(missing);
        }
        let rules = self.heal_rules()?.0;
        for rule in rules.iter().filter(|rule| rule.enabled && rule.layer != "shipped") {
            note(
                &mut missing,
                |login| calls(&rule.plan.action, login.tool),
                |login| &mut login.rules,
                &rule.plan.name,
            );
        }
        for skill in self.skills()? {
            let Some(plan) = self.check(&skill.name, Strictness::default())?.plan else { continue };
            note(&mut missing, |login| needs(&plan, login.tool), |login| &mut login.skills, &skill.name);
        }
        missing.retain(|login| !login.skills.is_empty() || !login.rules.is_empty());
        Ok(missing)
    }

    /// The logins that could only say that nobody has configured them.
    pub(super) fn idle_logins(&self, toolbox: &Toolbox) -> Vec<&'static str> {
        let logins = &self.settings().logins;
        let all = [("kube_login", &logins.kube_login), ("vpn_connect", &logins.vpn_connect)];
        // A module may have a tool of that name, which needs no such configuration.
        let is_ours = |tool: &str| toolbox.tool(tool).is_some_and(|tool| tool.spec().source == "built in");
        let idle = all.into_iter().filter(|(tool, command)| command.is_empty() && is_ours(tool));
        idle.map(|(tool, _)| tool).collect()
    }
}

/// Adds a name to a list of every login that it is about.
fn note(
    missing: &mut [MissingLogin],
    is_about: impl Fn(&MissingLogin) -> bool,
    list: impl Fn(&mut MissingLogin) -> &mut Vec<String>,
    name: &str,
) {
    for login in missing.iter_mut().filter(|login| is_about(login)) {
        list(login).push(name.to_owned());
    }
}

/// Whether a step of a skill, or of one that it runs, calls a tool or may need a rule that does.
fn needs(plan: &Plan, tool: &str) -> bool {
    let steps = plan.skills.values().chain([&plan.skill]).flat_map(|skill| &skill.steps);
    let own = steps.map(|step| &step.action);
    own.chain(plan.heal.iter().map(|rule| &rule.action)).any(|action| calls(action, tool))
}

fn calls(action: &Action, wanted: &str) -> bool {
    matches!(action, Action::Tool { tool, .. } if tool == wanted)
}
