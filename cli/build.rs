//! Links a release so that it starts fast.
//!
//! Most of what a short command takes is the kernel's: it maps the binary in where it is touched
//! and writes to the pages that hold addresses. So the functions that a start runs through are laid
//! side by side (`startup.order`, written by `benches/startup-order`), and addresses are told to the
//! loader in the compact form. Names that are not there any more are passed over: an order that has
//! grown old costs speed and nothing else.

use std::env;
use std::process::Command;

/// The first glibc that reads the compact form; an older one would not start the binary.
const READS_COMPACT: (u32, u32) = (2, 36);

fn main() {
    let order = concat!(env!("CARGO_MANIFEST_DIR"), "/startup.order");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={order}");
    if !links_as_usual() || env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return;
    }
    println!("cargo::rustc-link-arg-bins=-Wl,--symbol-ordering-file={order},--no-warn-symbol-ordering");
    if glibc().is_some_and(|version| version >= READS_COMPACT) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Whether the linker is the one that Rust brings along on this platform: another one need not know
/// these options, and this machine's glibc says nothing about another machine.
fn links_as_usual() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);
    let usual = "x86_64-unknown-linux-gnu";
    let chosen = env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    is("TARGET", usual) && is("HOST", usual) && !chosen && env::var("RUSTC_LINKER").is_err()
}

/// The version of this machine's C library.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
