//! `aa serve` for programs: the API, and what happens as it does.

mod contract;
mod events;
mod events_port;
mod runs;
pub(crate) mod support;
