//! Tools looked into, and their definitions mended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aa_spec::diagnostic::has_errors;
use aa_spec::source::Source;
use aa_spec::tool::recipe;
use serde_json::Value;

use super::heal::Layer;
use super::mend::replace;
use super::{Engine, StartError};
use crate::cause::cause;
use crate::debug::{self, Patch, Subject, ToolReport, Trusted};
use crate::event::Origin;
use crate::home::Kind;
use crate::store::StoreError;

/// A change to a tool's definition, ready to be made.
#[derive(Clone, Debug)]
pub struct ToolFix {
    /// The tool.
    pub tool: String,
    /// What is changed.
    pub patch: Patch,
    /// The file that will be written.
    pub target: PathBuf,
    /// The module is shipped or a farther one, and is copied there first.
    pub copied: bool,
    /// The module's text as it is.
    before: String,
}

/// What became of a fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is in a commit of its own.
    Yes,
    /// The file is not under version control.
    NotTracked,
    /// The file had changes before that are in no commit.
    Edited,
    /// Git says no, for this reason.
    Refused(String),
}

/// How Git knew the file of a fix before that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// There was none.
    Missing,
    /// Git did not know it.
    Untracked,
    /// It was as in the last commit.
    Committed,
    /// It had changes that are in no commit, or that cannot be told.
    Edited,
}

impl Engine {
    /// Everything that is known about why a tool fails. `said` is what it said, if that is known. An
    /// MCP server that has the tool is asked, which may take some seconds.
    ///
    /// # Errors
    /// There is no such tool, or the store or a module cannot be read.
    pub fn debug_tool(&self, name: &str, said: &str) -> Result<ToolReport, StartError> {
        let toolbox = self.parts.toolbox()?;
        let Some(tool) = toolbox.tool(name).filter(|_| self.shows_tool(name)) else {
            let why = if self.shows_tool(name) { self.why_missing(name)? } else { String::new() };
            let why = if why.is_empty() { why } else { format!("\n{why}") };
            return Err(StartError::Refused(format!("there is no tool `{name}`{why}")));
        };
        let definition = toolbox.definition(name);
        let store = self.parts.lazy_store();
        let mut server = toolbox.trusted(name);
        if self.caller.origin != Origin::Cli {
            server.iter_mut().for_each(Trusted::withhold);
        }
        let (tenant, sees) = (&self.caller.tenant, |run| Ok(self.run(run).is_ok()));
        let subject = Subject { spec: tool.spec(), definition, said, server, tenant, sees: &sees };
        Ok(debug::report(subject, store)?)
    }

