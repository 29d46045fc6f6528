//! What one view looks like to a client: its tools by name, made once for as long as the view is
//! the same.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aa_run::card::Card;
use aa_run::persona::View;
use aa_spec::tool::ToolSpec;
use rmcp::model::Tool;

use super::core::{self, CORE, CoreTool};
use super::{module, names, skill};

/// More tools than this crowd out what a model has to think about.
pub(crate) const MANY: usize = 40;

/// The tools of a view.
pub(crate) struct Listing {
    /// In the order in which they are listed: core, skills, tools of modules, each by name.
    pub(crate) tools: Vec<Tool>,
    /// Skills and tools that the budget leaves out of the list.
    pub(crate) left_out: Vec<String>,
    /// Tools that are hidden by a skill of their name.
    pub(crate) shadowed: Vec<String>,
    by_name: HashMap<String, Target>,
}

/// What stands behind the name of a tool.
#[derive(Clone)]
pub(crate) enum Target {
    /// A tool of the server itself.
    Core(&'static dyn CoreTool),
    /// A skill.
    Skill(Arc<Card>),
    /// A tool of a module.
    Module(Arc<ToolSpec>),
}

impl Listing {
    /// The listing of a view; made by the first who asks.
    pub(crate) fn of(view: &View, budget: usize) -> Arc<Self> {
        view.made(|view| Self::new(view, budget))
    }

    /// The budget is for personas: whoever has named tools or a module, or said that it is to be everything, gets that.
    fn new(view: &View, budget: usize) -> Self {
        let budget = if view.persona.is_some() { budget } else { usize::MAX };
        let mut listing =
            Self { tools: Vec::new(), left_out: Vec::new(), shadowed: Vec::new(), by_name: HashMap::new() };
        let mut own: Vec<_> = CORE.iter().map(|tool| (tool.definition(), *tool)).collect();
        own.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        for (definition, tool) in own {
            listing.add(usize::MAX, definition.name.to_string(), Target::Core(tool), || definition);
        }
        // What somebody has named comes first where there is not room for all.
        let for_skills = if view.any_skill { budget.saturating_sub(view.tools.len()) } else { budget };
        for card in &view.skills {
            let target = Target::Skill(Arc::clone(card));
            listing.add(for_skills, skill::name(card), target, || skill::definition(card));
        }
        for spec in &view.tools {
            listing.add(budget, names::shown(&spec.name), Target::Module(Arc::clone(spec)), || {
                module::definition(spec)
            });
        }
        listing.say_what_is_missing(&view.trouble);
        if let Some(doubt) = listing.too_many(view) {
            tracing::warn!("{doubt}");
        }
        listing
    }

    /// That there are more tools than a model has use for.
    pub(crate) fn too_many(&self, view: &View) -> Option<String> {
        let (count, out) = (self.count(), self.left_out.len());
        match &view.persona {
            _ if count <= MANY => None,
            Some(persona) => Some(format!(
                "{}: {count} tools, of which {out} are not in the list; more than {MANY} crowd out other thoughts",
                persona.name
            )),
            None => Some(format!(
                "all {count} tools are in the list; clients may cut it where they have had enough, and more than {MANY} crowd out other thoughts"
            )),
        }
    }

    fn add(&mut self, budget: usize, name: String, target: Target, define: impl FnOnce() -> Tool) {
        // A call by the name of a tool of the server itself is one of that.
        let is_taken = !matches!(target, Target::Core(_)) && core::find(&name).is_some();
        let name = if is_taken { names::marked(&name) } else { name };
        if self.by_name.contains_key(&name) {
            self.shadowed.push(name);
            return;
        }
        if self.tools.len() < budget {
            let mut tool = define();
            tool.name = name.clone().into();
            self.tools.push(tool);
        } else {
            self.left_out.push(name.clone());
        }
        self.by_name.insert(name, target);
    }

    /// A model that does not find a tool has to know that there are more.
    fn say_what_is_missing(&mut self, trouble: &str) {
        let (out, hidden) = (self.left_out.len(), self.shadowed.len());
        let mut words = String::new();
        if !trouble.is_empty() {
            let _ = write!(words, " What was chosen to be listed here cannot be used: {trouble}.");
        }
        if out > 0 {
            let _ = write!(
                words,
                " {out} more skills and tools of this persona are not in the list: find them with tool_search or skill_search, and call them with tool_call or skill_run."
            );
        }
        if hidden > 0 {
            let _ = write!(
                words,
                " Hidden by a skill of the same name, and called with tool_call: {}.",
                self.shadowed.join(", ")
            );
        }
        let Some(tool) =
            self.tools.iter_mut().find(|tool| tool.name == "tool_call").filter(|_| !words.is_empty())
        else {
            return;
        };
        let description = tool.description.take().unwrap_or_default();
        tool.description = Some(format!("{description}{words}").into());
    }

    /// What stands behind a name, `-` and `_` being the same letter.
    pub(crate) fn target(&self, name: &str) -> Option<&Target> {
        self.by_name.get(name).or_else(|| self.by_name.get(&names::shown(name)))
    }

    /// Every name, those left out included.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// How many skills and tools there are in all.
    pub(crate) fn count(&self) -> usize {
        self.by_name.len()
    }
}
