//! What schedules use, held against what there is before they are due. That reads every text once more and checks
//! every skill that is run, so it is done when somebody looks, and kept for as long as nothing has changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, Weak};

use aa_spec::check::{Missed, Personas, Strictness, check_uses};
use aa_spec::diagnostic::{Diagnostic, Severity};
use aa_spec::dialect;
use aa_spec::name::fold;
use aa_spec::plan::SkillPlan;
use aa_spec::schedule::{Schedule, Trigger, names};
use aa_spec::source::{Source, Span};
use aa_spec::yaml::Spanned;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::personas::Word;
use super::super::{Catalogue, CheckedSkill, Engine, StartError, catalog};
use crate::event::Time;
use crate::home::{Entry, Kind};
use crate::persona::{Choice, ViewError};
use crate::schedule::book::{Book, Known, key};
use crate::settings::WrittenSchedule;

/// More schedules than this are not looked through at a start: it would take longer than the start.
const MANY: usize = 5_000;

/// Something that is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScheduleFault {
    /// Its code, such as `unknown-input`.
    pub code: String,
    /// File and line.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// What is wrong with schedules, by their keys.
pub(super) type Faults = HashMap<Arc<str>, Vec<Diagnostic>>;

/// A schedule by its key, and what is wrong with it.
type Faulty = (Arc<str>, Vec<Diagnostic>);

/// The faults of a book, for as long as neither it nor what there is has changed.
pub(in crate::engine) struct KeptFaults {
    book: Arc<Book>,
    /// Not kept alive: with it would go on what its modules have started.
    catalogue: Weak<Catalogue>,
    faults: Arc<Faults>,
}