    /// What the memory of the caller's tenant knows of failures of a tool that say this.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn known_issues(&self, tool: &str, said: &str) -> Result<Vec<Value>, StoreError> {
        debug::issues(&self.parts.store()?, &self.caller.tenant, (tool, said))
    }

    /// The change that would mend a tool, if a rule knows one.
    ///
    /// # Errors
    /// Those of [`Self::debug_tool`]; or the file to write is another module's.
    pub fn tool_fix(&self, name: &str, said: &str) -> Result<Option<ToolFix>, StartError> {
        let report = self.debug_tool(name, said)?;
        let Some(patch) = report.patch else { return Ok(None) };
        let entries = self.parts.home.all(Kind::Module)?;
        let entry = entries.iter().find(|entry| entry.shown == patch.path);
        let own = entry.filter(|entry| matches!(entry.layer.as_str(), "project" | "user"));
        let own = own.and_then(|entry| entry.path()).map(Path::to_owned);
        let before = match entry {
            Some(entry) => self.parts.home.read(entry)?.text.to_string(),
            None => return Err(StartError::Refused(format!("`{}` is gone", patch.path))),
        };
        let copied = own.is_none();
        let target = own.unwrap_or_else(|| {
            self.layer_folder(Layer::Project).join(format!("tools/{}.yaml", report.module))
        });
        if copied && target.exists() {
            let message =
                format!("`{}` is there already, and is not where `{name}` is defined", target.display());
            return Err(StartError::Refused(message));
        }
        Ok(Some(ToolFix { tool: report.tool, patch, target, copied, before }))
    }

    /// Writes a fix down; tells how Git knew the file before. The module is checked once more.
    ///
    /// # Errors
    /// The module has changed since, would have errors, or cannot be written.
    pub fn apply_fix(&self, fix: &ToolFix) -> Result<Before, StartError> {
        let unwritable = |message: String| StartError::Unwritable { path: fix.target.clone(), message };
        let (_, problems) =
            recipe::check(&Source::new(self.parts.home.shown(&fix.target), fix.patch.after.clone()));
        if has_errors(&problems) {
            return Err(StartError::Invalid(problems));
        }
        if fix.copied {
            let folder = fix.target.parent().unwrap_or_else(|| Path::new("."));
            fs::create_dir_all(folder).map_err(|error| unwritable(cause(&error)))?;
            let made = fs::File::create_new(&fix.target);
            let written =
                made.and_then(|mut file| std::io::Write::write_all(&mut file, fix.patch.after.as_bytes()));
            return written.map(|()| Before::Missing).map_err(|error| unwritable(cause(&error)));
        }
        let before = self.before(fix);
        let now = fs::read_to_string(&fix.target).map_err(|error| unwritable(cause(&error)))?;
        if now != fix.before {
            return Err(unwritable("it has changed in the meantime".to_owned()));
        }
        replace(&fix.target, &fix.patch.after).map_err(|error| unwritable(cause(&error)))?;
        Ok(before)
    }

    fn before(&self, fix: &ToolFix) -> Before {
        let works = |args: &[&str]| self.git(fix, args).is_ok_and(|output| output.status.success());
        if !works(&["ls-files", "--error-unmatch", "--"]) {
            return Before::Untracked;
        }
        let as_committed = works(&["diff", "--quiet", "--no-ext-diff", "HEAD", "--"]);
        if as_committed { Before::Committed } else { Before::Edited }
    }

    /// Commits a fix that was written, and nothing else: not what a person changed in the same file.
    pub fn commit_fix(&self, fix: &ToolFix, before: Before) -> Committed {
        match before {
            Before::Untracked => return Committed::NotTracked,
            Before::Edited => return Committed::Edited,
            Before::Committed => {}
            // Outside of a work tree, or where files like it are ignored, Git says no.
            Before::Missing => match self.git(fix, &["add", "--intent-to-add", "--"]) {
                Ok(output) if output.status.success() => {}
                _ => return Committed::NotTracked,
            },
        }
        let committed = self.commit(fix);
        if committed != Committed::Yes && before == Before::Missing {
            // The index is left as it was; that this fails changes nothing about the fix.
            let _ = self.git(fix, &["rm", "--cached", "--quiet", "--force", "--"]);
        }
        committed
    }

    fn commit(&self, fix: &ToolFix) -> Committed {
        let message = format!("Mend {}: {}", fix.tool, fix.patch.what);
        match self.git(fix, &["commit", "--quiet", "--message", &message, "--only", "--"]) {
            Ok(output) if output.status.success() => Committed::Yes,
            Ok(output) => Committed::Refused(last_line(&output)),
            Err(error) => Committed::Refused(cause(&error)),
        }
    }

    /// Git on the one file of a fix, with the environment of this process.
    fn git(&self, fix: &ToolFix, args: &[&str]) -> std::io::Result<Output> {
        let folder = fix.target.parent().unwrap_or_else(|| Path::new("."));
        let name = fix.target.file_name().unwrap_or_default();
        let mut command = Command::new("git");
        command.current_dir(folder).args(args).arg(name);
        command.env_clear().envs(&self.settings().environment).env("GIT_TERMINAL_PROMPT", "0");
        command.stdin(std::process::Stdio::null()).output()
    }
}

fn last_line(output: &Output) -> String {
    let said =
        [&output.stderr, &output.stdout].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("git has failed").to_owned()
}
