//! The resolved configuration.
