//! Servers that keep to the protocol, and servers that do everything else.

mod hostile;
mod kit;
mod proof;
mod questions;
mod trust;
mod use_of_it;
