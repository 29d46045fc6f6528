//! `aa serve` for programs: the API, and what happens as it does.

mod audit;
mod contract;
mod events;
mod events_port;
mod grants;
mod mistakes;
mod reads;
mod runs;
mod schedules;
pub(crate) mod support;
mod tenants;
mod tokens;
