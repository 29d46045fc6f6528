//! What files say of schedules, and of how people hear of them.

use std::collections::BTreeMap;

use aa_spec::config::{self, Config};
use aa_spec::diagnostic::Diagnostic;
use aa_spec::schedule::{NotifyWritten, Schedule};
use aa_spec::source::Span;
use aa_spec::yaml::Spanned;
use serde_json::json;

use super::{File, Layers, Setting};
use crate::settings::WrittenSchedule;

impl Layers<'_> {
    /// Schedules of all files, those of the project first. A channel or secret that no file names is an
    /// error.
    pub(in crate::settings) fn schedules(&mut self) -> Vec<WrittenSchedule> {
        let (mut schedules, mut problems) = (Vec::new(), Vec::new());
        for file in &self.files {
            for (name, written) in &file.config.schedules {
                self.doubt_schedule(file, &written.value, &mut problems);
                schedules.push(WrittenSchedule {
                    name: Spanned { value: name.clone(), span: written.span },
                    schedule: written.value.clone(),
                    source: file.source.clone(),
                    project: file.of_project.then(|| file.folder.parent().unwrap_or(&file.folder).into()),
                });
                let (key, value) =
                    (format!("schedules.{name}"), json!(written.value.skill.as_ref().map(|s| &s.value)));
                self.settings.push(Setting { key, value, origin: file.origin(written.span) });
            }
            for channel in &file.config.notify.default {
                self.doubt_channel(file, channel, &mut problems);
            }
        }
        self.diagnostics.extend(problems);
        schedules
    }

    fn doubt_schedule(&self, file: &File, schedule: &Schedule, problems: &mut Vec<Diagnostic>) {
        for channel in schedule.notify.iter().flat_map(NotifyWritten::names) {
            self.doubt_channel(file, channel, problems);
        }
        let secret = schedule.webhook.as_ref().map(|webhook| &webhook.secret);
        if let Some(text) = secret
            && let Some(name) = config::secret(&text.value)
        {
            problems.extend(self.unknown_secret(file, name, text.span));
        }
    }

    fn doubt_channel(&self, file: &File, channel: &Spanned<String>, problems: &mut Vec<Diagnostic>) {
        let known: Vec<&str> = self
            .files
            .iter()
            .flat_map(|file| file.config.notify.channels.keys())
            .map(String::as_str)
            .collect();
        if !known.contains(&channel.value.as_str()) {
            let message = format!("there is no channel `{}`", channel.value);
            let problem = Diagnostic::error("unknown-channel", &file.source, channel.span, message);
            problems.push(match known[..] {
                [] => problem.hint("say under `notify.channels` how it tells people"),
                _ => problem.suggest(&channel.value, known),
            });
        }
    }

    fn unknown_secret(&self, file: &File, name: &str, span: Span) -> Option<Diagnostic> {
        if self.files.iter().any(|file| file.config.secrets.contains_key(name)) {
            return None;
        }
        let message = format!("the secret `{name}` is not configured");
        let problem = Diagnostic::error("unknown-secret", &file.source, span, message);
        Some(problem.hint("say under `secrets:` where it comes from"))
    }

    /// Ways to tell somebody; a nearer one replaces a farther one of its name.
    pub(in crate::settings) fn channels(&mut self) -> BTreeMap<String, config::Channel> {
        let (mut channels, mut settings, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for file in self.files.iter().rev() {
            for (name, channel) in &file.config.notify.channels {
                for secret in channel.value.secrets() {
                    problems.extend(self.unknown_secret(file, secret, channel.span));
                }
                let (key, value) = (format!("notify.channels.{name}"), json!(channel.value.kind()));
                settings.insert(name.clone(), Setting { key, value, origin: file.origin(channel.span) });
                channels.insert(name.clone(), channel.value.clone());
            }
        }
        self.settings.extend(settings.into_values());
        self.diagnostics.extend(problems);
        channels
    }

    /// A list of texts, by all files.
    pub(in crate::settings) fn texts(
        &mut self,
        key: &str,
        of: fn(&Config) -> &Vec<Spanned<String>>,
    ) -> Vec<String> {
        let mut texts = Vec::new();
        for file in &self.files {
            for text in of(&file.config) {
                let key = format!("{key}[{}]", texts.len());
                self.settings.push(Setting { key, value: json!(text.value), origin: file.origin(text.span) });
                texts.push(text.value.clone());
            }
        }
        texts
    }
}
