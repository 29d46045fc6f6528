//! Builds again when the files embedded by `src/home/shipped.rs` change.

fn main() {
    for folder in ["skills", "tools", "personas"] {
        println!("cargo::rerun-if-changed=../../{folder}");
    }
}
