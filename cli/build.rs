//! Links a release so that it starts fast.
//!
//! Most of what a short command takes is the kernel's: it maps the binary in where it is touched
//! and writes to the pages that hold addresses. So the functions that a start runs through are laid
//! side by side (`startup.order`, written by `benches/startup-order`), and the binary has its place
//! in memory from the start, as those of Go have: otherwise each page with an address in it, and
//! there are more than two hundred, is copied and written to before the first line of ours runs.
//! Names that are not there any more are passed over: an order that has grown old costs speed and
//! nothing else.
//!
//! What unwinds the stack (`libgcc_eh.a`, which comes with every GCC) is linked in for the same reason: as a library
//! of its own it is opened, mapped and asked for its symbols at each start, and asks the processor what it can do.
//!
//! Whoever wants the binary's place to be chosen anew at each start, as its stack, its heap and the
//! libraries' places are in any case, builds it with `RUSTFLAGS="-C relocation-model=pie"`.

use std::env;

fn main() {
    let order = concat!(env!("CARGO_MANIFEST_DIR"), "/startup.order");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={order}");
    if !links_as_usual() || env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return;
    }
    println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    println!("cargo::rustc-link-arg-bins=-Wl,--symbol-ordering-file={order},--no-warn-symbol-ordering");
    if !flags().contains("relocation-model") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

/// Whether the linker is the one that Rust brings along on this platform: another one need not know
/// these options.
fn links_as_usual() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);
    let usual = "x86_64-unknown-linux-gnu";
    let chosen = flags().contains("link");
    is("TARGET", usual) && is("HOST", usual) && !chosen && env::var("RUSTC_LINKER").is_err()
}

/// What whoever builds tells the compiler.
fn flags() -> String {
    env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default()
}
