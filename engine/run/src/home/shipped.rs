//! Skills, tool modules and personas that are part of the binary.

use std::borrow::Cow;

use rust_embed::{EmbeddedFile, RustEmbed};

use super::Kind;

#[derive(RustEmbed)]
#[folder = "../../skills"]
#[allow_missing = true]
struct Skills;

#[derive(RustEmbed)]
#[folder = "../../tools"]
#[allow_missing = true]
struct Modules;

#[derive(RustEmbed)]
#[folder = "../../personas"]
#[allow_missing = true]
struct Personas;

/// File names of a kind; folders beside them hold what the files need, and none of the kind.
pub(super) fn names(kind: Kind) -> Vec<Cow<'static, str>> {
    let all: Vec<_> = match kind {
        Kind::Skill | Kind::Test => Skills::iter().collect(),
        Kind::Module => Modules::iter().collect(),
        Kind::Persona => Personas::iter().collect(),
    };
    all.into_iter().filter(|name| !name.contains('/')).collect()
}

/// The content of a file.
pub(super) fn get(kind: Kind, name: &str) -> Option<Cow<'static, [u8]>> {
    let file: Option<EmbeddedFile> = match kind {
        Kind::Skill | Kind::Test => Skills::get(name),
        Kind::Module => Modules::get(name),
        Kind::Persona => Personas::get(name),
    };
    file.map(|file| file.data)
}
