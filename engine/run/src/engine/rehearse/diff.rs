//! Two sequences side by side.

use super::DiffLine;

/// Lines that are compared one by one; beyond that, only what both have in front and behind.
const MOST: usize = 2_000;

/// What is only in the first, only in the second, and in both.
pub(in crate::engine) fn diff<A, B>(
    wanted: &[A],
    found: &[B],
    same: impl Fn(&A, &B) -> bool,
    (show_wanted, show_found): (impl Fn(&A) -> String, impl Fn(&B) -> String),
) -> Vec<DiffLine> {
    let pairs = if wanted.len().saturating_mul(found.len()) > MOST * MOST {
        Vec::new()
    } else {
        longest_common(wanted, found, &same)
    };
    let (mut a, mut b) = (0, 0);
    let mut lines = Vec::new();
    for (next_a, next_b) in pairs.into_iter().chain([(wanted.len(), found.len())]) {
        lines.extend(wanted[a..next_a].iter().map(|item| DiffLine::Wanted(show_wanted(item))));
        lines.extend(found[b..next_b].iter().map(|item| DiffLine::Found(show_found(item))));
        if let Some(item) = found.get(next_b).filter(|_| next_a < wanted.len()) {
            lines.push(DiffLine::Both(show_found(item)));
        }
        (a, b) = (next_a + 1, next_b + 1);
    }
    lines
}

/// The positions of the longest sequence that both have.
fn longest_common<A, B>(a: &[A], b: &[B], same: &impl Fn(&A, &B) -> bool) -> Vec<(usize, usize)> {
    let mut lengths = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] = if same(&a[i], &b[j]) {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < a.len() && j < b.len() {
        if same(&a[i], &b[j]) && lengths[i][j] == lengths[i + 1][j + 1] + 1 {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(a: &str, b: &str) -> String {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        let lines = diff(&a, &b, |a, b| a == b, (char::to_string, char::to_string));
        let line = |line: DiffLine| match line {
            DiffLine::Wanted(text) => format!("-{text}"),
            DiffLine::Found(text) => format!("+{text}"),
            DiffLine::Both(text) => text,
        };
        lines.into_iter().map(line).collect()
    }

    #[test]
    fn what_both_have_stays_together() {
        assert_eq!(shown("abc", "abc"), "abc");
        assert_eq!(shown("abcd", "acxd"), "a-bc+xd");
        assert_eq!(shown("", "ab"), "+a+b");
        assert_eq!(shown("ab", ""), "-a-b");
        assert_eq!(shown("ab", "cd"), "-a-b+c+d");
    }
}
