//! What clients are told of skills and tools: worked out once, and again when files change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aa_spec::check::Strictness;
use aa_spec::name::{fold, suggest};
use aa_spec::plan::Plan;
use aa_spec::tool::ToolSpec;

use super::kept::Kept;
use super::parts::Parts;
use super::personas::Word;
use super::stamps::Stamps;
use super::{Engine, StartError, catalog, modules, personas};
use crate::card::{BrokenSkill, Card};
use crate::home::{Entry, Kind, SHIPPED};
use crate::persona::{Choice, View, ViewError};
use crate::store::{RunFilter, RunStatus};
use crate::toolbox::Toolbox;

/// For so long nobody looks again whether files have changed: a client that asks a thousand times
/// a second is told what was so a moment ago. What is run is checked anew in any case.
const MOMENT: Duration = Duration::from_millis(100);

/// Earlier runs that are looked at.
const RUNS: u32 = 20;

/// Skills and tools as they were at one moment. Nothing is read or checked before it is asked for.
pub struct Catalogue {
    parts: std::sync::Weak<Parts>,
    stamps: Fingerprint,
    looked: Mutex<Instant>,
    toolbox: Toolbox,
    skills: BTreeMap<String, Shelved>,
    tools: OnceLock<Vec<Arc<ToolSpec>>>,
    views: Mutex<HashMap<(Choice, Word), Arc<View>>>,
    /// Held while a view is made: two who want the same have one made.
    making: Mutex<()>,
    kept: Kept,
}

/// What tells that nothing has changed.
#[derive(Debug, PartialEq)]
struct Fingerprint {
    modules: Stamps,
    files: Stamps,
    servers: Vec<Option<i64>>,
}

/// A skill, and what came of checking it.
struct Shelved {
    entry: Entry,
    checked: OnceLock<Result<Described, Arc<BrokenSkill>>>,
}

/// What is told of a skill, and what would run.
#[derive(Clone, Debug)]
pub struct Described {
    /// What is told of it.
    pub card: Arc<Card>,
    /// What would run.
    pub plan: Arc<Plan>,
}

impl Engine {
    /// What there is, as of now or a moment ago.
    ///
    /// # Errors
    /// A folder of skills, modules or personas, or a module, cannot be read.
    pub fn catalogue(&self) -> Result<Arc<Catalogue>, StartError> {
        let mut held = self.parts.catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held.as_ref().filter(|known| known.is_fresh()) {
            return Ok(Arc::clone(known));
        }
        let home = &self.parts.home;
        // Looked at first: what changes meanwhile is seen by the next look.
        let (_, of_modules) = modules::files(home)?;
        let is_same = held.as_ref().is_some_and(|known| known.stamps.modules == of_modules);
        let toolbox = if is_same { self.parts.toolbox()? } else { self.parts.toolbox_now()? };
        let skills = home.list(Kind::Skill)?;
        let mut files = Stamps::of(&skills);
        // One that a project's file stands for still bounds what keys open.
        for entry in home.all(Kind::Persona)? {
            for path in personas::files(home, &entry) {
                files.add(&path);
            }
        }
        let stamps = Fingerprint { modules: of_modules, files, servers: toolbox.foreign_revisions() };
        if let Some(known) = held.as_ref().filter(|known| known.stamps == stamps) {
            known.looked_again();
            return Ok(Arc::clone(known));
        }
        let shelved = |entry: Entry| (entry.name.clone(), Shelved { entry, checked: OnceLock::new() });
        let made = Arc::new(Catalogue {
            parts: Arc::downgrade(&self.parts),
            kept: Kept::new(&self.parts.settings, &stamps),
            stamps,
            looked: Mutex::new(Instant::now()),
            toolbox,
            skills: skills.into_iter().map(shelved).collect(),
            tools: OnceLock::new(),
            views: Mutex::default(),
            making: Mutex::default(),
        });
        *held = Some(Arc::clone(&made));
        Ok(made)
    }

