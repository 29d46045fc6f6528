//! Builds again when the files embedded by `src/home/shipped.rs` change.

#![expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]

fn main() {
    for folder in ["skills", "tools", "personas"] {
        println!("cargo::rerun-if-changed=../../{folder}");
    }
}
