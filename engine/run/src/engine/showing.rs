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

    /// Whether what clients are shown is something else by now; to be asked when files have changed.
    pub fn shows_other(&self) -> bool {
        let engine = self.current();
        let known: Vec<(Choice, Arc<View>)> = {
            let held = engine.parts.showing.held();
            held.iter().map(|(choice, shown)| (choice.clone(), Arc::clone(&shown.view))).collect()
        };
        // What nobody has looked at yet may be anything.
        known.is_empty()
            || known.iter().any(|(choice, before)| !Arc::ptr_eq(before, &engine.whole_shown(choice)))
    }

    fn whole_shown(&self, choice: &Choice) -> Arc<View> {
        self.parts.showing.now(choice, self.whole_view(choice, Word::Nearest))
    }
}
