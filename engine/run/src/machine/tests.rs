//! The machine by tables: a skill, what its tools answer, and the events that follow.

mod blocks;
mod cases;
mod computing;
mod healing;
mod journals;
mod kit;
mod misfits;
mod properties;
mod recovery;
mod reference;
mod undoing;
mod waiting;
