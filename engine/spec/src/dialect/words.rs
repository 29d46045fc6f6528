//! Names that the templates, expressions and code of a skill read.

use std::collections::BTreeSet;

use super::tree;
use crate::yaml::{Kind, Node};

/// Every word that may be such a name.
pub(super) struct Words(BTreeSet<String>);

impl Words {
    /// Empty when no step asks for them.
    pub(super) fn of(root: &Node) -> Self {
        let mut words = Self(BTreeSet::new());
        let steps = root.get("steps").map(Node::items).unwrap_or_default();
        if steps.iter().any(|step| step.get("outputs").is_some()) {
            for (key, value) in root.entries() {
                if matches!(&*key.value, "steps" | "outputs") {
                    words.read(&key.value, value);
                }
            }
        }
        words
    }

    /// Whether a name is read somewhere.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn read(&mut self, key: &str, node: &Node) {
        match &node.kind {
            Kind::Map(entries) => entries.iter().for_each(|(key, value)| self.read(&key.value, value)),
            Kind::List(items) => items.iter().for_each(|item| self.read(key, item)),
            Kind::Scalar(_) if matches!(key, "condition" | "when" | "compute") => {
                tree::each_text(node, &mut |text| self.code(text));
            }
            Kind::Scalar(_) => tree::each_text(node, &mut |text| self.template(text)),
        }
    }

    fn template(&mut self, text: &str) {
        for (open, close) in [("{{", "}}"), ("{%", "%}")] {
            for part in text.split(open).skip(1) {
                self.code(part.split(close).next().unwrap_or_default());
            }
        }
    }

    /// The words that are not quoted, fields or in a comment. What is asked for, as in
    /// `'x' in dir()`, and what an f-string shows is read as well.
    fn code(&mut self, text: &str) {
        let asks = text.contains("dir()");
        let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
        let (mut rest, mut before) = (text, ' ');
        while let Some(letter) = rest.chars().next() {
            let length = match letter {
                '\'' | '"' => {
                    let inner = rest[1..].split(letter).next().unwrap_or_default();
                    if asks {
                        self.0.insert(inner.to_owned());
                    }
                    if matches!(before, 'f' | 'F') {
                        inner
                            .split('{')
                            .skip(1)
                            .for_each(|hole| self.code(hole.split('}').next().unwrap_or_default()));
                    }
                    (inner.len() + 2).min(rest.len())
                }
                '#' => rest.find('\n').unwrap_or(rest.len()),
                _ if is_word(letter) => {
                    let word = rest.split(|letter| !is_word(letter)).next().unwrap_or_default();
                    if before != '.' {
                        // `a-b` is a name with a dash, or a difference.
                        self.0.extend([word].into_iter().chain(word.split('-')).map(str::to_owned));
                    }
                    word.len()
                }
                _ => letter.len_utf8(),
            };
            let (done, left) = rest.split_at(length);
            before = done.chars().last().filter(|last| !last.is_whitespace()).unwrap_or(' ');
            rest = left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_read_counts() {
        let mut words = Words(BTreeSet::new());
        words.code("a.b == 'c' and f\"{d} e\" or my-name # g");
        words.template("h {{ i }} j {% if k %} {{ open");
        words.code("'l' in dir()");
        for read in ["a", "d", "my-name", "i", "k", "l", "open"] {
            assert!(words.has(read), "{read}");
        }
        for other in ["b", "c", "e", "g", "h", "j"] {
            assert!(!words.has(other), "{other}");
        }
    }
}
