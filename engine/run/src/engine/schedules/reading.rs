//! The schedules as their files are now. Many of them take long to read, so what skills say is read by several threads
//! at once, kept for as long as the files are the same, and kept on disk for the next start.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::dialect;
use aa_spec::plan::digest;
use aa_spec::schedule::{Compiled, Patterns, Schedule, Zone, compile_sharing, names};
use aa_spec::source::{Lines, Source};
use aa_spec::yaml::Spanned;

use super::super::Engine;
use super::super::StartError;
use super::super::kept::Shelf;
use super::super::stamps::{Stamp, Stamps};
use crate::home::{Entry, Kind};
use crate::schedule::book::{Book, BookStamps, Broken, Known, Place};
use crate::settings::{Settings, config_file};

/// Skills with schedules of less text are read in a moment: nothing is kept on disk for them, and one thread reads.
const LITTLE: usize = 64 << 10;
/// More threads than this gain nothing.
const THREADS: usize = 8;
/// Books are kept on disk for so many folders.
const MOST: usize = 8;

/// A skill that has schedules, as it is written.
struct Written {
    source: Source,
    project: Option<Arc<Path>>,
}

/// The zone of schedules that name none, or what is wrong with it.
type Usual = Result<Zone, (String, String)>;

/// The schedules of a skill: each with its line.
type Read = Vec<(u32, Compiled)>;

/// A schedule that cannot run: its name, its line, and what is wrong.
type Wrong = (String, u32, Vec<Diagnostic>);

/// What is kept on disk: the schedules of skills that have no problem, by the digests of their texts.
type Pages<R> = BTreeMap<String, R>;

impl Engine {
    /// The schedules of the configuration and of skills, as their files are now.
    ///
    /// # Errors
    /// A folder or file of skills cannot be read.
    pub fn schedule_book(&self) -> Result<Arc<Book>, StartError> {
        let mut held = self.parts.book.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.parts.home.list(Kind::Skill)?;
        let stamps = Stamps::of(&entries);
        if let Some((of, book)) = &*held
            && *of == stamps
        {
            return Ok(Arc::clone(book));
        }
        let book = Arc::new(self.read_book(entries)?);
        *held = Some((stamps, Arc::clone(&book)));
        Ok(book)
    }

    /// What tells whether the schedules may have changed.
    ///
    /// # Errors
    /// A folder of skills cannot be read.
    pub(crate) fn schedule_stamps(&self) -> Result<BookStamps, StartError> {
        let mut config = Stamps::default();
        config.add(&config_file(&self.settings().config_folder));
        if let Some(folder) = &self.settings().project_folder {
            config.add(&config_file(folder));
        }
        Ok(BookStamps { config, skills: Stamps::of(&self.parts.home.list(Kind::Skill)?) })
    }

    fn read_book(&self, entries: Vec<Entry>) -> Result<Book, StartError> {
        let (zone, patterns) = (self.settings().zone(), Patterns::default());
        let mut book = Book::default();
        configured(self.settings(), (&zone, &patterns), &mut book);
        let written = self.written(entries)?;
        let sources: Vec<&Source> = written.iter().map(|skill| &skill.source).collect();
        let length: usize = sources.iter().map(|source| source.text.len()).sum();
        let read = match self.shelf(&zone).filter(|_| length >= LITTLE) {
            Some(shelf) => read_kept(&sources, (&zone, &patterns), &shelf),
            None => sources.iter().map(|source| read_skill(source, (&zone, &patterns))).collect(),
        };
        for (skill, (read, wrong)) in written.iter().zip(read) {
            skill.put(read, wrong, &patterns, &mut book);
        }
        Ok(book)
    }

    /// Where the schedules of this engine are kept on disk; none when it cannot be told that this is the same program.
    fn shelf(&self, zone: &Usual) -> Option<(Shelf, String)> {
        let settings = self.settings();
        let folders = (&settings.config_folder, &settings.project_folder, &settings.skills);
        let program = std::env::current_exe().ok().map(|path| Stamp::of(&path)).filter(Stamp::is_there)?;
        let shelf = Shelf::new(settings.state_folder.join("schedules"), MOST);
        Some((shelf, digest(format!("{program:?} {zone:?} {folders:?}"))))
    }

    /// The project whose schedules are read here, if there is one.
    pub(crate) fn project(&self) -> Option<&Path> {
        self.settings().project_folder.as_deref().and_then(Path::parent)
    }

    /// The skills that have schedules. Nearly all have none, which is told without reading YAML.
    fn written(&self, entries: Vec<Entry>) -> Result<Vec<Written>, StartError> {
        let folder = self.project().map(Arc::from);
        let mut written = Vec::new();
        for entry in entries {
            let source = self.parts.home.read(&entry)?;
            if source.text.lines().any(|line| line.starts_with("schedule")) {
                let project = folder.clone().filter(|_| entry.layer == "project");
                written.push(Written { source, project });
            }
        }
        Ok(written)
    }
}

