//! What a process pays before it can call its first tool.
//!
//! `cargo bench -p aa-run --bench toolbox`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use aa_run::store::LazyStore;
use aa_run::tool::ephemeral::Defaults;
use aa_run::tool::process::Environment;
use aa_run::toolbox::{ModuleText, Toolbox, ToolboxOptions};
use aa_spec::source::Source;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools");
    let modules: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| ModuleText {
            layer: "shipped".to_owned(),
            source: Source::new(path.to_str().unwrap(), std::fs::read_to_string(&path).unwrap()),
        })
        .collect();
    let toolbox = || {
        let options = ToolboxOptions {
            environment: Environment::new(std::env::vars_os()),
            output_bytes: 1024,
            proxy: None,
            ca: None,
            configuration: aa_run::tool::configuration::Configuration::default(),
            state_folder: "/".into(),
            open_folders: Vec::new(),
            store: LazyStore::default(),
            logins: aa_run::tool::Logins::default(),
            ephemeral: Defaults::default(),
        };
        Toolbox::new(modules.clone(), &options)
    };
    for name in ["echo", "shell", "file_read", "http_get", "ephemeral_build", "disk_free", "git_log"] {
        let first = median(|| toolbox().tool(name).is_some());
        println!("{name:<18} found first in {first:>10.1?}");
    }
    println!("every tool in {:>10.1?}", median(|| toolbox().specs().len()));
}

fn median<T>(work: impl Fn() -> T) -> Duration {
    let mut times: Vec<_> = (0..50)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
