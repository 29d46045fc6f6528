//! Writes down what is part of the binary, for `src/home/shipped.rs`: every file below `skills`, `tools` and
//! `personas`, by its path there. What is text is checked here, so that no start has to.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tables = String::new();
    for (table, folder) in [("SKILLS", "skills"), ("MODULES", "tools"), ("PERSONAS", "personas")] {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        gather(&folder, &mut files)?;
        let mut named: Vec<_> = files.iter().map(|path| (name(&folder, path), path)).collect();
        named.sort();
        let _ = writeln!(tables, "static {table}: &[(&str, Content)] = &[");
        for (name, path) in named {
            let is_text = String::from_utf8(fs::read(path)?).is_ok();
            // What is read as YAML lies beside what it needs, and in no folder.
            assert!(
                is_text || name.contains('/') || path.extension().is_none_or(|ending| ending != "yaml"),
                "{} is no text",
                path.display()
            );
            let kind = if is_text { "Text(include_str!" } else { "Bytes(include_bytes!" };
            let path = path.to_string_lossy();
            let _ = writeln!(tables, "    ({name:?}, Content::{kind}({path:?}))),");
        }
        tables.push_str("];\n");
    }
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("shipped.rs"), tables)
}

/// Every file below a folder.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { gather(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// The path below the folder, with `/` on every system.
fn name(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
