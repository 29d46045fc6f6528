//! Tests of the template language.

mod any;
mod oracle;
mod python;

use serde_json::{Value, json};

use super::vocabulary::{FILTERS, FUNCTIONS, METHODS, TESTS};
use super::{Expression, Missing, Scope, Template};

fn scope() -> Scope {
    let mut scope = Scope::default();
    scope.set(
        "inputs",
        &json!({"mr": 123, "name": "café <b>", "flag": true, "tags": ["a", "b"], "none": null}),
    );
    scope.set(
        "build",
        &json!({"ok": true, "url": "http://x/", "items": [{"name": "one", "n": 1}, {"name": "two", "n": 2}]}),
    );
    scope.set("skipped", &Value::Null);
    scope.set_in("steps", "build", &json!({"status": "completed", "attempts": 2}));
    scope.set_now(1_767_225_600_123);
    scope.set_secrets(&["TOKEN".to_owned()]);
    scope
}

fn render(text: &str) -> Value {
    let template = Template::parse(&json!(text)).unwrap_or_else(|error| panic!("{text}: {error}"));
    template.render(&scope(), Missing::Null).unwrap_or_else(|error| panic!("{text}: {error}")).unwrap()
}

#[test]
fn a_whole_expression_keeps_its_type() {
    let cases = [
        ("{{ inputs.mr }}", json!(123)),
        ("  {{- inputs.mr + 1 -}}\n", json!(124)),
        ("{{ inputs.tags }}", json!(["a", "b"])),
        ("{{ {'a': [1, 2.5, none]} }}", json!({"a": [1, 2.5, null]})),
        ("{{ inputs.flag }}", json!(true)),
        ("{{ inputs.name }}", json!("café <b>")),
        ("{{ '}} x {{' }}", json!("}} x {{")),
        ("{{ inputs.none }}", json!(null)),
        ("{{ skipped.a.b }}", json!(null)),
        ("{{ 10 / 4 }}", json!(2.5)),
        ("{{ (1, 2) }}", json!([1, 2])),
        ("{{ inputs.tags[0] }}", json!("a")),
        ("{{ build['items'][1].name }}", json!("two")),
        ("{{ build.items | map(attribute='name') | list }}", json!(["one", "two"])),
        ("{{ build.items | selectattr('n', '>', 1) | map(attribute='name') | first }}", json!("two")),
        ("{{ steps.build.status }}", json!("completed")),
        ("{{ build.items[:1] | length }}", json!(1)),
    ];
    for (text, value) in cases {
        assert_eq!(render(text), value, "{text}");
    }
}

