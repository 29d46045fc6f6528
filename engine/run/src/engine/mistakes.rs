//! Mistakes that repeat, as people see them.

use chrono::Utc;

use crate::caller::MAIN;
use crate::mistake::{Mistake, words};
use crate::store::StoreError;

use super::{Engine, StartError};

impl Engine {
    /// Every mistake that is remembered, last seen first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn mistakes(&self) -> Result<Vec<Mistake>, StoreError> {
        self.parts.store()?.mistakes()
    }

    /// The mistakes that calls are warned of, in words: those last seen, at most so many, and of those tools only that
    /// are `open` to whoever asks, as one tells of arguments. As with warnings, only the main tenant is told.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn warned_of(&self, most: usize, open: impl Fn(&str) -> bool) -> Result<Vec<String>, StoreError> {
        if self.caller.tenant != MAIN {
            return Ok(Vec::new());
        }
        let (now, all) = (Utc::now(), self.mistakes()?);
        let is_told =
            |mistake: &&Mistake| mistake.warns(now) && self.shows_tool(&mistake.tool) && open(&mistake.tool);
        let warned = all.iter().filter(is_told);
        Ok(warned.take(most).map(|mistake| words(mistake, now)).collect())
    }

    /// Forgets a mistake, by its name or the beginning of it.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub async fn forget_mistake(&self, id: &str) -> Result<Mistake, StartError> {
        let store = self.parts.store()?;
        let mut meant: Vec<_> = store
            .mistakes()?
            .into_iter()
            .filter(|mistake| !id.is_empty() && mistake.id.starts_with(id))
            .collect();
        match (meant.pop(), meant.len()) {
            (Some(mistake), 0) => {
                store.forget_mistake(mistake.id.clone()).await?;
                Ok(mistake)
            }
            (Some(_), _) => Err(StartError::Refused(format!("`{id}` is the beginning of several mistakes"))),
            (None, _) => Err(StartError::NotThere { what: "mistake", name: id.to_owned() }),
        }
    }
}
