//! How others reach the engine.
//!
//! Reading order: [`mcp`] (skills and tools for AI clients), [`http`] (the server that carries
//! it over HTTP). Nothing here decides anything about skills or runs: that is the engine's.

pub mod http;
pub mod mcp;
