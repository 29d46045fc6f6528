//! The dashboard in a real browser, and what is sent to it.

mod pages;
mod support;
mod wire;
