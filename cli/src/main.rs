//! The `aa` binary.
fn main() {}
