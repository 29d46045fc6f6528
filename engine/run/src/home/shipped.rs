//! Skills, tool modules and personas that are part of the binary.

use super::Kind;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// What a file holds.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Text(&'static str),
    Bytes(&'static [u8]),
}

/// Names of the files of a kind; folders beside them hold what the files need, and none of the kind.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    table(kind).iter().map(|(name, _)| *name).filter(|name| !name.contains('/'))
}

/// The content of a file, by its path in the folder of the kind.
pub(super) fn get(kind: Kind, name: &str) -> Option<Content> {
    let table = table(kind);
    table.binary_search_by_key(&name, |(name, _)| name).ok().map(|at| table[at].1)
}

/// By name.
fn table(kind: Kind) -> &'static [(&'static str, Content)] {
    match kind {
        Kind::Skill | Kind::Test => SKILLS,
        Kind::Module => MODULES,
        Kind::Persona => PERSONAS,
    }
}

impl Content {
    /// As bytes.
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}
