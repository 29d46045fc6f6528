//! The configuration file as its author wrote it.
