//! What every command gets: the environment, the global flags, the printer, an engine.

use std::future::Future;
use std::time::Duration;

use aa_run::cause::cause;
use aa_run::driver::Park;
use aa_run::engine::Engine;
use aa_run::settings::{Looking, Settings, SettingsError, Surroundings};
use aa_run::store::RunFilter;
use aa_serve::traces::Traces;
use aa_spec::check::Strictness;
use aa_spec::config::LogFormat;
use tokio::runtime::Builder;

use crate::args::GlobalArgs;
use crate::args::serving::LogArgs;
use crate::args::skill::RunFormat;
#[cfg(debug_assertions)]
use crate::crash;
use crate::diagnostic;
use crate::env::Environment;
use crate::failure::Failure;
use crate::follow::Stop;
use crate::printer::Printer;
use crate::report::how_to_resume;
use crate::words;

/// How often a server looks at its files.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What surrounds a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The variables it was started with.
    pub(crate) environment: &'a Environment,
    /// Where it writes.
    pub(crate) printer: &'a Printer,
    /// Flags that every command has.
    pub(crate) global: &'a GlobalArgs,
}

impl Context<'_> {
    /// The engine with the settings of this command.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        Ok(self.engine_of(self.settings()?).linked_by_variable())
    }

    /// The engine of a server: changed files are seen soon, not at once.
    pub(crate) fn serving_engine(&self) -> Result<Engine, Failure> {
        Ok(self.engine_of(Settings { looking: Looking::Every(LOOK_EVERY), ..self.settings()? }))
    }

    #[cfg_attr(not(debug_assertions), expect(clippy::unused_self, reason = "tests set a variable"))]
    fn engine_of(&self, settings: Settings) -> Engine {
        let engine = Engine::new(settings);
        #[cfg(debug_assertions)]
        if let Some(commits) = self.environment.kill_after() {
            return engine.after_commit(crash::kill_after(commits));
        }
        engine
    }

    /// Waits for work in which runs move on here. Their traces are sent at its end, when the configuration names a
    /// collector.
    pub(crate) fn wait_traced<T>(
        &self,
        engine: &Engine,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        wait(async {
            let traces = Traces::of(engine);
            let result = work.await;
            // What was left in the middle is left at once.
            if let Some(traces) = traces.filter(|_| result.is_ok()) {
                let mut stop = Stop::new()?;
                let sent = tokio::select! {
                    sent = traces.end() => sent,
                    () = stop.asked() => Err("it was not waited for".to_owned()),
                };
                if let Err(why) = sent {
                    self.printer.hint(format_args!("the collector of traces has not got all of it: {why}"));
                }
            }
            result
        })
    }

    /// What a run does when only a person can move it on.
    pub(crate) fn park(&self, format: RunFormat) -> Park {
        let asks = format == RunFormat::Human && self.printer.can_ask() && !self.printer.quiet;
        if asks { Park::Stay } else { Park::Release }
    }

    /// Points out interrupted runs, if there are any.
    pub(crate) fn point_out_interrupted(&self, engine: &Engine) {
        if self.printer.quiet {
            return;
        }
        let filter = RunFilter { interrupted: true, limit: Some(100), ..RunFilter::default() };
        let Ok(runs) = engine.runs(&filter) else { return };
        match &runs[..] {
            [] => {}
            [run] => self.printer.hint(how_to_resume(run)),
            runs => self.printer.hint(format_args!(
                "{} were interrupted; `aa run resume --all` goes on with them",
                words::count(runs.len(), "run")
            )),
        }
    }

    /// The settings of this command, or what is wrong with the configuration.
    pub(crate) fn resolve(&self) -> Result<Result<Settings, SettingsError>, Failure> {
        Ok(Settings::resolve(&self.surroundings()?))
    }

    /// What the settings of this command are made from.
    pub(crate) fn surroundings(&self) -> Result<Surroundings, Failure> {
        let here = std::env::current_dir().map_err(|error| {
            Failure::not_found(format!("the current folder cannot be used: {}", cause(&error)))
        })?;
        let folder = self.global.folder.as_ref().map_or_else(|| here.clone(), |folder| here.join(folder));
        if !folder.is_dir() {
            return Err(Failure::not_found(format!("there is no folder `{}`", folder.display())));
        }
        Ok(Surroundings {
            folder,
            environment: self.environment.variables().clone(),
            store: self.global.store.as_ref().map(|store| here.join(store)),
        })
    }

    /// How the log is written: as a server was told, or as its configuration says. What is wrong with that is said
    /// when the server looks at it.
    pub(crate) fn log_format(&self, of: Option<LogArgs>) -> LogFormat {
        let Some(of) = of else { return LogFormat::Text };
        of.log_format.map_or_else(
            || match self.resolve() {
                Ok(Ok(settings)) => settings.operations.log_format,
                _ => LogFormat::Text,
            },
            Into::into,
        )
    }

    /// The settings of this command; what is doubtful in them is said.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let settings = self.resolve()??;
        diagnostic::draw_all(&settings.warnings, self.printer);
        Ok(settings)
    }
}

/// How strictly to read a skill.
pub(crate) fn strictness(lenient: bool) -> Strictness {
    Strictness { lenient, strict: false }
}

/// Waits for work that has to wait for things.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // One thread is enough: steps wait for processes and sockets, the store has a
    // thread of its own. A second one would cost a short run more than it gives.
    wait_in(&mut Builder::new_current_thread(), work)
}

/// The same for a server: one request must not wait for what another reads from a disk.
pub(crate) fn wait_on_threads<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    wait_in(&mut Builder::new_multi_thread(), work)
}

fn wait_in<T>(builder: &mut Builder, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start the runtime: {}", cause(&error))))?;
    let result = runtime.block_on(work);
    // Someone may still be expected to type at the terminal.
    runtime.shutdown_background();
    result
}
