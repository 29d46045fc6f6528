//! Parts of the command tree that are built only when somebody types what leads there.
//!
//! Most of what a short command costs at its start is the tree of all the others.

use clap::{ArgMatches, Command, Error, FromArgMatches, Subcommand};

/// The commands below a noun, built when the noun is typed.
#[derive(Debug)]
pub(crate) struct Deferred<T>(pub(crate) T);

/// Adds what was put off. What the noun is for has been said where it is listed, so what its
/// commands say of themselves does not take that place.
fn grow<T: Subcommand>(command: Command) -> Command {
    let (about, long) = (command.get_about().cloned(), command.get_long_about().cloned());
    let grown = T::augment_subcommands(command);
    let grown = about.into_iter().fold(grown, Command::about);
    long.into_iter().fold(grown, Command::long_about)
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Subcommand> Subcommand for Deferred<T> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(grow::<T>)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        T::augment_subcommands_for_update(command)
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}
