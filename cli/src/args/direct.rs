//! Commands that are read without the tree of all the others.
//!
//! Building that tree is a good part of what a short run takes. A command line that begins with the noun and the
//! verb of such a command is read by the flags of that command alone. Whatever is not right in it is left to the
//! tree, which knows all that can be said about it.

use std::ffi::OsString;

use clap::Parser;

use super::{Args, Command, Deferred, GlobalArgs, read_by, skill, tool};

/// One command with the flags that every command has.
#[derive(Parser)]
#[command(name = "aa")]
struct Direct<T: clap::Args> {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(flatten)]
    of: T,
}

/// What was typed, if it is one of these commands and nothing is wrong with it.
pub(super) fn read(typed: &[OsString]) -> Option<Args> {
    let (_, words) = typed.split_first()?;
    let [noun, verb, ..] = words else { return None };
    match (noun.to_str()?, verb.to_str()?) {
        ("skill", "run") => one(&words[1..], |args| Command::Skill(Deferred(skill::Command::Run(args)))),
        ("tool", "call") => one(&words[1..], |args| Command::Tool(Deferred(tool::Command::Call(args)))),
        _ => None,
    }
}

fn one<T: clap::Args>(typed: &[OsString], command: impl FnOnce(T) -> Command) -> Option<Args> {
    let Direct { global, of } = read_by::<Direct<T>>(typed).ok()?;
    Some(Args { global, command: Some(command(of)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is read as the tree reads it, or left to the tree.
    #[test]
    fn what_is_read_directly_is_what_the_tree_reads() {
        let lines = [
            ("aa skill run deploy --input mr=123", true),
            ("aa skill run -i a=1 -i b=2 ./x.yaml -q --format json --dry-run", true),
            ("aa skill run x -C /tmp --store s --color never --plan h --key k --lenient --detach", true),
            ("aa skill run x --input=a=b --inputs-file f --format=quiet", true),
            ("aa skill run -- -x", true),
            ("aa tool call git_log --arg repo=. -a limit=3 --args {} --quiet", true),
            ("aa tool call git_log --store=/s", true),
            ("aa skill run", false),
            ("aa skill run x y", false),
            ("aa skill run x --format xml", false),
            ("aa skill run x --help", false),
            ("aa skill run x -V", false),
            ("aa skill run x --version", false),
            ("aa skill run x --dry-run --stub-tools f", false),
            ("aa skill run x --inputt a=1", false),
            ("aa -q skill run x", false),
            ("aa skill -q run x", false),
            ("aa skill list", false),
            ("aa skill", false),
            ("aa", false),
            ("aa tool call", false),
        ];
        for (line, is_direct) in lines {
            let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let direct = read(&typed);
            assert_eq!(direct.is_some(), is_direct, "{line}");
            if let Some(direct) = direct {
                let tree = read_by::<Args>(&typed).unwrap();
                assert_eq!(format!("{direct:?}"), format!("{tree:?}"), "{line}");
            }
        }
    }
}
