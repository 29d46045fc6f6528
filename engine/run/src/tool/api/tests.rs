//! Modules over HTTP against a real server on a free loopback port.

mod behave;
mod kit;
mod limit;
mod page;
mod protect;
mod send;
