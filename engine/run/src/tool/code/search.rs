//! Questions to an index, and the lines that answer them.

use std::collections::HashMap;
use std::fs;

use schemars::JsonSchema;
use serde::Serialize;

use super::chunk::language;
use super::index::Index;
use crate::store::terms;
use crate::tool::ToolError;
use crate::tool::file::glob::Glob;
use crate::tool::native::{Brake, invalid};

/// Most places that are given.
const MOST: usize = 100;
/// Most of them in one file.
const EACH: usize = 3;
/// Pieces that are looked at for a filter to let some through.
const LOOKED_AT: i64 = 5000;
/// Lines around the best one.
const AROUND: usize = 3;
/// Characters of a line.
const WIDTH: usize = 300;

/// What is looked for.
pub(super) struct Question {
    /// Terms of the index's own language.
    terms: Vec<String>,
    /// The words, in small letters.
    words: Vec<String>,
    limit: usize,
    file: Filter,
    kind: Kind,
}

enum Filter {
    Any,
    Glob(Glob),
    Part(String),
}

enum Kind {
    Any,
    Function,
    Class,
    Language(String),
}

/// A place that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Found {
    /// The file, relative to the project's folder.
    pub(super) path: String,
    /// Number of the best line, from 1.
    pub(super) line: usize,
    /// Number of the first line of `text`.
    pub(super) first_line: usize,
    /// The best line and those around it.
    pub(super) text: String,
    /// The language of the file, or the ending of its name.
    pub(super) language: String,
    /// How well it fits; more is better, and only comparable within one search.
    pub(super) score: f64,
}

/// A piece that was found.
struct Hit {
    path: String,
    language: String,
    first: usize,
    last: usize,
    function: bool,
    class: bool,
    rank: f64,
}

impl Question {
    pub(super) fn new(query: &str, limit: usize, file: &str, kind: &str) -> Result<Self, ToolError> {
        let terms = terms(query);
        if terms.is_empty() {
            return Err(invalid("the `query` has no word in it"));
        }
        let words = query.to_lowercase();
        let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1);
        let file = match file {
            "" => Filter::Any,
            glob if glob.contains(['*', '?', '[', '{']) => Filter::Glob(Glob::new(glob)?),
            part => Filter::Part(part.to_owned()),
        };
        let kind = match kind.to_lowercase().as_str() {
            "" => Kind::Any,
            "function" | "method" => Kind::Function,
            "class" | "type" | "struct" => Kind::Class,
            other => Kind::Language(language(&format!(".{}", other.trim_start_matches('.')))),
        };
        let words = words.map(str::to_owned).collect();
        Ok(Self { terms, words, limit: limit.clamp(1, MOST), file, kind })
    }

    fn wants(&self, hit: &Hit) -> bool {
        let name = hit.path.rsplit('/').next().unwrap_or(&hit.path);
        let file = match &self.file {
            Filter::Any => true,
            Filter::Glob(glob) => glob.fits(name, &hit.path),
            Filter::Part(part) => hit.path.contains(part.as_str()),
        };
        file && match &self.kind {
            Kind::Any => true,
            Kind::Function => hit.function,
            Kind::Class => hit.class,
            Kind::Language(wanted) => hit.language == *wanted,
        }
    }
}

impl Index {
    /// The places that fit best, and whether they have all of the words.
    pub(super) fn search(&self, question: &Question, brake: &Brake) -> Result<(Vec<Found>, bool), ToolError> {
        let found = self.places(question, " ", brake)?;
        if !found.is_empty() || question.terms.len() < 2 {
            return Ok((found, true));
        }
        Ok((self.places(question, " OR ", brake)?, false))
    }

    fn places(&self, question: &Question, joint: &str, brake: &Brake) -> Result<Vec<Found>, ToolError> {
        let hits = self.hits(&question.terms.join(joint)).map_err(|error| self.failed(&error))?;
        let mut places = Vec::new();
        let mut each: HashMap<String, usize> = HashMap::new();
        for hit in hits.into_iter().filter(|hit| question.wants(hit)) {
            brake.check()?;
            if places.len() == question.limit {
                break;
            }
            let count = each.entry(hit.path.clone()).or_default();
            *count += 1;
            if *count <= EACH {
                // A file that has gone since is no place any more.
                places.extend(self.place(question, &hit));
            }
        }
        Ok(places)
    }

    fn hits(&self, query: &str) -> rusqlite::Result<Vec<Hit>> {
        let mut select = self.db.prepare_cached(
            "select path, language, first, last, function, class, rank from
               (select rowid as chunk, bm25(words, 0.5, 1.0) as rank from words
                where words match ? order by rank limit ?)
             join chunks on chunks.id = chunk join files on files.id = file order by rank, path, first",
        )?;
        let rows = select.query_map((query, LOOKED_AT), |row| {
            let line =
                |index| Ok::<_, rusqlite::Error>(usize::try_from(row.get::<_, i64>(index)?).unwrap_or(1));
            Ok(Hit {
                path: row.get(0)?,
                language: row.get(1)?,
                first: line(2)?,
                last: line(3)?,
                function: row.get(4)?,
                class: row.get(5)?,
                rank: row.get(6)?,
            })
        })?;
        rows.collect()
    }

    /// The line of a piece that has most of the words, with those around it.
    fn place(&self, question: &Question, hit: &Hit) -> Option<Found> {
        let text = fs::read_to_string(self.root.join(&hit.path)).ok()?;
        let lines: Vec<&str> = text.lines().skip(hit.first - 1).take(hit.last + 1 - hit.first).collect();
        let score = |line: &str| {
            let line = line.to_lowercase();
            question.words.iter().map(|word| weight(&line, word)).sum::<usize>()
        };
        // Of equals the first.
        let best = (0..lines.len()).rev().max_by_key(|index| score(lines[*index]))?;
        let from = best.saturating_sub(AROUND);
        let shown: Vec<String> =
            lines.iter().skip(from).take(best - from + AROUND + 1).map(|line| cut(line)).collect();
        Some(Found {
            path: hit.path.clone(),
            line: hit.first + best,
            first_line: hit.first + from,
            text: shown.join("\n"),
            language: hit.language.clone(),
            score: (-hit.rank * 1000.0).round() / 1000.0,
        })
    }
}

/// How much a line has of a word: all of it, its beginning (the index knows a word by its
/// stem), or nothing.
fn weight(line: &str, word: &str) -> usize {
    let length = word.chars().count();
    let stem: String = word.chars().take(length.saturating_sub(3).max(4)).collect();
    if line.contains(word) { 2 } else { usize::from(line.contains(&stem)) }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
