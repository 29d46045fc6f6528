//! Templates inside the quoted texts of an expression, where they are only text.

use std::ops::Range;

use super::bare;

/// What is wrong with a template in the quotes of an expression.
pub(crate) const IN_QUOTES: &str = "a template in a quoted text is not filled: an expression is one already";

/// Where a quoted text of an expression has a `{{ … }}` in it, which nothing would fill.
/// The `{{` of a Python f-string is a brace.
pub(crate) fn literal_template(source: &str) -> Option<Range<usize>> {
    let inner = bare(source);
    let start = inner.as_ptr().addr() - source.as_ptr().addr();
    let mut quote: Option<(char, bool)> = None;
    let mut letters = inner.char_indices();
    let mut before = ' ';
    while let Some((at, letter)) = letters.next() {
        match quote {
            None if matches!(letter, '\'' | '"') => quote = Some((letter, matches!(before, 'f' | 'F'))),
            Some(_) if letter == '\\' => drop(letters.next()),
            Some((mark, _)) if letter == mark => quote = None,
            Some((_, false)) if inner[at..].starts_with("{{") => {
                if let Some(length) = inner[at..].find("}}") {
                    return Some(start + at..start + at + length + 2);
                }
            }
            _ => {}
        }
        before = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::literal_template;

    #[test]
    fn templates_are_found_in_quotes_only() {
        let found = |text: &'static str| literal_template(text).map(|at| &text[at]);
        assert_eq!(found("'{{ a }}-eu' == b"), Some("{{ a }}"));
        assert_eq!(found("{{ 'it\\'s {{ é }}' == b }}"), Some("{{ é }}"));
        assert_eq!(found("a == \"x\" or b in \"{{c}}\""), Some("{{c}}"));
        for plain in ["{{ a == 'b' }}", "'{{' in a", "f'{{{a}}}' == b", "a", "'x' ~ {'a': {'b': 1}}"] {
            assert_eq!(found(plain), None, "{plain}");
        }
    }
}
