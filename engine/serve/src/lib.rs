//! How others reach the engine.
//!
//! Reading order: [`mcp`] (skills and tools for AI clients), [`http`] (the server that carries
//! it over HTTP), [`api`] (what can be asked over plain HTTP), `events` (what happens, while it does), `dashboard` (pages for people); [`metrics`] (what it is all at, in numbers), [`traces`] (what runs did, told to a collector); [`local`] (what commands on this machine ask a daemon); `audit` notes who called what. Nothing here decides anything about skills or runs: that is the engine's.

pub mod api;
mod audit;
mod dashboard;
mod events;
pub mod http;
pub mod local;
pub mod mcp;
pub mod metrics;
pub mod traces;