#[test]
fn text_is_json_like() {
    let cases = [
        ("mr {{ inputs.mr }} {{ inputs.flag }}", "mr 123 true"),
        ("a{{ inputs.none }}b{{ skipped }}c{{ skipped.x }}d", "abcd"),
        ("{{ inputs.tags }} x", "[\"a\",\"b\"] x"),
        ("x{{ {'a': none, 'b': true} }}", "x{\"a\":null,\"b\":true}"),
        ("{{ inputs.name }} & '", "café <b> & '"),
        ("line\n{{ inputs.mr }}\n", "line\n123\n"),
        ("{% for t in inputs.tags %}{{ t }}{{ loop.last }};{% endfor %}\n", "afalse;btrue;\n"),
        ("{% if skipped %}x{% elif inputs.none %}y{% else %}{{ inputs.flag ~ '!' }}{% endif %}", "true!"),
        ("{# note #}x", "x"),
        ("{% raw %}{{ a }}{% endraw %}", "{{ a }}"),
        ("{{ inputs.flag ~ '-' ~ skipped ~ (1 ~ inputs.flag) ~ 2 * 3 }}", "true-1true6"),
        ("{{ [true, none, 1] | join('+') }}", "true++1"),
        ("{{ inputs.flag | string }}", "true"),
        ("{{ str(inputs.flag) + str(none) }}", "true"),
        ("{{ skipped | upper }}|{{ skipped | trim }}", "|"),
        ("{{ 'a/b/c.txt' | basename }}", "c.txt"),
        ("{{ 'Hello, Wörld  3!' | slug }}", "hello-w-rld-3"),
        ("{{ inputs.mr | shell_quote }} {{ \"it's $x\" | shell_quote }}", r"'123' 'it'\''s $x'"),
        ("{{ inputs.tags | shell_quote }}, {{ '' | shell_quote }}", "'a' 'b', ''"),
        ("{{ 'a1b22' | regex_replace('[0-9]+', '_') }}", "a_b_"),
        ("{{ inputs.tags | tojson }}", "[\"a\",\"b\"]"),
        ("{{ {'a': 1} | tojson(indent=2) }}", "{\n  \"a\": 1\n}"),
        ("{{ now().isoformat() }}", "2026-01-01T00:00:00.123000+00:00"),
        ("{{ now().strftime('%d.%m.%Y') }} {{ today }}", "01.01.2026 2026-01-01"),
        ("{{ now() }} {{ now().year }}", "2026-01-01T00:00:00.123000+00:00 2026"),
        (
            "{{ skipped | default('q') }}{{ nothing | d('r') }}{{ 0 | default(1) }}{{ 0 | default(1, true) }}",
            "qr01",
        ),
        ("{{ inputs.get('mr') }} {{ inputs.get('x', 'y') }} {{ skipped.get('a', 5) }}", "123 y 5"),
        ("{{ inputs.name.upper() }} {{ ', '.join(inputs.tags) }}", "CAFÉ <B> a, b"),
        ("{{ 3.0 }} x", "3.0 x"),
    ];
    for (text, value) in cases {
        assert_eq!(render(text), json!(value), "{text}");
    }
}

#[test]
fn conditions_have_json_truth() {
    let cases = [
        ("inputs.mr > 3", true),
        ("{{ inputs.mr == 123 }}", true),
        ("true", true),
        ("none", false),
        ("0", false),
        ("''", false),
        ("[]", false),
        ("{}", false),
        ("skipped", false),
        ("skipped.a.b == 'x'", false),
        ("not skipped", true),
        ("len(skipped) == 0 and skipped | length == 0", true),
        ("'a' in inputs.tags", true),
        ("inputs.tags and any(inputs.tags)", true),
        ("isinstance(inputs.tags, list) and isinstance(inputs, dict) and not isinstance(1, str)", true),
        ("isinstance(inputs.mr, (str, int))", true),
        ("int('7') == 7 and float('1.5') == 1.5 and bool([1])", true),
        ("min([3, 1, 2]) == 1 and max(3, 4) == 4 and sorted([2, 1]) == [1, 2] and sum([1, 2]) == 3", true),
        ("skipped is none and nothing is not defined and inputs is defined", true),
        ("range(3) | list == [0, 1, 2]", true),
        ("inputs.name.startswith('caf') and skipped.startswith('x') == false", true),
        ("skipped.items() | list == []", true),
    ];
    for (text, truth) in cases {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expression.is_true(&scope()), Ok(truth), "{text}");
    }
}