impl ScheduleFault {
    pub(super) fn of(problem: &Diagnostic) -> Self {
        Self {
            code: problem.code.to_owned(),
            place: format!("{}:{}", problem.source.path, problem.place().line),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

impl std::fmt::Display for ScheduleFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} [{}]", self.place, self.message, self.code)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

impl Engine {
    /// Everything that is wrong or doubtful with the schedules of the configuration beyond their form.
    ///
    /// # Errors
    /// A folder or file of skills or modules cannot be read.
    pub fn check_schedules(&self, now: Time) -> Result<Vec<Diagnostic>, StartError> {
        let book = self.schedule_book()?;
        let written: Vec<&WrittenSchedule> = self.settings().scheduling.schedules.iter().collect();
        let mut found: Vec<Diagnostic> =
            self.of_files(&written)?.into_iter().flat_map(|(_, all)| all).collect();
        // Their form is known to be good; where this process runs, they may not be.
        let is_written = |path: &str| written.iter().any(|written| *written.source.path == *path);
        let broken = book.broken.iter().filter(|broken| is_written(&broken.place.path));
        found.extend(broken.flat_map(|broken| broken.problems.iter().cloned()));
        for written in written {
            let known = book.known.get(&key_of(written));
            found.extend(known.and_then(|known| past(known, written, now)));
        }
        Ok(found)
    }

    /// Everything that is wrong with the schedules that a checked skill has, beyond their form.
    ///
    /// # Errors
    /// Modules cannot be read.
    pub fn check_schedules_of(&self, skill: &CheckedSkill) -> Result<Vec<Diagnostic>, StartError> {
        let Some(plan) = &skill.plan else { return Ok(Vec::new()) };
        Ok(self
            .of_skill(&skill.source, &plan.skill)?
            .into_iter()
            .flat_map(|(_, problems)| problems)
            .collect())
    }

    /// What is wrong with the schedules of a book.
    pub(super) fn schedule_faults(&self, book: &Arc<Book>) -> Result<Arc<Faults>, StartError> {
        let catalogue = Arc::downgrade(&self.catalogue()?);
        let mut held = self.parts.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*held
            && Arc::ptr_eq(&kept.book, book)
            && kept.catalogue.ptr_eq(&catalogue)
        {
            return Ok(Arc::clone(&kept.faults));
        }
        let all: Vec<&Known> = book.known.values().map(|known| &**known).collect();
        let faults = Arc::new(self.faults_of(&all)?);
        *held = Some(KeptFaults { book: Arc::clone(book), catalogue, faults: Arc::clone(&faults) });
        Ok(faults)
    }

    /// Says in the log which schedules cannot run, in a thread of its own.
    pub(crate) fn warn_of_faults(&self, book: &Arc<Book>) {
        if book.known.len() > MANY {
            return;
        }
        for broken in &book.broken {
            for fault in broken.problems.iter().map(ScheduleFault::of) {
                tracing::warn!(schedule = broken.name, "cannot run: {fault}");
            }
        }
        let (engine, book) = (self.clone(), Arc::clone(book));
        std::thread::spawn(move || match engine.schedule_faults(&book) {
            Ok(faults) => {
                for (key, problems) in &*faults {
                    let Some(known) = book.known.get(key) else { continue };
                    for fault in problems.iter().map(ScheduleFault::of) {
                        tracing::warn!(schedule = known.compiled.name, "cannot run: {fault}");
                    }
                }
            }
            Err(error) => tracing::warn!("schedules could not be checked: {error}"),
        });
    }

    /// What is wrong with some schedules.
    pub(super) fn faults_of(&self, all: &[&Known]) -> Result<Faults, StartError> {
        let of_files = self.settings().scheduling.schedules.iter();
        let of_files: HashMap<Arc<str>, &WrittenSchedule> =
            of_files.map(|written| (key_of(written), written)).collect();
        let (mut written, mut of_skills) = (Vec::new(), BTreeMap::<&str, Vec<&Known>>::new());
        for known in all {
            // One in a skill may have the same name.
            match of_files.get(&known.key).filter(|written| written.source.path == known.place.path) {
                Some(of_file) => written.push(*of_file),
                None => of_skills.entry(&known.place.path).or_default().push(known),
            }
        }
        written.sort_by(|a, b| a.source.path.cmp(&b.source.path));
        let mut faults: Faults = self.of_files(&written)?.into_iter().collect();
        faults.extend(self.of_skills(of_skills)?);
        for problems in faults.values_mut() {
            problems.retain(|problem| problem.severity == Severity::Error);
        }
        faults.retain(|_, problems| !problems.is_empty());
        Ok(faults)
    }

    /// What is wrong with schedules that stand in skills, by the paths of these.
    fn of_skills(&self, all: BTreeMap<&str, Vec<&Known>>) -> Result<Vec<Faulty>, StartError> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self.parts.home.list(Kind::Skill)?;
        let entries: HashMap<&str, &Entry> =
            entries.iter().map(|entry| (entry.shown.as_str(), entry)).collect();
        let mut found = Vec::new();
        for (path, all) in all {
            if let Some(entry) = entries.get(path) {
                found.extend(self.of_entry(entry, &all)?);
            }
        }
        Ok(found)
    }

    /// What is wrong with schedules of the configuration, file by file.
    fn of_files(&self, written: &[&WrittenSchedule]) -> Result<Vec<Faulty>, StartError> {
        let (toolbox, personas) = (self.parts.toolbox()?, OfEngine(self));
        let shelves = catalog::shelves(&self.parts, toolbox);
        let mut found = Vec::new();
        for of_file in written.chunk_by(|a, b| a.source.path == b.source.path) {
            let all = of_file.iter().map(|written| (&written.name, &written.schedule));
            let problems = check_uses(all, None, &of_file[0].source, (&shelves, &personas));
            found.extend(of_file.iter().map(|written| key_of(written)).zip(problems));
        }
        Ok(found)
    }

    /// What is wrong with the schedules that a skill has, by their canonical names.
    fn of_skill(
        &self,
        source: &Source,
        plan: &SkillPlan,
    ) -> Result<Vec<(String, Vec<Diagnostic>)>, StartError> {
        let Some(skill) = dialect::read(source).0.filter(|skill| skill.schedule.is_some()) else {
            return Ok(Vec::new());
        };
        let all: Vec<(Spanned<String>, &Schedule)> =
            skill.schedule.iter().flat_map(|of| names(&skill.name, of)).collect();
        let (toolbox, personas) = (self.parts.toolbox()?, OfEngine(self));
        let shelves = catalog::shelves(&self.parts, toolbox);
        let written = all.iter().map(|(name, schedule)| (name, *schedule));
        let problems = check_uses(written, Some(plan), source, (&shelves, &personas));
        Ok(all.iter().map(|(name, _)| fold(&name.value)).zip(problems).collect())
    }

    /// What is wrong with schedules that stand in the skill of an entry.
    fn of_entry(&self, entry: &Entry, all: &[&Known]) -> Result<Vec<Faulty>, StartError> {
        let toolbox = self.parts.toolbox()?;
        let checked = catalog::check_entry(&self.parts, entry, Strictness::default(), &toolbox)?;
        let skill = all.first().map(|known| known.compiled.skill.as_str()).unwrap_or_default();
        let whole = match &checked.plan {
            // A run looks for it by the name of its file.
            Some(_) if !self.has_skill(skill) => Some((
                "unknown-skill",
                format!("there is no skill `{skill}`"),
                "give skill and file the same name",
            )),
            Some(_) => None,
            None => Some((
                "faulty-skill",
                format!("the skill `{skill}` has errors"),
                "`aa skill check` says more",
            )),
        };
        if let Some((code, message, hint)) = whole {
            let at = |known: &&Known| span_of_line(&checked.source, known.place.line);
            let problem =
                |known| Diagnostic::error(code, &checked.source, at(known), message.clone()).hint(hint);
            return Ok(all.iter().map(|known| (Arc::clone(&known.key), vec![problem(known)])).collect());
        }
        let Some(plan) = &checked.plan else { return Ok(Vec::new()) };
        let mut found: HashMap<String, Vec<Diagnostic>> =
            self.of_skill(&checked.source, &plan.skill)?.into_iter().collect();
        let of = |known: &&Known| Some((Arc::clone(&known.key), found.remove(&known.compiled.name)?));
        Ok(all.iter().filter_map(of).collect())
    }
}

/// The personas of an engine.
struct OfEngine<'a>(&'a Engine);

