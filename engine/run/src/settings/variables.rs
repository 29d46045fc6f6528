//! The variables that a process was started with.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// Variables by name. Many parts want to see them and none changes them, so clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variables(Arc<BTreeMap<String, String>>);

impl Deref for Variables {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Variables {
    type Item = (&'a String, &'a String);
    type IntoIter = std::collections::btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Into<BTreeMap<String, String>>> From<T> for Variables {
    fn from(variables: T) -> Self {
        Self(Arc::new(variables.into()))
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }
}
