//! Skills and tools for AI clients, over the Model Context Protocol.
//!
//! Reading order: [`server`] (what a client can ask, handed on to the files below), [`seat`]
//! (what a connection sees), [`visit`] (who makes a request, from where), [`scope`] (what their key opens), [`core`] (the tools that are always there, one file
//! each), [`listing`] (what a view looks like as tools), [`skill`] (a skill as a tool), [`module`] (a tool of a module as a tool),
//! [`kept`] (what did not fit into its answers),
//! [`resource`] and [`prompt`] (what can be read, and what clients offer as commands), [`extension`] (skills as folders), [`change`] (that files have changed), [`follow`] (a
//! run that a call has started, until the call can be answered), [`task`] (the same for clients that poll), [`switch`] (another
//! persona), [`stdio`] and [`http`] (how messages come and go). [`names`] and [`schema`] say things as every client takes them,
//! [`result`] and [`trouble`] so that a model can make something of them.

mod change;
mod content;
mod core;
mod extension;
mod follow;
pub(crate) mod http;
mod kept;
mod listing;
mod malformed;
mod misfit;
mod module;
mod names;
mod prompt;
mod resource;
mod result;
mod root;
mod schema;
pub(crate) mod scope;
mod search;
pub(crate) mod seat;
mod server;
mod skill;
mod stdio;
mod switch;
pub(crate) mod task;
pub(crate) mod trouble;
pub(crate) mod visit;

#[cfg(test)]
mod tests;

use aa_run::engine::Engine;
use aa_run::persona::Choice;

use listing::Listing;
pub use stdio::serve as serve_stdio;
pub(crate) use stdio::serve_over;

/// What whoever starts a server should know of what it shows at first: why that cannot be shown, or that it is too much.
pub fn doubts(engine: &Engine, choice: &Choice) -> Vec<String> {
    match engine.view(choice) {
        Ok(view) => {
            let listing = Listing::of(&view, engine.settings().clients.tool_budget);
            listing.too_many(&view).into_iter().collect()
        }
        Err(error) => vec![format!("clients see the core tools only: {error}")],
    }
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a client sees at first.
    pub choice: Choice,
    /// The longest message that is read, in bytes.
    pub message_bytes: usize,
    /// Whether the skills extension is spoken.
    pub skills_extension: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { choice: Choice::Persona("core".to_owned()), message_bytes: 4 << 20, skills_extension: false }
    }
}
