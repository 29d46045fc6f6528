//! Questions to the person at the terminal.

use std::io::BufRead;

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
            match choose(question, line.trim()) {
                Some(answer) => return answer,
                None if line.trim().is_empty() => prompt(question, printer),
                None => {
                    printer.error(format_args!("{}", refused(question, line.trim())));
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
    for (number, option) in question.options.iter().enumerate() {
        let number = palette.paint(Tone::Busy, number + 1);
        printer.tell(format_args!("  {number} {}", words::harmless(option)));
    }
    prompt(question, printer);
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

/// Why a text is no answer.
fn refused(question: &Question, text: &str) -> String {
    let options = words::list(&question.options);
    match question.want.as_ref().map(|want| want.read(text)) {
        Some(Err(why)) => format!("{}, or one of {options}", words::harmless(&why)),
        _ => format!("it is one of {options}"),
    }
}

/// What was wanted, or the option that was meant: by its number, its text, or the start of its text; an
/// empty line means the default.
fn choose(question: &Question, text: &str) -> Option<String> {
    if text.is_empty() {
        return question.default.clone();
    }
    if question.want.as_ref().is_some_and(|want| want.read(text).is_ok()) {
        return Some(text.to_owned());
    }
    option(question, text).map(str::to_owned)
}

fn option<'q>(question: &'q Question, text: &str) -> Option<&'q str> {
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
            default: Some("cancel".to_owned()),
            until: None,
            want: None,
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
            assert_eq!(choose(&question, text).as_deref(), expected, "{text:?}");
        }
    }
}
