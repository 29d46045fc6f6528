//! What clients are shown: what they have chosen, and while a mistake keeps that from being made, what they were
//! shown before. Nobody loses their tools in the middle of a conversation because somebody edits a file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Engine;
use super::personas::Word;
use crate::persona::{Choice, View, ViewError};

/// What was shown last, by what was chosen.
#[derive(Debug, Default)]
pub(super) struct Showing(Mutex<HashMap<Choice, Shown>>);

/// What clients were shown at one moment.
#[derive(Clone, Debug, Default)]
pub struct Glance(HashMap<Choice, Arc<View>>);

/// What was shown of one choice.
#[derive(Debug)]
struct Shown {
    view: Arc<View>,
    /// Why it is not made anew; empty when it was.
    why: String,
}

impl Showing {
    fn held(&self) -> MutexGuard<'_, HashMap<Choice, Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is shown of a choice, now that it was made or could not be.
    fn now(&self, choice: &Choice, made: Result<Arc<View>, ViewError>) -> Arc<View> {
        let mut held = self.held();
        let error = match made {
            Ok(view) => {
                let shown = Shown { view: Arc::clone(&view), why: String::new() };
                held.insert(choice.clone(), shown);
                return view;
            }
            Err(error) => error,
        };
        let why = error.to_string();
        // Whoever has taken a persona away has not made a mistake in it.
        let is_gone = matches!(error, ViewError::UnknownPersona { .. });
        match held.get_mut(choice).filter(|shown| !is_gone || !shown.view.trouble.is_empty()) {
            Some(shown) if shown.why == why => Arc::clone(&shown.view),
            Some(shown) if shown.view.trouble.is_empty() => {
                tracing::warn!("clients go on seeing what they saw: {why}");
                shown.why = why;
                Arc::clone(&shown.view)
            }
            _ => {
                tracing::warn!("clients see the core tools only: {why}");
                let view = Arc::new(View { trouble: why.clone(), ..View::default() });
                held.insert(choice.clone(), Shown { view: Arc::clone(&view), why });
                view
            }
        }
    }
}

impl Engine {
    /// What a client is shown that has made this choice: what it comes to; or, while there is a mistake in it, what it
    /// came to before, and if it never did, nothing but the reason.
    pub fn shown(&self, choice: &Choice) -> Arc<View> {
        self.as_granted(self.whole_shown(choice))
    }

    /// What clients are shown as of now, by what they have chosen.
    pub fn glance(&self) -> Glance {
        let engine = self.current();
        let held = engine.parts.showing.held();
        Glance(held.iter().map(|(choice, shown)| (choice.clone(), Arc::clone(&shown.view))).collect())
    }

    /// Whether clients are shown something else than before, now that files have changed. What nobody has looked at yet
    /// may be anything.
    pub fn shows_other_than(&self, before: &Glance) -> bool {
        let engine = self.current();
        let now = engine.glance();
        let is_other = |choice: &Choice| {
            before.0.get(choice).is_none_or(|view| !Arc::ptr_eq(view, &engine.whole_shown(choice)))
        };
        before.0.is_empty() || before.0.keys().chain(now.0.keys()).any(is_other)
    }

    fn whole_shown(&self, choice: &Choice) -> Arc<View> {
        self.parts.showing.now(choice, self.whole_view(choice, Word::Nearest))
    }
}
