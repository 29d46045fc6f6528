//! Lists that are told page by page.

use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;

/// Entries of a page when nothing is said.
pub(crate) const USUAL: u32 = 50;
/// Entries of a page at most.
pub(crate) const MOST: u32 = 500;

/// A part of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Page<T> {
    /// The entries.
    pub(crate) items: Vec<T>,
    /// Give this as `after` to get what follows; null when nothing does.
    pub(crate) next: Option<String>,
}

/// A whole list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct List<T> {
    /// The entries.
    pub(crate) items: Vec<T>,
}

/// A part of a list that has an order by name, from after a name on.
pub(crate) fn by_name<T>(
    mut all: Vec<T>,
    name: impl Fn(&T) -> &str,
    (after, limit): (Option<&str>, Option<u32>),
) -> Result<Page<T>, Problem> {
    let most = size(limit)? as usize;
    all.sort_by(|a, b| name(a).cmp(name(b)));
    all.retain(|entry| after.is_none_or(|after| name(entry) > after));
    let more = all.len() > most;
    all.truncate(most);
    let next = all.last().filter(|_| more).map(|last| name(last).to_owned());
    Ok(Page { items: all, next })
}

/// So many entries, if that many may be asked for.
pub(crate) fn size(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(USUAL) {
        size @ 1..=MOST => Ok(size),
        _ => Err(Problem::of("bad-query", format!("`limit` must be from 1 to {MOST}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_names_follow_each_other_until_all_are_told() {
        let all = || vec!["d", "a", "c", "b", "e"];
        let page = |after| by_name(all(), |name| name, (after, Some(2))).unwrap();
        let first = page(None);
        assert_eq!((first.items, first.next.as_deref()), (vec!["a", "b"], Some("b")));
        let second = page(Some("b"));
        assert_eq!((second.items, second.next.as_deref()), (vec!["c", "d"], Some("d")));
        // Where one has been is no entry any more: what follows is still the same.
        let last = page(Some("dd"));
        assert_eq!((last.items, last.next), (vec!["e"], None));
        assert!(by_name(all(), |name| name, (None, Some(0))).is_err());
    }
}
