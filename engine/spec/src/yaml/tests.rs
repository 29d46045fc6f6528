use std::fmt::Write as _;

use super::*;

fn tree(text: &str) -> Node {
    parse(&Source::new("x.yaml", text)).unwrap_or_else(|problem| panic!("{}", problem.message))
}

#[test]
fn every_node_knows_its_place() {
    let text = "name: x\nsteps:\n  - a: 'one'\n    b: |\n      two\n    c: [1, {d: 2}]\nlast:\n";
    let source = Source::new("x.yaml", text);
    let root = tree(text);
    let shown = |path: &[&str]| source.slice(root.at(path.iter().copied()).span).to_owned();
    assert_eq!(shown(&["name"]), "x");
    assert_eq!(shown(&["steps", "0", "a"]), "'one'");
    assert_eq!(shown(&["steps", "0", "b"]), "two");
    assert_eq!(shown(&["steps", "0", "c", "1", "d"]), "2");
    assert_eq!(shown(&["steps", "0", "c"]), "[1, {d: 2}]");
    assert_eq!(shown(&["last"]), "last", "an empty value is shown by its key");
}

/// The problem with a text: code, marked text, message and hint.
fn problem(text: &str) -> String {
    let source = Source::new("x.yaml", text);
    match parse(&source) {
        Ok(node) => panic!("{text:?} reads as {}", node.to_json()),
        Err(problem) => {
            format!(
                "{} «{}» {} [{}]",
                problem.code,
                source.slice(problem.span),
                problem.message,
                problem.hint
            )
        }
    }
}

