//! Forms at the terminal: a line for each field.

use aa_spec::form;
use serde_json::{Map, Value};

use super::put_choice;
use crate::printer::Printer;
use crate::report::tree::Question;
use crate::words;

/// A form on its way.
#[derive(Debug)]
pub(super) struct Partial {
    question: Question,
    /// How many fields were dealt with.
    done: usize,
    values: Map<String, Value>,
}

impl Partial {
    /// That of a question; one of another question is forgotten.
    pub(super) fn of<'p>(held: &'p mut Option<Self>, question: &Question) -> &'p mut Self {
        let held_on = held.take().filter(|held| held.question == *question);
        held.insert(held_on.unwrap_or_else(|| Self {
            question: question.clone(),
            done: 0,
            values: Map::new(),
        }))
    }

    /// Takes a line as the value of the next field; gives the answer when it was the last one.
    pub(super) fn take(&mut self, line: &str, printer: &Printer) -> Option<String> {
        if let Some(option) = self.question.options.iter().find(|option| option.eq_ignore_ascii_case(line)) {
            return Some(option.clone());
        }
        let form = self.question.form.as_ref()?;
        if let Some((name, field)) = form::properties(form).nth(self.done) {
            match read(form, (name, field), line) {
                Ok(value) => {
                    self.values.extend(value.map(|value| (name.clone(), value)));
                    self.done += 1;
                }
                Err(problem) => printer.error(format_args!("{}", words::harmless(&problem))),
            }
        }
        match form::properties(form).nth(self.done) {
            Some(next) => {
                prompt(form, next, printer);
                None
            }
            None => Some(Value::Object(std::mem::take(&mut self.values)).to_string()),
        }
    }
}

/// Puts the first field of a question's form.
pub(super) fn begin(question: &Question, printer: &Printer) {
    let Some(form) = &question.form else { return };
    for option in &question.options {
        printer.tell(format_args!("  or `{}`", words::harmless(option)));
    }
    if let Some(first) = form::properties(form).next() {
        prompt(form, first, printer);
    }
}

/// What a line means as a field; nothing when the field is left alone.
fn read(form: &Value, (name, field): (&str, &Value), line: &str) -> Result<Option<Value>, String> {
    if line.is_empty() {
        let needed = form::is_required(form, name) && field.get("default").is_none();
        return if needed { Err(format!("`{name}` has to be filled in")) } else { Ok(None) };
    }
    let value = form::value(field, &by_number(field, line));
    form::fits(field, &value).map_err(|problem| format!("`{name}` {problem}"))?;
    Ok(Some(value))
}

/// A line with the choices in the place of their numbers.
fn by_number(field: &Value, line: &str) -> String {
    let choices = form::choices(field);
    let chosen = |text: &str| {
        let at = text.trim().parse::<usize>().ok()?.checked_sub(1)?;
        let is_value = choices.iter().any(|choice| choice.value == text.trim());
        choices.get(at).filter(|_| !is_value).map(|choice| choice.value.to_owned())
    };
    if field["type"] != "array" {
        return chosen(line).unwrap_or_else(|| line.to_owned());
    }
    let parts = line.split(',').map(|part| chosen(part).unwrap_or_else(|| part.trim().to_owned()));
    Value::from(parts.collect::<Vec<_>>()).to_string()
}

fn prompt(form: &Value, (name, field): (&String, &Value), printer: &Printer) {
    for (number, choice) in form::choices(field).iter().enumerate() {
        put_choice(number, choice.title, printer);
    }
    let about = |key: &str| field[key].as_str().map(words::harmless);
    let description = about("description").map(|text| format!(" ({text})")).unwrap_or_default();
    let title = about("title").unwrap_or_else(|| words::harmless(name));
    printer.prompt(format_args!("{title}{description}{}: ", words::harmless(&aside(form, name, field))));
}

/// What happens when the line is left empty, and how several are chosen.
fn aside(form: &Value, name: &str, field: &Value) -> String {
    let several = if field["type"] == "array" { "a, b …" } else { "" };
    let alone = match field.get("default") {
        Some(Value::String(text)) => format!("`{text}`"),
        Some(default) => default.to_string(),
        None if form::is_required(form, name) => String::new(),
        None => "optional".to_owned(),
    };
    let parts: Vec<&str> = [several, &alone].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!(" [{}]", parts.join("; ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> Value {
        json!({
            "type": "object",
            "properties": {
                "region": {"type": "string", "oneOf": [
                    {"const": "eu", "title": "Europe"}, {"const": "us", "title": "America"},
                ]},
                "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue", "1"]}},
                "replicas": {"type": "integer", "minimum": 1, "default": 2},
            },
            "required": ["region"],
        })
    }

    #[test]
    fn a_line_is_a_number_a_value_or_a_title() {
        let form = form();
        let read = |name: &str, line: &str| read(&form, (name, &form["properties"][name]), line);
        for line in ["2", "us", "America"] {
            assert_eq!(read("region", line), Ok(Some("us".into())), "{line}");
        }
        for line in ["asia", "3", ""] {
            assert!(read("region", line).is_err(), "{line}");
        }
        assert_eq!(read("days", "2, mon"), Ok(Some(json!(["tue", "mon"]))));
        assert_eq!(read("days", "1"), Ok(Some(json!(["1"]))), "a value goes before a number");
        assert_eq!(read("days", ""), Ok(None));
        assert_eq!(read("replicas", ""), Ok(None));
        assert_eq!(read("replicas", "3"), Ok(Some(3.into())));
        assert!(read("replicas", "0").is_err());
    }

    #[test]
    fn people_see_what_is_taken_when_they_say_nothing() {
        let form = form();
        let aside = |name: &str| aside(&form, name, &form["properties"][name]);
        assert_eq!(aside("region"), "");
        assert_eq!(aside("days"), " [a, b …; optional]");
        assert_eq!(aside("replicas"), " [2]");
    }
}
