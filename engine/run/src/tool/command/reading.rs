//! What a command printed, as a value.

use std::collections::BTreeMap;

use aa_spec::source::Source;
use aa_spec::tool::module::FieldType;
use aa_spec::tool::recipe::Reading;
use regex::{Captures, Regex};
use serde_json::{Map, Value};

type Types = BTreeMap<String, FieldType>;

/// Reads a text.
///
/// # Errors
/// What does not fit, in words.
pub(in crate::tool) fn read(reading: &Reading, text: &str) -> Result<Value, String> {
    match reading {
        Reading::Text => Ok(text.trim_end_matches(['\n', '\r']).into()),
        Reading::Json => json(text),
        Reading::JsonLines => text.lines().filter(|line| !line.trim().is_empty()).map(json).collect(),
        Reading::Yaml => yaml(text),
        Reading::Lines { end, split, fields, pattern, types } => {
            let lines = lines(text, end.as_deref());
            match pattern {
                Some(pattern) => lines
                    .filter_map(|line| pattern.captures(line))
                    .map(|found| captured(pattern, &found, types))
                    .collect(),
                None if fields.is_empty() => Ok(lines.collect()),
                None => lines.map(|line| fielded(line, split.as_deref(), fields, types)).collect(),
            }
        }
        Reading::Regex { pattern, all: true, types } => {
            pattern.captures_iter(text).map(|found| captured(pattern, &found, types)).collect()
        }
        Reading::Regex { pattern, all: false, types } => match pattern.captures(text) {
            Some(found) => captured(pattern, &found, types),
            None => Ok(Value::Null),
        },
        Reading::Object(readings) => {
            let read = |(name, reading): &(String, Reading)| Ok((name.clone(), read(reading, text)?));
            readings.iter().map(read).collect::<Result<Map<_, _>, String>>().map(Value::Object)
        }
    }
}

fn json(text: &str) -> Result<Value, String> {
    aa_spec::json::read(text.as_bytes()).map_err(|error| format!("it is no JSON: {error}"))
}

fn yaml(text: &str) -> Result<Value, String> {
    match aa_spec::yaml::parse_exactly(&Source::new("output", text)) {
        Ok(node) => Ok(node.to_json()),
        Err(problem) => Err(format!("it is no YAML: line {}: {}", problem.place().line, problem.message)),
    }
}

/// The lines of a text, without the empty ones.
fn lines<'a>(text: &'a str, end: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let (given, plain) = match end {
        Some(end) => (Some(text.split(end)), None),
        None => (None, Some(text.lines())),
    };
    given.into_iter().flatten().chain(plain.into_iter().flatten()).filter(|line| !line.is_empty())
}

/// A mapping of the fields of a line. The last field takes the rest; fields that are not there are null.
fn fielded(line: &str, split: Option<&str>, fields: &[String], types: &Types) -> Result<Value, String> {
    let mut rest = Some(line);
    let mut object = Map::new();
    for (index, name) in fields.iter().enumerate() {
        let part = match rest {
            Some(line) if index + 1 < fields.len() => {
                let (part, after) = cut(line, split);
                rest = after;
                Some(part)
            }
            last => last,
        };
        object.insert(name.clone(), typed(name, part, types)?);
        if index + 1 == fields.len() {
            rest = None;
        }
    }
    Ok(Value::Object(object))
}

/// The first field of a line and what comes after it.
fn cut<'a>(line: &'a str, split: Option<&str>) -> (&'a str, Option<&'a str>) {
    let parts = match split {
        Some(split) => line.split_once(split),
        None => {
            line.trim_start().split_once(char::is_whitespace).map(|(part, after)| (part, after.trim_start()))
        }
    };
    match parts {
        Some((part, after)) => (part, Some(after)),
        None => (line.trim_start(), None),
    }
}

/// A mapping of the named groups; without any the first group, without that the whole match.
fn captured(pattern: &Regex, found: &Captures, types: &Types) -> Result<Value, String> {
    if pattern.capture_names().flatten().next().is_none() {
        let group = found.get(1).or_else(|| found.get(0));
        return Ok(group.map_or(Value::Null, |group| group.as_str().into()));
    }
    let names = pattern.capture_names().flatten();
    let value =
        |name: &str| Ok((name.to_owned(), typed(name, found.name(name).map(|group| group.as_str()), types)?));
    names.map(value).collect::<Result<Map<_, _>, String>>().map(Value::Object)
}

