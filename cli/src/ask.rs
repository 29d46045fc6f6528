//! Questions to the person at the terminal.

use std::io::BufRead;

use aa_spec::form;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::printer::Printer;
use crate::report::tree::Question;
use crate::style::{Mark, Tone};
use crate::words;

/// Reads lines from stdin in a thread of its own, started by the first question: a
/// read from a terminal cannot be called off, and must not hold up the run.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    lines: Option<mpsc::UnboundedReceiver<String>>,
    /// The form that is being filled in, as far as it has come.
    partial: Option<Partial>,
}

/// A form on its way.
#[derive(Debug)]
struct Partial {
    question: Question,
    /// Fields that were dealt with.
    seen: Vec<String>,
    values: Map<String, Value>,
}

impl Asker {
    /// The answer to the question on the terminal; never, when there is none.
    pub(crate) async fn answer_to(&mut self, question: Option<&Question>, printer: &Printer) -> String {
        match question {
            Some(question) => self.answer(question, printer).await,
            None => std::future::pending().await,
        }
    }

    /// The next line that is an answer. Never, when stdin has ended.
    pub(crate) async fn answer(&mut self, question: &Question, printer: &Printer) -> String {
        let lines = self.lines.get_or_insert_with(read_stdin);
        while let Some(line) = lines.recv().await {
            if let Some(form) = &question.form {
                let partial = Partial::of(&mut self.partial, question);
                if let Some(answer) = partial.take(form, line.trim(), printer) {
                    self.partial = None;
                    return answer;
                }
                continue;
            }
            match choose(question, line.trim()) {
                Some(answer) => return answer.to_owned(),
                None if line.trim().is_empty() => prompt(question, printer),
                None => {
                    printer.error(format_args!("it is one of {}", words::list(&question.options)));
                    prompt(question, printer);
                }
            }
        }
        std::future::pending().await
    }
}

impl Partial {
    /// That of a question; one of another question is forgotten.
    fn of<'p>(held: &'p mut Option<Self>, question: &Question) -> &'p mut Self {
        let held_on = held.take().filter(|held| held.question == *question);
        let new = || Self { question: question.clone(), seen: Vec::new(), values: Map::new() };
        held.insert(held_on.unwrap_or_else(new))
    }

    /// Takes a line as the value of the next field; gives the answer when it was the last one.
    fn take(&mut self, form: &Value, line: &str, printer: &Printer) -> Option<String> {
        if let Some(option) = self.question.options.iter().find(|option| option.eq_ignore_ascii_case(line)) {
            return Some(option.clone());
        }
        let (name, field) = form::properties(form).find(|(name, _)| !self.seen.contains(name))?;
        match read_field(form, (name, field), line) {
            Ok(value) => {
                self.values.extend(value.map(|value| (name.clone(), value)));
                self.seen.push(name.clone());
            }
            Err(problem) => printer.error(format_args!("{problem}")),
        }
        match form::properties(form).find(|(name, _)| !self.seen.contains(name)) {
            Some(next) => {
                prompt_field(next, printer);
                None
            }
            None => Some(Value::Object(std::mem::take(&mut self.values)).to_string()),
        }
    }
}

/// What a line means as a field; nothing when the field is left alone.
fn read_field(form: &Value, (name, field): (&str, &Value), line: &str) -> Result<Option<Value>, String> {
    if line.is_empty() {
        let required = form["required"].as_array().is_some_and(|all| all.iter().any(|of| of == name));
        let needed = required && field.get("default").is_none();
        return if needed { Err(format!("`{name}` has to be filled in")) } else { Ok(None) };
    }
    let choices: Vec<&str> =
        field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let chosen = line.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    let value = form::value(field, chosen.map_or(line, |choice| choice))?;
    aa_spec::input::fits(field, &value)?;
    Ok(Some(value))
}

fn prompt_field((name, field): (&String, &Value), printer: &Printer) {
    let title = field["title"].as_str().or_else(|| field["description"].as_str()).unwrap_or(name);
    for (number, choice) in field["enum"].as_array().into_iter().flatten().enumerate() {
        let number = printer.err.paint(Tone::Busy, number + 1);
        printer.tell(format_args!("  {number} {}", words::harmless(choice.as_str().unwrap_or_default())));
    }
    let default = field.get("default").map(|default| format!(" [{default}]")).unwrap_or_default();
    printer.prompt(format_args!("{}{}: ", words::harmless(title), words::harmless(&default)));
}

