//! Lines that a regular expression finds, in one file or in all below a folder.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use aa_spec::tool::Effect;
use async_trait::async_trait;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::Glob;
use super::tree::Walk;
use super::{cannot, open, resolve_tree};
use crate::tool::native::{Brake, Face, Native, blocking, invalid};
use crate::tool::{CallContext, ToolError};

/// `file_search`.
pub(in crate::tool) struct FileSearch;

/// A longer line is counted as skipped, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct SearchArgs {
    /// The file, or the folder whose files to search, relative to the run's folder.
    #[serde(default = "here")]
    path: String,
    /// Regular expression to find in a line.
    pattern: String,
    /// Whether capital and small letters are the same.
    #[serde(default)]
    ignore_case: bool,
    /// Only files that fit: a name like `*.log`, or a path like `src/**/*.rs`.
    #[serde(default)]
    files: Option<String>,
    /// Whether to search files whose names begin with a dot.
    #[serde(default)]
    hidden: bool,
    /// Give at most so many; `total` counts all of them.
    #[serde(default = "limit")]
    limit: usize,
}

#[derive(Default, Serialize, JsonSchema)]
pub(in crate::tool) struct Found {
    /// The first matches, up to `limit`.
    matches: Vec<Match>,
    /// How many lines match in all.
    total: usize,
    /// How many files were searched.
    files: usize,
    /// Files not searched, because they are no text or cannot be read.
    skipped_files: usize,
    /// Lines not searched, because they are longer than 64 KiB.
    skipped_lines: usize,
}

#[derive(Serialize, JsonSchema)]
struct Match {
    /// The file.
    path: String,
    /// Number of the line, from 1.
    line: usize,
    /// The line.
    text: String,
}

fn here() -> String {
    ".".to_owned()
}

const fn limit() -> usize {
    1000
}

#[async_trait]
impl Native for FileSearch {
    type Args = SearchArgs;
    type Output = Found;

    const FACE: Face = Face {
        name: "file_search",
        module: "file",
        description: "Lines of text files that match a regular expression",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: SearchArgs) -> Result<Found, ToolError> {
        let root = resolve_tree(context, &args.path)?;
        let glob = args.files.as_deref().map(Glob::new).transpose()?;
        let regex = RegexBuilder::new(&args.pattern)
            .case_insensitive(args.ignore_case)
            .build()
            .map_err(|_| invalid(format!("`{}` is not a regular expression", args.pattern)))?;
        blocking(context, move |brake| {
            let mut search = Search { regex, limit: args.limit, found: Found::default() };
            let metadata = fs::metadata(&root).map_err(|error| cannot("search", &root, &error))?;
            if metadata.is_file() {
                search.file(&root, &args.path, brake)?;
            } else {
                let walk = Walk { root: &root, shown: &args.path, hidden: args.hidden, depth: None };
                walk.each(brake, &mut |visit| {
                    let wanted = visit.metadata.is_file()
                        && glob.as_ref().is_none_or(|glob| glob.fits(visit.name, visit.below));
                    if wanted { search.file(visit.path, &visit.shown_path(), brake) } else { Ok(()) }
                })?;
            }
            Ok(search.found)
        })
        .await
    }
}

struct Search {
    regex: Regex,
    limit: usize,
    found: Found,
}

impl Search {
    fn file(&mut self, path: &Path, shown: &str, brake: &Brake) -> Result<(), ToolError> {
        let Ok(file) = open(path) else {
            self.found.skipped_files += 1;
            return Ok(());
        };
        let mut reader = BufReader::with_capacity(LONGEST_LINE, file);
        let start = reader.fill_buf().map_err(|error| cannot("search", path, &error))?;
        if start.contains(&0) {
            self.found.skipped_files += 1;
            return Ok(());
        }
        self.found.files += 1;
        let mut line = Vec::new();
        for number in 1.. {
            if number % 1024 == 0 {
                brake.check()?;
            }
            line.clear();
            let mut bounded = reader.by_ref().take(LONGEST_LINE as u64);
            let count =
                bounded.read_until(b'\n', &mut line).map_err(|error| cannot("search", path, &error))?;
            if count == 0 {
                break;
            }
            if count == LONGEST_LINE && line.last() != Some(&b'\n') {
                self.found.skipped_lines += 1;
                reader.skip_until(b'\n').map_err(|error| cannot("search", path, &error))?;
            } else {
                self.line(&line, shown, number);
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], shown: &str, number: usize) {
        let line = String::from_utf8_lossy(line);
        let text = line.trim_end_matches(['\n', '\r']);
        if self.regex.is_match(text) {
            self.found.total += 1;
            if self.found.matches.len() < self.limit {
                self.found.matches.push(Match {
                    path: shown.to_owned(),
                    line: number,
                    text: text.to_owned(),
                });
            }
        }
    }
}
