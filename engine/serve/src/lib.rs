//! How others reach the engine.
//!
//! Reading order: [`mcp`] (skills and tools for AI clients), [`http`] (the server that carries
//! it over HTTP); `audit` notes who called what. Nothing here decides anything about skills or runs: that is the engine's.

mod audit;
pub mod http;
pub mod mcp;