fn typed(name: &str, text: Option<&str>, types: &Types) -> Result<Value, String> {
    let Some(kind) = types.get(name) else { return Ok(text.into()) };
    let text = text.unwrap_or_default().trim();
    let wrong = |what: &str| format!("`{name}` is `{text}`, which is no {what}");
    match kind {
        FieldType::Flag => Ok((!text.is_empty()).into()),
        FieldType::Words => Ok(words(text).collect()),
        _ if text.is_empty() || text == "-" => Ok(Value::Null),
        FieldType::Trimmed => Ok(text.into()),
        FieldType::Integer => text.parse::<i64>().map(Value::from).map_err(|_| wrong("whole number")),
        FieldType::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.into()),
            _ => Err(wrong("number")),
        },
        FieldType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true.into()),
            "false" | "no" | "off" | "0" => Ok(false.into()),
            _ => Err(wrong("yes or no")),
        },
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(yaml: &str) -> Reading {
        let text = format!(
            "module: m\ndescription: d\ntools:\n  - name: t\n    description: d\n    effect: read\n    run: [x]\n    result: {yaml}\n"
        );
        let source = Source::new("m.yaml", text);
        let (module, problems) = aa_spec::tool::recipe::check(&source);
        assert_eq!(problems, [], "{yaml}");
        let module = module.unwrap();
        aa_spec::tool::recipe::compile(&module, &module.tools[0], &source).unwrap().common.result.unwrap()
    }

    #[test]
    fn output_becomes_a_value() {
        let cases = [
            ("text", "a\nb\n\n", json!("a\nb")),
            ("text", "", json!("")),
            ("json", " {\"a\": 1.5} ", json!({"a": 1.5})),
            ("json_lines", "1\n\n[2]\n", json!([1, [2]])),
            ("yaml", "a: [1, x]\n", json!({"a": [1, "x"]})),
            ("lines", "a\r\n\n b \n", json!(["a", " b "])),
            ("{lines: {end: \"\\0\"}}", "a\nb\0c\0", json!(["a\nb", "c"])),
            (
                "{lines: {fields: [a, b]}}",
                "  1   2 3\n4\n",
                json!([{"a": "1", "b": "2 3"}, {"a": "4", "b": null}]),
            ),
            (
                "{lines: {split: ';', fields: [a, b]}}",
                "1;2;3\n;x\n",
                json!([{"a": "1", "b": "2;3"}, {"a": "", "b": "x"}]),
            ),
            ("{lines: {match: 'x(.)', }}", "xa\nb\nxc", json!(["a", "c"])),
            (
                "{lines: {match: '^(?<n>\\d+)', types: {n: integer}}}",
                "1a\nb\n22",
                json!([{"n": 1}, {"n": 22}]),
            ),
            ("{regex: {pattern: '^b'}}", "a\nb", json!("b")),
            ("{regex: {pattern: '^c'}}", "a\nb", json!(null)),
            (
                "{regex: {pattern: '^(?<k>.)=(?<v>.*)?$', all: true}}",
                "a=1\nb=\n",
                json!([{"k": "a", "v": "1"}, {"k": "b", "v": ""}]),
            ),
            (
                "{object: {n: {regex: {pattern: '\\d+'}}, all: lines}}",
                "a\n1",
                json!({"n": "1", "all": ["a", "1"]}),
            ),
        ];
        for (yaml, text, value) in cases {
            assert_eq!(read(&form(yaml), text), Ok(value), "{yaml}");
        }
    }

    #[test]
    fn fields_have_types() {
        let yaml = "{lines: {split: '|', fields: [i, n, b, f, w, t], types: {i: integer, n: number, b: boolean, f: flag, w: words}}}";
        let expected = json!([
            {"i": -5, "n": 0.5, "b": true, "f": true, "w": ["a", "b"], "t": "-"},
            {"i": null, "n": null, "b": null, "f": false, "w": [], "t": ""},
            {"i": null, "n": null, "b": null, "f": false, "w": [], "t": null},
        ]);
        assert_eq!(read(&form(yaml), "-5|.5|yes|*|a, b|-\n-||-| | |\n-\n"), Ok(expected));
        for (line, message) in [
            ("x|", "`i` is `x`, which is no whole number"),
            ("1|inf", "`n` is `inf`, which is no number"),
            ("1|1|maybe", "`b` is `maybe`, which is no yes or no"),
        ] {
            assert_eq!(read(&form(yaml), line), Err(message.to_owned()));
        }
    }

    #[test]
    fn what_is_not_in_its_form_is_an_error() {
        for (yaml, text) in [("json", ""), ("json", "{"), ("json_lines", "1\n{"), ("yaml", "a: [")] {
            assert!(read(&form(yaml), text).is_err(), "{yaml} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_output_is_read_or_refused(text in "\\PC{0,80}|[ \\t\\n|a-]{0,80}") {
            for yaml in ["text", "json", "json_lines", "yaml", "lines", "{lines: {fields: [a, b]}}", "{lines: {split: '|', fields: [a, b], types: {a: integer}}}"] {
                let _either = read(&form(yaml), &text);
            }
        }
    }
}
