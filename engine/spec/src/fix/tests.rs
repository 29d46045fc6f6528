use super::*;

fn problem(source: &Source, edits: &[(u32, u32, &str)]) -> Diagnostic {
    let edit =
        |(start, end, text): &(u32, u32, &str)| Edit::replace(Span { start: *start, end: *end }, *text);
    Diagnostic::error("odd", source, Span::default(), "odd").fix(edits.iter().map(edit).collect())
}

#[test]
fn edits_are_made_from_the_back_and_whole_fixes_left_that_collide() {
    let source = Source::new("x.yaml", "one two three");
    let problems = [
        problem(&source, &[(0, 3, "1"), (8, 13, "3")]),
        problem(&source, &[(4, 7, "2"), (9, 10, "never")]),
        problem(&source, &[(4, 4, "and ")]),
        problem(&source, &[(4, 4, "or ")]),
        problem(&source, &[(4, 4, "or ")]),
    ];
    let (text, fixed) = apply(&source, &problems);
    assert_eq!(text, "1 and or two 3");
    assert_eq!(fixed.len(), 3);
}

#[test]
fn a_problem_of_another_text_is_not_fixed_in_this_one() {
    let source = Source::new("x.yaml", "one");
    let problems = [problem(&Source::new("y.yaml", "one"), &[(0, 3, "1")])];
    assert_eq!(apply(&source, &problems), ("one".to_owned(), Vec::new()));
}

#[test]
fn only_a_whole_word_that_is_there_once_is_replaced() {
    let source = Source::new("x.yaml", "inputs.nmae.nmae_of or a-nmae");
    let all = Span { start: 0, end: 29 };
    assert_eq!(word(&source, all, "nmae", "name"), Some(Edit::replace(Span { start: 7, end: 11 }, "name")));
    assert_eq!(word(&Source::new("x", "a a"), Span { start: 0, end: 3 }, "a", "b"), None);
    assert_eq!(word(&source, all, "none", "name"), None);
}
