//! Two texts as `diff -u` shows them, for changes in one place.

/// Lines around a change that are shown.
const AROUND: usize = 3;

/// The change from one text to another, in one hunk; empty when there is none.
pub fn unified(path: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    if same == old.len() && same == new.len() {
        return String::new();
    }
    let first = same.saturating_sub(AROUND);
    let after_old = (old.len() - tail + AROUND).min(old.len());
    let after_new = (new.len() - tail + AROUND).min(new.len());
    let mut diff = format!(
        "--- {path}\n+++ {path}\n@@ -{},{} +{},{} @@\n",
        first + 1,
        after_old - first,
        first + 1,
        after_new - first
    );
    let mut add = |mark: char, lines: &[&str]| {
        for line in lines {
            diff.push(mark);
            diff.push_str(line);
            diff.push('\n');
        }
    };
    add(' ', &old[first..same]);
    add('-', &old[same..old.len() - tail]);
    add('+', &new[same..new.len() - tail]);
    add(' ', &old[old.len() - tail..after_old]);
    diff
}