#[test]
fn broken_yaml_is_explained_in_our_words() {
    let texts = [
        "a: 1\nb: 2\na: 3\n",
        "a: 1\n---\nb: 2\n",
        "a: [1, 2\n",
        "a: [1, 2]]\n",
        "a: 'x\n",
        "a: \"\\q\"\n",
        "a: b: c\n",
        "steps:\n- a: 1\n b: 2\n",
        "a: @x\n",
        "a: `x`\n",
        "é: %x\n",
        "a: -\n",
        "? [1, 2]\n: 3\n",
        "~: 3\n",
        "a: *nowhere\n",
        "a: &x [*x]\n",
        "a: !!python/object x\n",
        "a: !timestamp 2026-01-01\n",
        "a: !!int x\n",
        "a: !!bool 3\n",
        "a: !!binary =\n",
        "a: !!seq {}\n",
        "a: .inf\n",
        "a: 1e999\n",
        "a: {{ inputs.x }}\n",
        "a:\n  - {{ inputs.x }} and more\n",
        "a: {{ x }}/{{ y }}\n",
        "a: [{{ x }}, 2]\n",
        "<<: 3\n",
        "a: \u{1}\n",
    ];
    let problems: Vec<String> = texts.iter().map(|text| problem(text)).collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    duplicate-key «a» `a` is written twice in the same mapping [keep one of them]
    yaml-documents «b» a second document starts here; a file holds one [move it to a file of its own]
    yaml-syntax «[» the bracket is never closed []
    yaml-syntax «]» this bracket closes nothing []
    yaml-syntax «» the quoted text is not indented, or its quote is never closed []
    yaml-syntax «"» this escape is not known in double quotes [use single quotes, or write `\\` for a backslash]
    yaml-syntax «:» a `:` is not expected here [put the text before it in quotes, or check the indentation]
    yaml-syntax «b» a key is expected here [check the indentation of this line]
    yaml-syntax «@» a value cannot start with `@` [put it in quotes]
    yaml-syntax «`» a value cannot start with a back-tick [put it in quotes]
    yaml-syntax «%» a value cannot start with `%` [put it in quotes]
    yaml-syntax «-» a `-` is not expected here [put the list on lines of its own]
    yaml-key «[» a key must be text [put it in quotes]
    yaml-key «~» a key must be text [put it in quotes]
    yaml-alias «*» the alias names an anchor that is not defined above []
    yaml-alias «*x» the alias refers to itself []
    yaml-tag «x» the tag `!!python/object` means nothing here [remove it; values are plain data]
    yaml-tag «2026-01-01» the tag does not go with this value [remove it; values are plain data]
    yaml-tag «x» the tag does not go with this value [remove it; values are plain data]
    yaml-tag «3» the tag does not go with this value [remove it; values are plain data]
    yaml-tag «=» the tag does not go with this value [remove it; values are plain data]
    yaml-tag «{» the tag `!!seq` means nothing here [remove it; values are plain data]
    yaml-number «.inf» `.inf` is not a finite number [put it in quotes if it is text]
    yaml-number «1e999» `1e999` is not a finite number [put it in quotes if it is text]
    unquoted-template «{{ inputs.x }}» a template must be in quotes [write `"{{ inputs.x }}"`]
    unquoted-template «{{ inputs.x }} and more» a template must be in quotes [write `"{{ inputs.x }} and more"`]
    unquoted-template «{{ x }}/{{ y }}» a template must be in quotes [write `"{{ x }}/{{ y }}"`]
    unquoted-template «{{ x }}» a template must be in quotes [write `"{{ x }}"`]
    yaml-alias «3» `<<` merges a mapping or a list of mappings, and this is neither []
    yaml-syntax «» the control character \u{1} cannot stand in YAML [remove it, or write it as an escape in double quotes]
    "#);
}

#[test]
fn text_that_unfolds_to_too_much_is_refused() {
    let mut laughs = String::from("a0: &a0 [x, x]\n");
    for i in 1..40 {
        let _ = writeln!(laughs, "a{i}: &a{i} [*a{0}, *a{0}]", i - 1);
    }
    let bombs = [
        ("laughs", laughs),
        ("long alias", format!("a: &x '{}'\nb: [{}]\n", "x".repeat(900_000), "*x,".repeat(90))),
        ("brackets", "[".repeat(100_000)),
        ("indentation", (0..200).map(|depth| " ".repeat(depth) + "a:\n").collect()),
        ("dashes", "- ".repeat(100_000)),
        ("values", "- a\n".repeat(200_000)),
        ("large", "#".repeat(MAX_BYTES + 1)),
    ];
    let problems: Vec<String> = bombs
        .iter()
        .map(|(name, text)| {
            let problem = parse(&Source::new("x.yaml", text.as_str())).expect_err(name);
            format!("{name}: {} {}", problem.code, problem.message)
        })
        .collect();
    insta::assert_snapshot!(problems.join("\n"), @r"
    laughs: yaml-budget the aliases unfold to too much
    long alias: yaml-budget the aliases unfold to too much
    brackets: yaml-budget the nesting is too deep
    indentation: yaml-budget the nesting is too deep
    dashes: yaml-budget the nesting is too deep
    values: yaml-budget the file holds too many values
    large: file-too-large the file has 1048577 bytes; at most 1048576 are read
    ");
}

#[test]
fn values_are_those_of_yaml_1_2() {
    let json = tree(
        "a: 0o17\nb: 0x1f\nc: 1e3\nd: 2020-01-01\ne: 1:30\nf: ~\ng: TRUE\nh: 'yes'\ni: \"1\"\nj: >-\n  x\n  y\nk: -3\n",
    )
    .to_json();
    let expected = serde_json::json!({
        "a": 15, "b": 31, "c": 1000.0, "d": "2020-01-01", "e": "1:30", "f": null, "g": true, "h": "yes", "i": "1",
        "j": "x y", "k": -3,
    });
    assert_eq!(json, expected);
}

#[test]
fn doubtful_scalars_are_reported() {
    let text = "a: &x ~\nb: Off\nc: 'no'\nd: 0644\ne: 09\nf: 123456789012345678901234567890\ng: 1.0\nh: |-\n  yes\ni: nope\nj: !!null 3\nk: *x\n";
    let source = Source::new("x.yaml", text);
    let mut found = Vec::new();
    parse_with(&source, &mut found).expect("it is YAML");
    let found: Vec<String> =
        found.iter().map(|doubt| format!("{} {} [{}]", doubt.code, doubt.message, doubt.hint)).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    ambiguous-boolean `Off` is text here, not a boolean [write `false` for the boolean, or put `Off` in quotes]
    yaml-number `0644` has leading zeros, which readers of YAML disagree about [write `0o644` for the octal number, or put it in quotes]
    yaml-number `09` has leading zeros, which readers of YAML disagree about [put it in quotes, or drop the zeros]
    yaml-number `123456789012345678901234567890` has more digits than a number can hold [put it in quotes]
    yaml-tag `3` is tagged as null [remove the tag; values are plain data]
    ");
}

#[test]
fn digits_that_may_be_no_number_can_be_kept() {
    let text = "a: 0123456\nb: [-0017, 12345678901234567890123, 00]\nc: 18446744073709551616 # note\nd: 0.50\ne: 0\nf: 12\ng: 1e3\n";
    let node = parse_exactly(&Source::new("x.yaml", text)).expect("it is YAML");
    let expected = serde_json::json!({
        "a": "0123456", "b": ["-0017", "12345678901234567890123", "00"], "c": "18446744073709551616", "d": 0.5, "e": 0,
        "f": 12, "g": 1000.0,
    });
    assert_eq!(node.to_json(), expected);
}

#[test]
fn bytes_that_are_not_text_are_placed() {
    let problem = decode("x.yaml", b"name: ok\nb: \xff\xfe\n".to_vec()).expect_err("not text");
    assert_eq!((problem.code, problem.place().line, problem.place().column), ("not-utf8", 2, 4));
    let problem = decode("x.yaml", vec![b'a'; MAX_BYTES + 1]).expect_err("too large");
    assert_eq!(problem.code, "file-too-large");
    assert!(decode("x.yaml", "é: 1".into()).is_ok());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of YAML that are more likely to be misread than letters.
    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[ \\n\\t:#&*!|>'\"%@`,\\[\\]{}?-]{1,4}",
            "[a-zé0-9.~]{1,4}",
            Just("\n  ".to_owned()),
            Just("- ".to_owned()),
            Just(": ".to_owned()),
            Just("<<: ".to_owned()),
            Just("&a ".to_owned()),
            Just("*a".to_owned()),
            Just("{{ x }}".to_owned()),
            Just("!!str ".to_owned()),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
            any::<String>()
                .prop_filter("no control characters", |text| printable(text))
                .prop_map(Value::from),
            "(yes|no|on|null|~|0644|1e3|\\.inf|2020-01-01)".prop_map(Value::from),
        ];
        scalar.prop_recursive(6, 64, 8, |inner| {
            let key = any::<String>().prop_filter("no control characters", |text| printable(text));
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..8).prop_map(|entries| entries.into_iter().collect()),
            ]
        })
    }

    /// YAML shares JSON's notation, but not for every character.
    fn printable(text: &str) -> bool {
        text.chars().all(|c| {
            !c.is_control()
                && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        }) && text.len() < 200
    }

    fn spans_are_in_order(source: &Source, node: &Node) -> bool {
        let inside = node.span.start <= node.span.end
            && source.text.get(node.span.start as usize..node.span.end as usize).is_some();
        inside
            && node.items().iter().all(|item| spans_are_in_order(source, item))
            && node.entries().iter().all(|(_, value)| spans_are_in_order(source, value))
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any_text()) {
            let source = Source::new("x.yaml", text);
            match parse(&source) {
                Ok(node) => prop_assert!(spans_are_in_order(&source, &node)),
                Err(problem) => {
                    prop_assert!(source.text.get(problem.span.start as usize..problem.span.end as usize).is_some());
                    problem.place();
                }
            }
        }

        #[test]
        fn json_reads_back_the_same(json in any_json()) {
            let source = Source::new("x.yaml", json.to_string());
            let node = parse(&source).map_err(|problem| TestCaseError::fail(problem.message))?;
            prop_assert_eq!(node.to_json(), json);
            prop_assert!(spans_are_in_order(&source, &node));
        }
    }
}
