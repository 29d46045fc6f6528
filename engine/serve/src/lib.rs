//! How others reach the engine: servers in front of it.
