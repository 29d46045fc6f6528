//! Tests of the module through its tools.
