//! A persona as its author wrote it: what a client sees while it plays that part.
//!
//! ```yaml
//! name: release
//! description: Cutting releases and following them out
//! modules: [git, konflux_basic, quay]
//! tools: [slack_send_message]
//! skills: [release-notes, changelog-check]
//! ```

mod check;

pub mod exposed;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::check::{Known, check};
use self::exposed::{PromptSpec, ResourceSpec};
use crate::name::fold;
use crate::tool::Tier;
use crate::yaml::Spanned;

/// A persona: a part to play, and the tools and skills for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "aa persona")]
pub struct Persona {
    /// Name of the persona; equals the file's stem.
    pub name: Spanned<String>,
    /// What it is for, in a sentence.
    pub description: Spanned<String>,
    /// What an assistant is told when it plays the part, or the name of a file beside this one that
    /// ends in `.md` and says it; default: the file of the persona's name that ends in `.md`.
    #[serde(default)]
    pub text: Option<Spanned<String>>,
    /// Modules whose tools it sees: `git` and `git_basic` are the basic tools of the module `git`, `git_extra` the others.
    #[serde(default)]
    pub modules: Vec<Spanned<String>>,
    /// Single tools that it sees besides.
    #[serde(default)]
    pub tools: Vec<Spanned<String>>,
    /// Skills that it sees; default: all, and in a persona that is shipped all that are not.
    #[serde(default)]
    pub skills: Option<Vec<Spanned<String>>>,
    /// What a client can read besides runs, skills and memory.
    #[serde(default)]
    pub resources: Vec<ResourceSpec>,
    /// Prompts besides those of its skills.
    #[serde(default)]
    pub prompts: Vec<PromptSpec>,
}

/// Where the words come from that an assistant is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// They stand in the persona.
    Here(&'a str),
    /// They are a file beside it that has to be there.
    File(&'a str),
    /// They are the file of the persona's name, if there is one.
    Beside,
}

impl Persona {
    /// Where its words come from.
    pub fn words(&self) -> Text<'_> {
        match &self.text {
            None => Text::Beside,
            Some(text) if is_file(&text.value) => Text::File(text.value.trim()),
            Some(text) => Text::Here(&text.value),
        }
    }
}

/// Whether a text is the name of a file that holds the words.
fn is_file(text: &str) -> bool {
    let text = text.trim();
    !text.contains(char::is_whitespace)
        && std::path::Path::new(text).extension().is_some_and(|end| end == "md")
}

/// The module and the tier that a word under `modules` means; `is_module` knows the modules, by
/// canonical name.
pub fn module_form(word: &str, is_module: &dyn Fn(&str) -> bool) -> Option<(String, Tier)> {
    let word = fold(word);
    if is_module(&word) {
        return Some((word, Tier::Basic));
    }
    let forms = [("_basic", Tier::Basic), ("_extra", Tier::Extra)];
    let form = |(ending, tier)| Some((word.strip_suffix(ending)?.to_owned(), tier));
    forms.into_iter().find_map(form).filter(|(module, _)| is_module(module))
}
