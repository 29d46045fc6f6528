//! Shell text: where values in it need quotes, and where a shell would run them.
//!
//! `cp $from $to` means two arguments, whatever is in the variables; a shell splits
//! them at white space and takes `*` for file names. Here every use of a given variable
//! that is not quoted gets its double quotes. Other variables are left alone.
//!
//! Where bash calculates (`$((n + 1))`, `[[ $n -gt 1 ]]`, `${list[$n]}`), it takes a text for an expression and runs the
//! commands in it, so what gets there has to be an integer ([`Reading::calculated`]).
//!
//! Shells differ, and so do their versions. What is not certain to mean one thing is refused, with a way to write it
//! that is: to quote at the wrong place would say nothing and do something else.
//! Reading order: [`reader`] (commands), [`compound`] (what reserved words begin), [`word`], [`dollar`] (`$…`),
//! [`heredoc`], [`command`] (which commands calculate), [`output`] (what they print), [`nested`] (which are given scripts),
//! [`inner`] (those scripts), [`splice`] (what is a part of them), [`flow`] (what is calculated).

mod command;
mod compound;
mod dollar;
mod flow;
mod heredoc;
mod inner;
mod nested;
mod output;
mod reader;
mod splice;
mod word;

use std::collections::BTreeSet;
use std::ops::Range;

/// Which shell will read the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `sh`: dash, bash or another one.
    Sh,
    /// `bash`.
    Bash,
}

/// What was understood of a script.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// The script with double quotes around unquoted uses of the variables.
    pub script: String,
    /// What has to be an integer.
    pub calculated: Calculated,
    /// Why there must be no positional parameters: one is a part of a script for another program.
    pub spliced: Option<Refusal>,
    /// The same of what the script reads.
    pub spliced_input: Option<Refusal>,
}

/// Values that a shell may take for expressions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Calculated {
    /// Variables.
    pub names: BTreeSet<String>,
    /// Positional parameters.
    pub positional: bool,
    /// What the script gets on its standard input.
    pub input: bool,
    /// Whether that is only because something is calculated that commands print or read, which may be anything.
    pub unfollowed: bool,
}

impl Calculated {
    /// All that there is.
    fn everything(names: &BTreeSet<&str>) -> Self {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Self { names, positional: true, input: true, unfollowed: false }
    }
}

/// Why a script is not run.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The byte that it is about.
    pub at: usize,
    /// What is the matter.
    pub message: String,
    /// What to write.
    pub hint: String,
}

impl Refusal {
    /// What is the matter, with the line of the script that it is in.
    pub fn said_of(&self, script: &str) -> String {
        let line = script[..self.at.min(script.len())].matches('\n').count() + 1;
        format!("line {line} of the script: {}", self.message)
    }
}

/// Reads a script with values in variables of these names.
///
/// # Errors
/// It has something in it that this does not know for certain how to read.
pub fn read(script: &str, names: &BTreeSet<&str>, dialect: Dialect) -> Result<Reading, Refusal> {
    let notes = reader::Reader::read(script, names, dialect)?;
    let spliced = splice::look(script, &notes, names);
    if let Some(at) = spliced.value {
        return Err(nested::part_of_a_script(at));
    }
    let mut calculated = flow::calculated(script, &notes, names);
    if notes.nested != Nested::Nothing {
        inner::look_at(script, names, &notes, &mut calculated)?;
    }
    let (positional, input) = (spliced.positional, spliced.input);
    let (spliced, spliced_input) =
        (positional.map(nested::part_of_a_script), input.map(nested::part_of_a_script));
    Ok(Reading { script: quoted(script, &notes.wraps), calculated, spliced, spliced_input })
}

/// Whether a value is one that nothing can be made of but a number.
pub fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The same of each word of a text that a script reads.
pub fn has_integers_only(input: &str) -> bool {
    input.split_whitespace().all(is_integer)
}

