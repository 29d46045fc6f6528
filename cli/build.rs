//! Links a release so that it starts fast.
//!
//! Most of what a short command takes is the kernel's and the loader's: the binary is mapped in where it is touched,
//! and pages that hold addresses are written to. So
//!
//! * the functions that a start runs through are laid side by side (`startup.order`, written by
//!   `benches/startup-order`). Names that are not there any more are passed over: an order that has grown old costs
//!   speed and nothing else;
//! * the binary has its place in memory from the start, as those of Go have: otherwise each page with an address in
//!   it, and there are more than two hundred, is copied and written to before the first line of ours runs. Whoever
//!   wants the place to be chosen anew at each start, as those of its stack, its heap and its threads are in any
//!   case, builds it with `RUSTFLAGS="-C relocation-model=pie"`;
//! * the system's libraries are linked in, where the compiler has them as archives: otherwise they are opened, mapped
//!   and asked for their symbols at each start. Names of hosts are then looked up as `files` and `dns` of
//!   `nsswitch.conf` do; another source needs the very libraries that the binary was built with. Whoever wants the
//!   libraries of the machine that it runs on builds it with `RUSTFLAGS="-C target-feature=-crt-static"`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Libraries that the standard library asks for, and the archives that stand in for them.
const ARCHIVES: [(&str, &str); 3] = [("c", "libc.a"), ("m", "libm.a"), ("gcc_s", "libgcc_eh.a")];

/// Functions that the standard library uses where they are there, and the linker would leave in their archive: without
/// the first a process is started by copying this one.
const USED_IF_THERE: [&str; 7] = [
    "posix_spawn_file_actions_addchdir_np",
    "pidfd_spawnp",
    "pidfd_getpid",
    "__cxa_thread_atexit_impl",
    "copy_file_range",
    "gettid",
    "statx",
];

fn main() -> io::Result<()> {
    let order = concat!(env!("CARGO_MANIFEST_DIR"), "/startup.order");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={order}");
    if !links_as_usual() || env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return Ok(());
    }
    println!("cargo::rustc-link-arg-bins=-Wl,--symbol-ordering-file={order},--no-warn-symbol-ordering");
    if flags().contains("relocation-model") {
        return Ok(());
    }
    println!("cargo::rustc-link-arg-bins=-no-pie");
    if !flags().contains("crt-static") && ARCHIVES.iter().all(|(_, archive)| is_there(archive)) {
        println!("cargo::rustc-link-arg-bins=-static");
        for function in USED_IF_THERE {
            println!("cargo::rustc-link-arg-bins=-Wl,--undefined-glob={function}");
        }
        println!("cargo::rustc-link-arg-bins=-L{}", stand_ins()?.display());
    }
    Ok(())
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

/// Whether the compiler has an archive; one that it has not is answered with its bare name.
fn is_there(archive: &str) -> bool {
    let asked = Command::new("cc").arg(format!("-print-file-name={archive}")).output();
    asked.is_ok_and(|found| Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_absolute())
}

/// A folder in which the linker finds the archives under the names of the libraries. `crt-static` would do the same,
/// and is only to be had for all crates at once, of which those that run in the compiler cannot be built with it.
fn stand_ins() -> io::Result<PathBuf> {
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("archives");
    fs::create_dir_all(&folder)?;
    for (library, archive) in ARCHIVES {
        fs::write(folder.join(format!("lib{library}.so")), format!("INPUT(-l:{archive})\n"))?;
    }
    Ok(folder)
}
