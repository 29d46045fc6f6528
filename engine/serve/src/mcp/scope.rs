//! What a key opens: all that is there for whoever shows it, or what the personas show that it names.
//!
//! Keys are the user's word, and a project has a say in them only to take away: what its own persona shows is open
//! as far as the user's persona of that name shows it, too. Where only projects have one of that name, it is the one of
//! the folder that the server was started in, which its owner has chosen.

use std::sync::Arc;

use aa_run::engine::{Engine, StartError};
use aa_run::key::Guest;
use aa_run::persona::{Choice, View, ViewError};
use aa_spec::name::suggest;

/// What a key opens: what is there for whoever shows it, or of that what its personas show.
#[derive(Debug)]
pub(crate) struct Scope {
    personas: Option<Vec<Opened>>,
    engine: Engine,
}

/// What one persona opens.
#[derive(Debug)]
struct Opened {
    shown: Arc<View>,
    /// What more it shows is not open; none where no project has said what it shows.
    bound: Option<Arc<View>>,
}

impl Opened {
    /// What a persona opens where `engine` works; `own` is the server's. One that cannot be used opens what it opened
    /// before, or nothing, and one whose bound cannot be told opens nothing.
    fn of(engine: &Engine, own: &Engine, persona: &str) -> Option<Self> {
        let choice = Choice::Persona(persona.to_owned());
        let shown = engine.shown(&choice);
        if shown.persona.as_ref().is_none_or(|entry| !entry.is_of_project()) {
            return Some(Self { shown, bound: None });
        }
        let bound = match engine.owned_view(persona).ok()? {
            Some(view) => view,
            None => own.shown(&choice),
        };
        // In the folder that the server was started in, it is its own bound.
        let bound = Some(bound).filter(|bound| !Arc::ptr_eq(bound, &shown));
        Some(Self { shown, bound })
    }

    fn shows(&self, name: &str) -> bool {
        self.shown.shows(name) && self.bound.as_ref().is_none_or(|bound| bound.shows(name))
    }
}

impl Scope {
    /// What a guest's key opens where `engine` works, if `own` is the server's engine.
    pub(crate) fn of(engine: &Engine, own: &Engine, guest: &Guest) -> Self {
        let opened = |personas: &Vec<String>| {
            personas.iter().filter_map(|persona| Opened::of(engine, own, persona)).collect()
        };
        Self { personas: guest.personas.as_ref().map(opened), engine: engine.clone() }
    }

    /// Whether a tool or a skill of this name is part of it.
    pub(crate) fn shows(&self, name: &str) -> bool {
        let is_there = |opened: &Vec<Opened>| opened.iter().any(|persona| persona.shows(name));
        self.engine.shows_some(name) && self.personas.as_ref().is_none_or(is_there)
    }

    /// Whether a project has a persona that it names, so that not all that this shows is open.
    pub(crate) fn is_bounded(&self) -> bool {
        self.personas.as_ref().is_some_and(|all| all.iter().any(|persona| persona.bound.is_some()))
    }

    /// What was chosen, as far as it is part of it.
    ///
    /// # Errors
    /// Something of the choice is not there or cannot be used.
    pub(crate) fn view(&self, choice: &Choice) -> Result<Arc<View>, ViewError> {
        Ok(self.narrowed(self.engine.view(choice)?))
    }

    /// The same as clients are shown it, who lose nothing by a mistake in a file.
    pub(crate) fn shown(&self, choice: &Choice) -> Arc<View> {
        self.narrowed(self.engine.shown(choice))
    }

    fn narrowed(&self, whole: Arc<View>) -> Arc<View> {
        if !self.is_bounded() {
            return whole;
        }
        Arc::new(whole.only(|skill| self.shows(skill), |tool| self.shows(tool)))
    }

    /// The name of a tool that was most likely meant, of those that are part of it.
    pub(crate) fn near_tool(&self, name: &str) -> Result<Option<String>, StartError> {
        let known = self.engine.tool_names()?;
        let shown = known.iter().map(String::as_str).filter(|known| self.shows(known));
        Ok(suggest(name, shown).map(str::to_owned))
    }
}