/// What is said of a text that gets there, under the name that it has in the script.
pub fn calculates(name: &str, calculated: &Calculated) -> String {
    if calculated.unfollowed {
        return format!(
            "the script calculates with what a command prints or reads, which may be `${name}` or anything else, and a shell \
             runs the commands in a text that it calculates with: make a number of it first, as in \
             `n=$(printf %d \"$(command)\")`, or take only its digits where it is calculated (in bash, `$((${{n//[!0-9]/}} + 1))`)"
        );
    }
    format!(
        "the script calculates with `${name}`, and a shell runs the commands in a text that it calculates with: \
         it must be an integer (in bash, `${{{name}//[!0-9]/}}` takes only the digits)"
    )
}

/// What is said where it is what the script reads.
pub const CALCULATES_INPUT: &str = "the script calculates with what it reads, and a shell runs the commands in a text that it calculates with: \
     `stdin` must hold integers only";

/// Whether a part of a script lies in another one.
fn is_in(part: &Range<usize>, whole: &Range<usize>) -> bool {
    whole.start <= part.start && part.end <= whole.end
}

fn quoted(script: &str, wraps: &[Range<usize>]) -> String {
    let mut places: Vec<usize> = wraps.iter().flat_map(|wrap| [wrap.start, wrap.end]).collect();
    places.sort_unstable();
    let mut quoted = String::with_capacity(script.len() + places.len());
    let mut from = 0;
    for place in places {
        quoted.push_str(&script[from..place]);
        quoted.push('"');
        from = place;
    }
    quoted.push_str(&script[from..]);
    quoted
}

/// What a reader notes of a script, all of it as places in the text.
#[derive(Default)]
struct Notes {
    /// What gets double quotes around it.
    wraps: Vec<Range<usize>>,
    /// What is calculated.
    calculated: Vec<Range<usize>>,
    /// What can only be a number, whatever is in it.
    numbers: Vec<Range<usize>>,
    /// Commands whose output stands in for them.
    substitutions: Vec<(Range<usize>, Output)>,
    /// Variables that get a value here.
    assigned: Vec<(String, From)>,
    /// What is given to commands as their input.
    fed: Vec<Range<usize>>,
    /// Words that another shell reads as scripts.
    scripts: Vec<Range<usize>>,
    /// Texts in which nothing is expanded.
    texts: Vec<Range<usize>>,
    /// A given variable whose `$` is escaped in double quotes.
    escaped: Option<usize>,
    /// What other shells within may read as a script.
    nested: Nested,
    /// Whether positional parameters may be other ones than those given (`set`).
    positional_change: bool,
    /// Functions: what they are given are other positional parameters.
    functions: Vec<Function>,
    /// Commands with the words that they are given.
    calls: Vec<Call>,
    /// Whether any assignment may calculate (`declare -i`).
    integers: bool,
    /// How often given variables are used.
    used: usize,
    /// Where any variables and positional parameters are.
    uses: Vec<Use>,
    /// What is written so that a shell reads it as one word (`printf %q`).
    escapes: Vec<Range<usize>>,
}

/// A function of a script.
struct Function {
    name: String,
    /// What it does, if that is certain to be known.
    body: Option<Range<usize>>,
}

/// A command that is given something.
struct Call {
    /// What is called, if that is written out; else that is among what is given.
    name: Option<String>,
    args: Vec<Range<usize>>,
}

/// A use of a variable.
struct Use {
    /// Its name; `@` for positional parameters.
    name: String,
    range: Range<usize>,
}

/// What the output of commands may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// Nothing that a shell would run, whatever they are given.
    Number,
    /// Their words.
    Words,
    /// Anything, what was given by whatever way included.
    Anything,
}

/// What shells within a script read as scripts of their own.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Nested {
    /// There are none.
    #[default]
    Nothing,
    /// Texts among their words.
    Texts,
    /// What they are fed, too.
    Fed,
}

/// Where an assigned value is from.
enum From {
    Text(Range<usize>),
    /// The positional parameters where this is.
    Positional(usize),
    /// Whatever is read.
    Input,
}

#[cfg(test)]
mod tests;
