//! A persona as its author wrote it: what a client sees while it plays that part.

pub mod exposed;

use schemars::JsonSchema;
use serde::Deserialize;

use self::exposed::{PromptSpec, ResourceSpec};
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
    /// What an assistant is told when it plays the part; default: the file of the same name that ends in `.md`.
    #[serde(default)]
    pub text: Option<Spanned<String>>,
    /// Modules whose basic tools it sees.
    #[serde(default)]
    pub modules: Vec<Spanned<String>>,
    /// Single tools that it sees besides.
    #[serde(default)]
    pub tools: Vec<Spanned<String>>,
    /// Skills that it sees; default: all.
    #[serde(default)]
    pub skills: Option<Vec<Spanned<String>>>,
    /// What a client can read besides runs, skills and memory.
    #[serde(default)]
    pub resources: Vec<ResourceSpec>,
    /// Prompts besides those of its skills.
    #[serde(default)]
    pub prompts: Vec<PromptSpec>,
}
