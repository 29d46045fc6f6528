//! Who may come in and where they may work: what only the user's own file says. Whoever clones a project
//! has not written its file, and would let in whoever has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aa_spec::config::{Config, Secret};
use aa_spec::diagnostic::Diagnostic;
use aa_spec::source::Span;
use aa_spec::yaml::Spanned;
use serde_json::json;

use super::{Field, File, Layers, Origin, Setting, absolute};
use crate::policy::Rules;
use crate::settings::Key;

impl Layers<'_> {
    /// Who may come in. A secret that the file does not name is an error.
    pub(in crate::settings) fn keys(&mut self) -> Vec<Key> {
        let (mut keys, mut settings, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (file, written) in
            self.files.iter().flat_map(|file| file.config.serve.keys.iter().map(move |key| (file, key)))
        {
            if file.of_project {
                unknown.push(unheard(file, written.principal.span, "serve.keys"));
                continue;
            }
            // One that is written in another way is an error of the file already.
            let Some(secret) = written.secret() else { continue };
            let Some(source) = self.source(file, secret) else {
                let message = format!("the secret `{secret}` is not configured");
                unknown.push(
                    Diagnostic::error("unknown-secret", &file.source, written.key.span, message)
                        .hint("say under `secrets:` of the same file where it comes from"),
                );
                continue;
            };
            let key = Key {
                principal: written.principal.value.clone(),
                secret: secret.to_owned(),
                source,
                personas: written.personas.as_ref().map(|names| names.iter().map(text).collect()),
                rules: rules(written),
            };
            let value = json!({"principal": key.principal, "secret": secret, "personas": key.personas});
            let origin = file.origin(written.principal.span);
            settings.push(Setting { key: format!("serve.keys[{}]", keys.len()), value, origin });
            keys.push(key);
        }
        self.settings.extend(settings);
        self.diagnostics.extend(unknown);
        keys
    }

    /// A list of texts.
    pub(in crate::settings) fn each(
        &mut self,
        key: &str,
        of: fn(&Config) -> &Vec<Spanned<String>>,
    ) -> Vec<String> {
        let texts = self.heard(key, of);
        for (index, (text, setting)) in texts.iter().enumerate() {
            let key = format!("{key}[{index}]");
            self.settings.push(Setting { key, value: json!(text), ..setting.clone() });
        }
        texts.into_iter().map(|(text, _)| text).collect()
    }

    /// `serve.folders`, absolute.
    pub(in crate::settings) fn folders(&mut self) -> Vec<PathBuf> {
        let base = self.files.iter().find(|file| !file.of_project).map(|file| file.folder.clone());
        let texts = self.heard("serve.folders", |config| &config.serve.folders);
        let (base, mut folders) = (base.unwrap_or_default(), Vec::new());
        for (text, setting) in texts {
            let folder = absolute(&base, self.home(), &text);
            let key = format!("serve.folders[{}]", folders.len());
            self.settings.push(Setting { key, value: json!(folder), ..setting });
            folders.push(folder);
        }
        folders
    }

    /// A value of a variable, else of the user's file; that of the project's is told not to count.
    pub(in crate::settings) fn own<T: Clone>(
        &mut self,
        key: &str,
        field: Field<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(T, Origin)> {
        let variable = self.variable_of(key);
        let project = self.files.iter().find(|file| file.of_project);
        if let Some((file, written)) = project.and_then(|file| Some((file, field(&file.config).as_ref()?))) {
            let doubt = unheard(file, written.span, key);
            self.diagnostics.push(doubt);
        }
        let theirs = |file: &&File| !file.of_project;
        self.variable(variable, parse)
            .or_else(|| self.files.iter().filter(theirs).find_map(|file| file.value(field)))
    }

    /// Texts by name in the user's file; those of the project's are told not to count.
    pub(in crate::settings) fn own_texts(
        &mut self,
        key: &str,
        of: fn(&Config) -> &BTreeMap<String, Spanned<String>>,
    ) -> BTreeMap<String, String> {
        let (mut texts, mut doubts) = (BTreeMap::new(), Vec::new());
        for file in &self.files {
            for (name, text) in of(&file.config) {
                if file.of_project {
                    doubts.push(unheard(file, text.span, key));
                } else {
                    // It may be a secret that somebody has written down here after all.
                    let (key, value) = (format!("{key}.{name}"), json!("…"));
                    self.settings.push(Setting { key, value, origin: file.origin(text.span) });
                    texts.insert(name.clone(), text.value.clone());
                }
            }
        }
        self.diagnostics.extend(doubts);
        texts
    }

    /// The texts of a list in the user's file, with where they are; those of the project's are told not to count.
    fn heard(&mut self, key: &str, of: fn(&Config) -> &Vec<Spanned<String>>) -> Vec<(String, Setting)> {
        let (mut texts, mut doubts) = (Vec::new(), Vec::new());
        for file in &self.files {
            for text in of(&file.config) {
                if file.of_project {
                    doubts.push(unheard(file, text.span, key));
                } else {
                    let setting =
                        Setting { key: key.to_owned(), value: json!(null), origin: file.origin(text.span) };
                    texts.push((text.value.clone(), setting));
                }
            }
        }
        self.diagnostics.extend(doubts);
        texts
    }

    /// Where a secret of a file comes from, with an absolute path.
    fn source(&self, file: &File, secret: &str) -> Option<Secret> {
        Some(match &file.config.secrets.get(secret)?.value {
            Secret::File(path) => {
                Secret::File(absolute(&file.folder, self.home(), path).display().to_string())
            }
            other => other.clone(),
        })
    }
}

fn rules(key: &aa_spec::config::Key) -> Rules {
    let rule = |rule: &Option<Spanned<aa_spec::config::Rule>>| rule.as_ref().map(|rule| rule.value);
    Rules {
        read: rule(&key.policy.read),
        write: rule(&key.policy.write),
        destructive: rule(&key.policy.destructive),
        self_approve: key.self_approve.as_ref().map(|approve| approve.value),
    }
}

fn text(text: &Spanned<String>) -> String {
    text.value.clone()
}

fn unheard(file: &File, span: Span, key: &str) -> Diagnostic {
    let message = format!("a project cannot say that for those who clone it, so `{key}` is not heard here");
    Diagnostic::warning("bad-value", &file.source, span, message).hint("say it in your own configuration")
}
