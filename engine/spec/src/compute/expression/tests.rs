//! Tests of expressions in Python.

use super::{Refusal, rewrite};

fn told(source: &str) -> String {
    match rewrite(source) {
        Ok(found) => {
            let whole = found.code.strip_suffix("\n)\n").unwrap();
            let expression = whole.rsplit_once("\n(").map_or(&whole[1..], |(_, expression)| expression);
            let paths = found.references.iter().map(|reference| {
                let path: Vec<String> = reference.path.iter().map(ToString::to_string).collect();
                let guard = if reference.guarded { "?" } else { "" };
                assert!(!source[reference.span.clone()].is_empty());
                format!("{}{guard}", path.join("."))
            });
            format!("{source}: {expression} [{}]", paths.collect::<Vec<_>>().join(" "))
        }
        Err(Refusal::Meaning(error)) => {
            format!("{source}: {}: {} [{}]", error.offset, error.message, error.hint)
        }
        Err(Refusal::Grammar(error)) => format!("{source}: {}: no Python: {error}", error.offset),
    }
}

fn all(sources: &[&str]) -> String {
    sources.iter().map(|source| told(source)).collect::<Vec<_>>().join("\n")
}

#[test]
fn names_are_found_and_attributes_rewritten() {
    insta::assert_snapshot!(all(&[
        "xs and any(e.get('k') == v for e in xs)",
        "[f.file.name for f in stage['files'] if f.size > inputs.size]",
        "{**defaults.map, 'k': a.b.c}",
        "sorted(xs, key=lambda x, by=order.by: x[by])",
        "f\"{a.b:>{c.width}} {'x'!r}\"",
        "[y for x in xs for y in x.ys if y]",
        "(m := inputs.n) and [m for _ in range(m)]",
        "'late' in dir() and [x for x in late]",
        "'late' not in dir() or [x for x in late]",
        "any(x is none or x.ok == true for x in xs)",
        "{str(k): v for k, v in map_of.items()}",
        "[now().year for _ in today]",
        "any(e in\nxs for e in\n ys)",
        "(a or b).c if x else [q for q in a.get('k', d.e)[0].z]",
        "[(lambda *a, **k: a)(x)[-1] for x in xs]",
        "list(map(str, xs[1:n])) + [*ys] + [1 for _ in zs]",
        "{x.y for x in xs}",
        "['%d%%' % x.n for x in xs] + [x % 2 for x in xs]",
        "[x | {'a': 1} | x.b for x in xs]",
    ]));
}

#[test]
fn what_means_nothing_here_is_refused() {
    insta::assert_snapshot!(all(&[
        "any(e | length for e in xs)",
        "any(e.k | default('x') for e in xs)",
        "[x for x in xs if x is defined]",
        "[lenn(x) for x in xs]",
        "[x.lowr() for x in xs]",
        "[x.__class__ for x in xs]",
        "[open(x) for x in xs]",
        "map(lambda x: x, sorted(xs, key=str.lower))",
        "[dir() for x in xs]",
        "f'{x=}'",
        "{{ a }} == {{ b }}",
        "[await x for x in xs]",
        "any(x for x in",
        "a b",
    ]));
}

#[test]
fn only_what_is_used_is_brought_along() {
    let code = |source: &str| rewrite(source).unwrap().code;
    assert_eq!(code("[x for x in xs]"), "([x for x in xs]\n)\n");
    assert!(code("[x.y for x in xs]").starts_with("def _attr_or_none("));
    assert!(code("[now() for x in xs]").contains("def now():"));
}