/// Puts a question on the terminal.
pub(crate) fn put(question: &Question, printer: &Printer) {
    let palette = printer.err;
    let message = words::harmless(&question.message);
    let from = palette.paint(Tone::Dim, format!("({})", question.step));
    printer.tell(format_args!(
        "{} {} {from}",
        palette.mark(Mark::Question),
        palette.paint(Tone::Strong, message)
    ));
    for (number, option) in question.options.iter().enumerate() {
        let number = palette.paint(Tone::Busy, number + 1);
        printer.tell(format_args!("  {number} {}", words::harmless(option)));
    }
    match question.form.as_ref().and_then(|form| form::properties(form).next()) {
        Some(first) => prompt_field(first, printer),
        None => prompt(question, printer),
    }
}

fn prompt(question: &Question, printer: &Printer) {
    let default = match (&question.default, question.until) {
        (Some(default), Some(until)) => {
            let left = words::duration(words::between(chrono::Utc::now(), until));
            format!("`{}` in {left}", words::harmless(default))
        }
        (Some(default), None) => format!("`{}`", words::harmless(default)),
        (None, Some(until)) => {
            format!("fails in {}", words::duration(words::between(chrono::Utc::now(), until)))
        }
        (None, None) => "number or name".to_owned(),
    };
    printer.prompt(format_args!("answer [{default}]: "));
}

fn read_stdin() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The option that was meant: by its number, its text, or the start of its text; an
/// empty line means the default.
fn choose<'q>(question: &'q Question, text: &str) -> Option<&'q str> {
    if text.is_empty() {
        return question.default.as_deref();
    }
    let options = || question.options.iter().map(String::as_str);
    if let Some(option) = options().find(|option| option.eq_ignore_ascii_case(text)) {
        return Some(option);
    }
    if let Ok(number) = text.parse::<usize>() {
        return number.checked_sub(1).and_then(|index| options().nth(index));
    }
    let lower = text.to_lowercase();
    let mut near = options().filter(|option| option.to_lowercase().starts_with(&lower));
    near.next().filter(|_| near.next().is_none())
}

#[cfg(test)]
mod tests {
    use aa_run::event::StepPath;

    use super::*;

    #[test]
    fn an_answer_is_a_number_a_name_or_its_start() {
        let question = Question {
            step: StepPath("go".to_owned()),
            message: "restart?".to_owned(),
            options: vec!["restart".to_owned(), "cancel".to_owned(), "cancel all".to_owned()],
            form: None,
            default: Some("cancel".to_owned()),
            until: None,
        };
        let cases = [
            ("1", Some("restart")),
            ("r", Some("restart")),
            ("RESTART", Some("restart")),
            ("cancel", Some("cancel")),
            ("c", None),
            ("cancel a", Some("cancel all")),
            ("", Some("cancel")),
            ("0", None),
            ("4", None),
            ("stop", None),
        ];
        for (text, expected) in cases {
            assert_eq!(choose(&question, text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_form_is_filled_in_field_by_field() {
        let form = serde_json::json!({
            "type": "object",
            "properties": {
                "region": {"type": "string", "enum": ["eu", "us"]},
                "replicas": {"type": "integer", "minimum": 1, "default": 2},
            },
            "required": ["region"],
        });
        let region = &form["properties"]["region"];
        let replicas = &form["properties"]["replicas"];
        assert_eq!(read_field(&form, ("region", region), "2"), Ok(Some("us".into())));
        assert_eq!(read_field(&form, ("region", region), "eu"), Ok(Some("eu".into())));
        assert!(read_field(&form, ("region", region), "asia").is_err());
        assert!(read_field(&form, ("region", region), "").is_err());
        assert_eq!(read_field(&form, ("replicas", replicas), ""), Ok(None));
        assert_eq!(read_field(&form, ("replicas", replicas), "3"), Ok(Some(3.into())));
        assert!(read_field(&form, ("replicas", replicas), "0").is_err());
    }
}
