//! The variables that a process was started with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Deref;
use std::sync::Arc;

/// Variables by name. Many parts want to see them and none changes them, so clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    /// The value of a variable, if it is text. One folder of `PATH` that is none does not keep the others from being
    /// looked into.
    pub fn text_of(name: &str, value: OsString) -> Option<String> {
        let value = match value.into_string() {
            Ok(text) => return Some(text),
            Err(value) if name == "PATH" => value,
            Err(_) => return None,
        };
        let folders =
            std::env::split_paths(&value).filter_map(|folder| folder.into_os_string().into_string().ok());
        Some(folders.collect::<Vec<_>>().join(":"))
    }
}

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

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn what_is_no_text_is_left_out() {
        let text = |name, value: &[u8]| Variables::text_of(name, OsString::from_vec(value.to_vec()));
        assert_eq!(text("X", b"a b").as_deref(), Some("a b"));
        assert_eq!(text("X", b"\xff"), None);
        assert_eq!(text("PATH", b"/a:/\xff:/usr/bin").as_deref(), Some("/a:/usr/bin"));
    }
}
