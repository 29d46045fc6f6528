//! The façade that every front end uses.
