//! What the YAML of `aa` says.
//!
//! Pure: no I/O, no async, no clock. Text comes in, values and diagnostics go out.
//! Reading order: [`source`] and [`diagnostic`] (where and what), [`yaml`] (text to a
//! tree with spans), [`shape`] (tree to authored types), [`dialect`] (what authors write
//! elsewhere, as what they mean), [`skill`], [`form`], [`tool`], [`heal`],
//! [`persona`], [`schedule`] and [`config`] (the authored types), [`template`] (the expression language),
//! [`compute`] (Python in skills), [`check`]
//! (authored to canonical), [`plan`] (the canonical form that runs), [`input`]
//! (values for a run), [`json`] (values that others have written, without loss), [`shell`] (scripts with values in them), [`stub`] and [`test`] (canned answers, and what must come of a run
//! with them), [`fix`] (texts mended), [`graph`] (the plan drawn), [`openapi`] (a description of a
//! service as a tool module), [`schema`] (JSON Schema of it all).

pub mod check;
pub mod compute;
pub mod config;
pub mod diagnostic;
pub mod dialect;
pub mod duration;
pub mod fix;
pub mod form;
pub mod graph;
pub mod heal;
pub mod input;
pub mod json;
pub mod name;
pub mod openapi;
pub mod persona;
pub mod plan;
pub mod schedule;
pub mod schema;
pub mod shape;
pub mod shell;
pub mod skill;
pub mod source;
pub mod stub;
pub mod template;
pub mod test;
pub mod tool;
pub mod yaml;
