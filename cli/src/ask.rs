//! Questions to the person at the terminal.

mod form;

use std::io::BufRead;

use tokio::sync::mpsc;

use self::form::Partial;
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
            if question.form.is_some() {
                if let Some(answer) = Partial::of(&mut self.partial, question).take(line.trim(), printer) {
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
    if question.form.is_some() {
        return form::begin(question, printer);
    }
    for (number, option) in question.options.iter().enumerate() {
        put_choice(number, option, printer);
    }
    prompt(question, printer);
}

/// One of several, with the number by which it can be chosen.
fn put_choice(number: usize, text: &str, printer: &Printer) {
    let number = printer.err.paint(Tone::Busy, number + 1);
    printer.tell(format_args!("  {number} {}", words::harmless(text)));
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
}
