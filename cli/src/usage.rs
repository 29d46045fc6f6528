//! What clap has to say, in our voice.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};

use crate::args::Args;
use crate::failure::Exit;
use crate::printer::Printer;
use crate::words;

/// Prints help or version that was asked for, or says what is wrong with the command line.
pub(crate) fn answer(error: &Error, printer: &Printer) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => help_asked_for(&error.render(), printer),
        ErrorKind::InvalidSubcommand if text(error, ContextKind::InvalidSubcommand) == "help" => {
            let (_, mut wanted) = command("");
            help_asked_for(&wanted.render_help(), printer)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            help(&error.render(), printer);
            Exit::Usage
        }
        _ => {
            printer.error(message(error));
            if let Some(near) = suggestion(error) {
                printer.hint(format_args!("did you mean `{near}`?"));
            }
            let unknown = text(error, ContextKind::InvalidSubcommand);
            printer.hint(format_args!("`{} --help` shows how it is used", command(&unknown).0));
            Exit::Usage
        }
    }
}

/// `aa` alone: the short help.
pub(crate) fn nothing_to_do(printer: &Printer) -> Exit {
    help(&Args::command().render_help(), printer);
    Exit::Usage
}

fn help_asked_for(text: &StyledStr, printer: &Printer) -> Exit {
    let text = if printer.out.color { text.ansi().to_string() } else { text.to_string() };
    printer.write(text.as_bytes());
    printer.close(Exit::Ok)
}

fn help(text: &StyledStr, printer: &Printer) {
    let text = if printer.err.color { text.ansi().to_string() } else { text.to_string() };
    printer.tell(text.trim_end());
}

fn message(error: &Error) -> String {
    let argument = || name(&text(error, ContextKind::InvalidArg));
    let value = || text(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => format!("unexpected argument `{}`", argument()),
        ErrorKind::InvalidSubcommand => {
            format!("there is no command `{}`", text(error, ContextKind::InvalidSubcommand))
        }
        ErrorKind::MissingRequiredArgument => format!("missing {}", missing(error)),
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::InvalidValue if value().is_empty() => format!("`{}` needs a value", argument()),
        ErrorKind::InvalidValue => format!(
            "`{}` cannot be `{}`; it is one of {}",
            argument(),
            value(),
            ticked(error, ContextKind::ValidValue)
        ),
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("`{}` cannot be `{}`: {why}", argument(), value())
        }
        ErrorKind::ArgumentConflict => {
            format!("`{}` does not go with {}", argument(), ticked(error, ContextKind::PriorArg))
        }
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => first_line(&error.to_string()),
    }
}

/// clap's own first line without its prefix, for kinds that we have no words for.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    line.strip_prefix("error: ").unwrap_or(line).replace('\'', "`")
}

/// What was meant: a slip of the hand is plain, and for the rest clap has its own idea.
fn suggestion(error: &Error) -> Option<String> {
    let unknown = text(error, ContextKind::InvalidSubcommand);
    let (_, here) = command(&unknown);
    if let Some(meant) = aa_spec::name::slip(&unknown, here.get_subcommands().map(Command::get_name)) {
        return Some(meant.to_owned());
    }
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    kinds.into_iter().find_map(|kind| values(error, kind).into_iter().next())
}

/// The command that was meant: the words that lead down the tree of commands, as far as
/// one that is `unknown`.
fn command(unknown: &str) -> (String, Command) {
    let mut path = "aa".to_owned();
    let mut here = Args::command();
    here.build();
    // An argument need not be UTF-8; whatever it is then, it is no command.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    for word in words.take_while(|word| unknown.is_empty() || word != unknown) {
        if let Some(next) = here.find_subcommand(&word) {
            path = format!("{path} {word}");
            here = next.clone();
        }
    }
    (path, here)
}

/// What must be given; of a group, any one of its arguments.
fn missing(error: &Error) -> String {
    let alternatives = |argument: &String| {
        let names: Vec<String> = argument.trim_matches(['<', '>']).split('|').map(name).collect();
        words::choice(&names)
    };
    values(error, ContextKind::InvalidArg).iter().map(alternatives).collect::<Vec<_>>().join(" and ")
}

fn text(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        _ => values(error, kind).into_iter().next().unwrap_or_default(),
    }
}

fn ticked(error: &Error, kind: ContextKind) -> String {
    let names: Vec<String> = values(error, kind).iter().map(|value| name(value)).collect();
    words::list(&names)
}

fn values(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(value)) => vec![value.clone()],
        Some(ContextValue::Strings(values)) => values.clone(),
        _ => Vec::new(),
    }
}

/// `--input <NAME=VALUE>` becomes `--input`, `<SKILL>` becomes `SKILL`.
fn name(argument: &str) -> String {
    let first = argument.split(' ').next().unwrap_or(argument);
    first.trim_matches(['<', '>', '[', ']']).trim_end_matches(['.', '>', ']']).to_owned()
}