    /// What a client sees who may use everything.
    pub(super) fn whole_view(&self, choice: &Choice, word: Word) -> Result<Arc<View>, ViewError> {
        let catalogue = self.catalogue().map_err(|error| ViewError::Unusable(error.to_string()))?;
        let key = (choice.clone(), word);
        let known = || catalogue.views.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(view) = known() {
            return Ok(view);
        }
        let _making = catalogue.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = known() {
            return Ok(view);
        }
        let made = || personas::view(&self.parts, &catalogue, (choice, word));
        let view = Arc::new(catalogue.kept.view(&key, made)?);
        catalogue.views.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Arc::clone(&view));
        Ok(view)
    }

    /// How long a skill usually takes, in milliseconds: the median of the caller's last runs of it
    /// that went well.
    pub fn usual_duration(&self, skill: &str) -> Option<u64> {
        let filter = RunFilter {
            skill: Some(skill.to_owned()),
            status: vec![RunStatus::Completed],
            limit: Some(RUNS),
            ..RunFilter::default()
        };
        let runs = self.runs(&filter).ok()?;
        let took = |run: &crate::store::RunSummary| {
            u64::try_from((run.ended_at? - run.started_at).num_milliseconds()).ok()
        };
        let mut took: Vec<u64> = runs.iter().filter_map(took).collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied()
    }
}

impl Catalogue {
    /// The names of all skills, those with errors included.
    pub fn skill_names(&self) -> impl Iterator<Item = &str> {
        self.skills.keys().map(String::as_str)
    }

    /// The names of all that are not part of the binary.
    pub(super) fn own_skill_names(&self) -> impl Iterator<Item = &str> {
        let own = self.skills.iter().filter(|(_, skill)| skill.entry.layer != SHIPPED);
        own.map(|(name, _)| name.as_str())
    }

    /// A skill by name (`-` and `_` are the same letter); `None` when there is none of that name.
    pub fn skill(&self, name: &str) -> Option<Result<Arc<Card>, Arc<BrokenSkill>>> {
        Some(self.described(name)?.map(|described| described.card))
    }

    /// A skill by name, with its plan; `None` when there is none of that name.
    pub fn described(&self, name: &str) -> Option<Result<Described, Arc<BrokenSkill>>> {
        let shelved = self.skills.get(&fold(name))?;
        Some(shelved.checked.get_or_init(|| self.check(&shelved.entry)).clone())
    }

    /// The name of a skill that was most likely meant.
    pub fn near_skill(&self, name: &str) -> Option<&str> {
        suggest(name, self.skill_names())
    }

    /// Every tool, by name. Parses all modules.
    pub fn tools(&self) -> &[Arc<ToolSpec>] {
        self.tools.get_or_init(|| self.toolbox.specs())
    }

    /// The tools that these were taken from.
    pub(super) fn toolbox(&self) -> &Toolbox {
        &self.toolbox
    }

    fn is_fresh(&self) -> bool {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < MOMENT
    }

    fn looked_again(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn check(&self, entry: &Entry) -> Result<Described, Arc<BrokenSkill>> {
        let broken = |problem: String| {
            let (name, path) = (entry.name.clone(), entry.shown.clone());
            Arc::new(BrokenSkill { name, path, problems: vec![problem] })
        };
        let parts = self.parts.upgrade().ok_or_else(|| broken("the engine has stopped".to_owned()))?;
        let strictness = Strictness { lenient: false, strict: false };
        let checked = catalog::check_entry(&parts, entry, strictness, &self.toolbox);
        let checked = checked.map_err(|error| broken(error.to_string()))?;
        let told = catalog::skill_entry(&parts, entry.clone());
        match checked.plan {
            Some(plan) => {
                let tool = |name: &str| self.toolbox.tool(name).map(|tool| tool.spec().clone());
                Ok(Described { card: Arc::new(Card::new(told, &plan, &tool)), plan })
            }
            None => Err(Arc::new(BrokenSkill::new(told, &checked.diagnostics))),
        }
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("skills", &self.skills.len()).finish_non_exhaustive()
    }
}