impl Personas for OfEngine<'_> {
    fn misses(&self, persona: &str, skill: &str) -> Option<Missed> {
        match self.0.whole_view(&Choice::Persona(persona.to_owned()), Word::Nearest) {
            Ok(view) if view.skills.iter().any(|card| card.name == fold(skill)) => None,
            Ok(_) => Some(Missed::Lacking),
            Err(ViewError::UnknownPersona { .. }) => Some(Missed::Unknown),
            Err(_) => Some(Missed::Faulty),
        }
    }

    fn names(&self) -> Vec<String> {
        let known = self.0.parts.home.list(Kind::Persona).unwrap_or_default();
        known.into_iter().map(|entry| entry.name).collect()
    }
}

fn key_of(written: &WrittenSchedule) -> Arc<str> {
    key(written.project.as_deref(), &fold(&written.name.value))
}

/// That the only moment of a schedule has passed.
fn past(known: &Known, written: &WrittenSchedule, now: Time) -> Option<Diagnostic> {
    let (Trigger::At(moment), Some(at)) = (&known.compiled.trigger, &written.schedule.at) else {
        return None;
    };
    if *moment > now {
        return None;
    }
    let message = format!("`{}` has passed, so it is never due again", at.value);
    let problem = Diagnostic::warning("never-due", &written.source, at.span, message);
    Some(problem.hint("write a moment to come, or take the schedule out"))
}

/// All of a line, from 1.
fn span_of_line(source: &Source, line: u32) -> Span {
    let before: usize =
        source.text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
    let length = source.text[before..].lines().next().map_or(0, str::len);
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: offset(before), end: offset(before + length) }
}
