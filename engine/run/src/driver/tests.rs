//! The driver with tools, journal and clock that tests hold in their hands.

mod blocks;
mod draining;
mod journal;
mod kit;
mod limits;
mod loops;
#[cfg(feature = "compute")]
mod python;
mod questions;
mod reads;
mod requests;