impl Written {
    fn put(&self, read: Read, wrong: Vec<Wrong>, patterns: &Patterns, book: &mut Book) {
        let path = &self.source.path;
        let place = |line| Place { path: Arc::clone(path), line };
        for (line, mut compiled) in read {
            compiled.trigger.share(patterns);
            book.add(Known::new(compiled, self.project.clone(), place(line)));
        }
        let broken =
            wrong.into_iter().map(|(name, line, problems)| Broken { name, place: place(line), problems });
        book.broken.extend(broken);
    }
}

/// The schedules of the configuration.
fn configured(settings: &Settings, (zone, patterns): (&Usual, &Patterns), book: &mut Book) {
    let mut lines: Option<(&str, Lines)> = None;
    for written in &settings.scheduling.schedules {
        let path = &written.source.path;
        // Those of a file come one after the other.
        if lines.as_ref().is_none_or(|(of, _)| *of != &**path) {
            lines = Some((path, written.source.lines()));
        }
        let line = lines.as_ref().map_or(1, |(_, lines)| lines.line(written.name.span.start));
        let place = Place { path: Arc::clone(path), line };
        let named = (&written.name, &written.schedule);
        match compile(named, None, (&written.source, zone, patterns)) {
            Ok(compiled) => book.add(Known::new(compiled, written.project.clone(), place)),
            Err(problems) => {
                book.broken.push(Broken { name: written.name.value.clone(), place, problems });
            }
        }
    }
}

/// Takes what is kept of skills that are still the same, reads the others, and keeps all for the next time.
fn read_kept(
    skills: &[&Source],
    with: (&Usual, &Patterns),
    (shelf, name): &(Shelf, String),
) -> Vec<(Read, Vec<Wrong>)> {
    let marks: Vec<String> = skills.iter().map(|source| digest(&*source.text)).collect();
    let mut pages: Pages<Read> = shelf.read(name).unwrap_or_default();
    let before = pages.len();
    let kept: Vec<Option<Read>> = marks.iter().map(|mark| pages.remove(mark)).collect();
    let missing: Vec<&Source> =
        skills.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(source, _)| *source).collect();
    let is_same = missing.is_empty() && before == skills.len();
    let mut fresh = read_all(&missing, with).into_iter();
    let read: Vec<(Read, Vec<Wrong>)> = kept
        .into_iter()
        .map(|kept| kept.map_or_else(|| fresh.next().unwrap_or_default(), |read| (read, Vec::new())))
        .collect();
    if !is_same {
        let good = marks.into_iter().zip(&read).filter(|(_, (_, wrong))| wrong.is_empty());
        shelf.write(name, &good.map(|(mark, (read, _))| (mark, read)).collect::<Pages<&Read>>());
    }
    read
}

/// Reads skills by several threads. What was read is in the order of the skills.
fn read_all(skills: &[&Source], with: (&Usual, &Patterns)) -> Vec<(Read, Vec<Wrong>)> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS).min(skills.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let take = || next.fetch_add(1, Ordering::Relaxed);
        let turns = std::iter::repeat_with(take).take_while(|turn| *turn < skills.len());
        turns.map(|turn| (turn, read_skill(skills[turn], with))).collect::<Vec<_>>()
    };
    let mut read = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut read = work();
        for other in others {
            // A bug in a thread is one here.
            read.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        read
    });
    read.sort_unstable_by_key(|(turn, _)| *turn);
    read.into_iter().map(|(_, read)| read).collect()
}

fn read_skill(source: &Source, (zone, patterns): (&Usual, &Patterns)) -> (Read, Vec<Wrong>) {
    let (mut read, mut wrong) = (Read::new(), Vec::new());
    let Some(skill) = dialect::read(source).0 else { return (read, wrong) };
    let lines = source.lines();
    for (name, schedule) in skill.schedule.iter().flat_map(|of| names(&skill.name, of)) {
        let line = lines.line(name.span.start);
        match compile((&name, schedule), Some(&skill.name.value), (source, zone, patterns)) {
            Ok(compiled) => read.push((line, compiled)),
            Err(problems) => wrong.push((name.value, line, problems)),
        }
    }
    (read, wrong)
}

/// Compiles a schedule. Only one that goes by the clock and names no zone needs the usual one.
fn compile(
    (name, schedule): (&Spanned<String>, &Schedule),
    skill: Option<&str>,
    (source, usual, patterns): (&Source, &Usual, &Patterns),
) -> Result<Compiled, Vec<Diagnostic>> {
    let goes_by_clock = schedule.poll.is_none() && schedule.webhook.is_none();
    let zone = match usual {
        Ok(zone) => zone,
        Err((message, hint)) if schedule.timezone.is_none() && goes_by_clock => {
            return Err(vec![Diagnostic::error("bad-zone", source, name.span, message).hint(hint)]);
        }
        Err(_) => &Zone::UTC,
    };
    compile_sharing((name, schedule), skill, (source, zone, patterns))
}

#[cfg(test)]
mod tests;
