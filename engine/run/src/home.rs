//! Folders and discovery.