#[test]
fn arguments_leave_out_or_refuse_what_is_missing() {
    let render = |json: Value| Template::parse(&json).unwrap().render(&scope(), Missing::Fail);
    assert_eq!(render(json!("{{ skipped }}")), Ok(None));
    assert_eq!(render(json!("{{ skipped.a.b }}")), Ok(None));
    assert_eq!(render(json!("{{ inputs.gone }}")), Ok(None));
    assert_eq!(
        render(json!({"a": "{{ inputs.gone }}", "b": "{{ inputs.none }}"})),
        Ok(Some(json!({"b": null})))
    );
    assert_eq!(render(json!("{{ skipped | default('x') }}")), Ok(Some(json!("x"))));
    let refused = [
        "x {{ skipped }}",
        "x {{ skipped.ns }}",
        "{{ 'x' ~ skipped.ns }}",
        "{{ skipped.ns | upper }}",
        "{{ skipped.ns.upper() }}",
        "{% if true %}{{ skipped.ns }}{% endif %}",
    ];
    let messages: Vec<String> = refused.iter().map(|text| render(json!(text)).unwrap_err().message).collect();
    insta::assert_snapshot!(messages.join("\n"), @r"
    `skipped` has no value; its step was skipped, or gave none
    `skipped.ns` has no value; its step was skipped, or gave none
    `skipped.ns` has no value; its step was skipped, or gave none
    `skipped.ns` has no value; its step was skipped, or gave none
    `skipped.ns` has no value; its step was skipped, or gave none
    `skipped.ns` has no value; its step was skipped, or gave none
    ");
}

#[test]
fn references_are_exact() {
    let cases = [
        ("inputs.mr > 3 and build.ok", "build.ok inputs.mr"),
        ("inputs['mr'] + inputs.get(\"x\", other.y)", "inputs.mr inputs.x other.y"),
        ("config.namespaces[inputs.environment].x", "config.namespaces inputs.environment"),
        ("build.items[0].name", "build.items"),
        ("len(a.b) + now().year + isinstance(c, str)", "a.b c"),
        ("a.b.lower().strip()", "a.b"),
        ("{{ xs | selectattr('k', 'eq', v) | list }}", "v xs"),
        ("a if b else c", "a b c"),
        ("x[1:n]", "n x"),
        ("'x' in dir() and 'y' not in dir()", "x y"),
    ];
    for (text, paths) in cases {
        let found: Vec<String> = Expression::parse(text).unwrap().references().into_iter().collect();
        assert_eq!(found.join(" "), paths, "{text}");
    }
    let text =
        "{% for p in pods %}{{ p.name }}{{ loop.index }}{{ q }}{% endfor %}{% set z = y %}{{ z }}{{ p }}";
    let found: Vec<String> =
        Template::parse(&json!({"k": [text]})).unwrap().references().into_iter().collect();
    assert_eq!(found.join(" "), "p pods q y");
}

#[test]
fn links_follow_the_configuration() {
    let config = json!({"jira": {"url": "https://j/"}, "gitlab": {"url": "https://g", "project": "a/b"}});
    let cases = [
        (&config, false, "'AA-1' | jira_link", "[AA-1](https://j/browse/AA-1)"),
        (&config, true, "'AA-1' | jira_link", "<https://j/browse/AA-1|AA-1>"),
        (&config, false, "12 | mr_link", "[!12](https://g/a/b/-/merge_requests/12)"),
        (&config, true, "'!12' | mr_link('c/d')", "<https://g/c/d/-/merge_requests/12|!12>"),
        (&Value::Null, true, "'!12' | mr_link", "!12"),
        (&config, false, "skipped | jira_link", ""),
    ];
    for (config, slack, text, link) in cases {
        let mut scope = scope();
        scope.set("config", config);
        scope.set("inputs", &json!({ "slack_format": slack }));
        let found =
            Template::parse(&json!(format!("{{{{ {text} }}}}!"))).unwrap().render(&scope, Missing::Null);
        assert_eq!(found, Ok(Some(json!(format!("{link}!")))), "{text}");
    }
}

#[test]
fn references_know_where_they_stand() {
    let json = json!({"k": ["é {{ inputs.a }} {{ x.y.z | d(b) }}", "{{ q }}"]});
    let mut found = Vec::new();
    Template::parse(&json).unwrap().root().each_reference(&mut Vec::new(), &mut |at, reference| {
        let text = json["k"][at[1].parse::<usize>().unwrap()].as_str().unwrap();
        found.push(text[reference.span].to_owned());
    });
    assert_eq!(found, ["inputs.a", "x.y.z", "b", "q"]);
}

#[test]
fn unknown_words_are_refused_when_parsed() {
    let texts = [
        "x | uper",
        "x is defned",
        "lenn(x)",
        "x.lowr()",
        "xs | map('uper')",
        "xs | selectattr('a', 'eqal', 1)",
        "debug()",
        "any(e | length for e in xs)",
        "[x for x in xs",
        "a +",
        "{{ a }} == {{ b }}",
        "",
        "a b",
        "my-step.x",
        "(f)(1)",
    ];
    let lines: Vec<String> = texts
        .iter()
        .map(|text| match Expression::parse(text) {
            Ok(_) => format!("{text}: fine"),
            Err(error) => format!("{text}: {}: {} [{}]", error.offset, error.message, error.hint),
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    x | uper: 4: there is no filter `uper` [did you mean `upper`?]
    x is defned: 5: there is no test `defned` [did you mean `defined`?]
    lenn(x): 0: there is no function `lenn` [did you mean `len`?]
    x.lowr(): 0: there is no method `lowr` [did you mean `lower`?]
    xs | map('uper'): 5: there is no filter `uper` [did you mean `upper`?]
    xs | selectattr('a', 'eqal', 1): 5: there is no test `eqal` [did you mean `equalto`?]
    debug(): 0: there is no function `debug` []
    any(e | length for e in xs): 8: the filter `| length` cannot stand in a Python expression [use functions and methods, e.g. `len(x)`, `x.upper()`]
    [x for x in xs: 14: this is neither an expression (unexpected identifier, expected `,`) nor Python (unexpected EOF while parsing) []
    a +: 2: unexpected end of input, expected expression []
    {{ a }} == {{ b }}: 5: this is text with holes, not one expression [write the whole expression without `{{ }}`]
    : 0: unexpected end of input, expected expression []
    a b: 2: unexpected input after expression []
    my-step.x: fine
    (f)(1): 1: there is no function `f` []
    "#);
}

#[test]
fn every_word_of_the_vocabulary_exists() {
    let environment = super::environment::engine(Missing::Null);
    for filter in FILTERS {
        assert_eq!(
            environment.render_str(&format!("{{{{ '{filter}' is filter }}}}"), ()).unwrap(),
            "true",
            "{filter}"
        );
    }
    for test in TESTS {
        assert_eq!(
            environment.render_str(&format!("{{{{ '{test}' is test }}}}"), ()).unwrap(),
            "true",
            "{test}"
        );
    }
    let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
    for function in FUNCTIONS {
        assert!(globals.contains(function), "{function}");
    }
    assert!(METHODS.is_sorted() && FILTERS.is_sorted() && TESTS.is_sorted() && FUNCTIONS.is_sorted());
}

#[test]
fn messages_hold_no_values() {
    let mut scope = Scope::default();
    scope.set("s", &json!("hunter2"));
    scope.set("m", &json!({"hunter2": "hunter2"}));
    let texts = [
        "s + 1",
        "s * s",
        "s - 1",
        "int(s)",
        "float(s)",
        "s | int",
        "s | float",
        "s.gone()",
        "s()",
        "m | sum",
        "s | regex_replace(s ~ '(', '')",
        "now().strftime(s)",
        "1 / 0",
        "1 // 0",
        "s | round",
        "s | abs",
        "-s",
        "s | format(1, 2)",
        "'%d' | format(s)",
        "'{:d}'.format(s)",
        "m.gone.x()",
        "range(s)",
        "s | batch(s)",
        "dict(s)",
        "s | dictsort",
        "s | items",
        "len(1)",
        "sorted(1)",
        "2 ** 1000",
        "9223372036854775807 * 9",
        "isinstance(1, s)",
        "s in 1",
        "s[::0]",
        "min([])",
        "[s] | join(m)",
        "s | tojson(indent=s)",
        "m | attr(m)",
        "[m] | groupby(m)",
        "{m: 1}",
        "now",
        "strftime.x(*s)",
        "len(**m)",
        "s | split(1)",
        "s | indent(s)",
        "s|zip(1)",
        "s.split(s, s)",
    ];
    for text in texts {
        let Ok(expression) = Expression::parse(text) else { continue };
        if let Err(error) = expression.eval(&scope) {
            assert!(!error.message.contains("hunter2"), "{text}: {error}");
        }
    }
}

#[test]
fn secrets_are_sealed() {
    let value = render("Bearer {{ secrets.TOKEN }}");
    assert_eq!(super::seal::names_in(&value).into_iter().collect::<Vec<_>>(), ["TOKEN"]);
}

#[test]
fn endless_work_is_stopped() {
    let text = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    let error = Template::parse(&json!(text)).unwrap().render(&Scope::default(), Missing::Null).unwrap_err();
    assert!(error.message.ends_with("it takes too many steps"), "{error}");
    let text = format!("{}{{{{ x | tojson }}}}", "{% set x = [x, x] %}".repeat(60));
    let error = Template::parse(&json!(text)).unwrap().render(&Scope::default(), Missing::Null).unwrap_err();
    assert!(error.message.contains("64 MiB"), "{error}");
}

#[test]
fn deep_sources_do_not_overflow_the_stack() {
    let n = 30_000;
    let sources = [
        "(".repeat(n),
        "[".repeat(n),
        format!("{}1{}", "(".repeat(150), ")".repeat(150)),
        format!("{}1{}", "(".repeat(39), ")".repeat(39)),
        "not ".repeat(n / 4) + "x",
        "-".repeat(n) + "x",
        "x".to_owned() + &".a".repeat(n / 2),
        "x".to_owned() + &".a".repeat(190),
        "1".to_owned() + &"+1".repeat(n / 2),
        "1".to_owned() + &"+1".repeat(190),
        "a if b else ".repeat(n / 12) + "c",
        "x".to_owned() + &"|upper".repeat(n / 6),
        "x".to_owned() + &"[0]".repeat(n / 3),
        "x".to_owned() + &" is defined".repeat(n / 11),
        "x".to_owned() + &"**2".repeat(n / 3),
        "{1:".repeat(n / 3),
        "f(".repeat(n / 2),
    ];
    for source in &sources {
        let _ = Expression::parse(source).map(|expression| expression.eval(&Scope::default()));
        let text = format!("a {{{{ {source} }}}}");
        let _ = Template::parse(&json!(text)).map(|text| text.render(&Scope::default(), Missing::Null));
    }
    for statement in [
        "{% if x %}",
        "{% for a in b %}",
        "{% set x %}",
        "{% if a %}{% elif a %}",
        "{% filter upper %}",
        "{% with %}",
    ] {
        let _ = Template::parse(&json!(statement.repeat(1000)));
    }
    let elifs = format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(5000));
    assert!(Template::parse(&json!(elifs)).is_err());
}

#[test]
fn clones_share_and_children_shadow() {
    let parent = scope();
    let mut child = parent.child();
    child.set("item", &json!(7));
    child.set("build", &json!("mine"));
    let text = |source: &str, scope: &Scope| Expression::parse(source).unwrap().eval(scope).unwrap();
    assert_eq!(text("item ~ build ~ inputs.mr", &child), json!("7mine123"));
    assert_eq!(text("item", &parent), json!(null));
    let mut other = parent.clone();
    other.set_in("steps", "next", &json!({"status": "failed"}));
    assert_eq!(text("steps.next.status", &other), json!("failed"));
    assert_eq!(text("steps.next", &parent), json!(null));
    assert_eq!(text("steps.build.attempts", &other), json!(2));
}

#[test]
fn source_survives_serialisation() {
    let json = json!({"a": ["{{ x }}", 1, null], "b": "{% if x %}y{% endif %}"});
    let template: Template = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&template).unwrap(), json);
    assert!(serde_json::from_value::<Template>(json!("{{ a b }}")).is_err());
    let expression: Expression = serde_json::from_value(json!("{{ x }}")).unwrap();
    assert_eq!(serde_json::to_value(&expression).unwrap(), json!("{{ x }}"));
}

#[test]
fn a_long_text_may_be_changed_in_few_places() {
    let mut scope = Scope::default();
    scope.set("log", &json!(format!("{}x", "a".repeat(1 << 20))));
    scope.set("word", &json!("b".repeat(1 << 10)));
    let changed = Expression::parse("log | replace('x', word) | length").unwrap();
    assert_eq!(changed.eval(&scope).unwrap(), json!((1 << 20) + (1 << 10)));
    assert!(Expression::parse("log | replace('a', word)").unwrap().eval(&scope).is_err());
}

#[test]
fn a_list_is_made_of_a_list() {
    let written = json!({
        "count": "{{ len(jobs) }}",
        "failed": {"each": "jobs", "as": "job", "if": "job.status == 'failed'", "value": {
            "name": "{{ job.name }}",
            "steps": {"each": "{{ job.steps }}", "value": "{{ job.name }}:{{ item }}"},
        }},
        "none": {"each": "nothing", "value": 1},
    });
    let template = Template::parse_lists(&written).unwrap();
    let names: Vec<String> = template.references().into_iter().collect();
    assert_eq!(names, ["jobs", "nothing"]);
    let mut scope = Scope::default();
    scope.set(
        "jobs",
        &json!([
            {"name": "build", "status": "success", "steps": []},
            {"name": "test", "status": "failed", "steps": ["a", "b"]},
        ]),
    );
    let made = template.render(&scope, Missing::Null).unwrap().unwrap();
    let failed = json!([{"name": "test", "steps": ["test:a", "test:b"]}]);
    assert_eq!(made, json!({"count": 2, "failed": failed, "none": []}));

    // Elsewhere such a mapping means itself, and so does one with a key of its own.
    let plain = Template::parse(&written).unwrap().render(&scope, Missing::Null).unwrap().unwrap();
    assert_eq!(plain["none"], written["none"]);
    let other = json!({"each": "jobs", "value": 1, "more": 2});
    let other_made = Template::parse_lists(&other).unwrap().render(&scope, Missing::Null).unwrap();
    assert_eq!(other_made, Some(other));

    let error = Template::parse_lists(&json!({"a": {"each": "x", "value": {"b": "{{ f( }}"}}})).unwrap_err();
    assert_eq!(error.path, ["a", "value", "b"]);
    let error = Template::parse_lists(&json!({"each": "1x", "as": "no name", "value": 1})).unwrap_err();
    assert_eq!((error.message.as_str(), &error.path[..]), ("`as` is not a name", &["as".to_owned()][..]));
    let text = Template::parse_lists(&json!({"each": "jobs | length", "value": 1})).unwrap();
    assert!(text.render(&scope, Missing::Null).is_err());
}

#[test]
fn moments_move() {
    let mut scope = Scope::default();
    scope.set_now(1_790_000_000_000);
    let value = |text: &str| Expression::parse(text).unwrap().eval(&scope);
    assert_eq!(value("now().plus('1h 30m').timestamp()").unwrap(), json!(1_790_005_400));
    assert_eq!(value("now().minus(60).timestamp()").unwrap(), json!(1_789_999_940));
    assert_eq!(
        value("moment('2026-03-02T10:00:00+01:00').plus(60).isoformat()").unwrap(),
        json!("2026-03-02T09:01:00+00:00")
    );
    assert_eq!(value("moment('2026-03-02 10:00').timestamp()").unwrap(), json!(1_772_445_600));
    assert_eq!(value("moment('2026-03-02').date()").unwrap(), json!("2026-03-02"));
    assert!(value("moment('monday')").unwrap_err().message.contains("is not a moment"));
    assert_eq!(value("'[1, {\"a\": null}]' | fromjson").unwrap(), json!([1, {"a": null}]));
    assert!(value("'[' | fromjson").unwrap_err().message.contains("is not JSON"));
    assert!(value("now().plus('soon')").unwrap_err().message.contains("is not a duration"));
    assert!(value("now().minus('900000000000h')").is_err());
}
