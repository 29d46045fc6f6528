//! Who may come in and where they may work: what only the user's own file says. Whoever clones a project
//! has not written its file, and would let in whoever has.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use aa_spec::config::{Algorithm, Config, Scope, Secret, Serve};
use aa_spec::diagnostic::Diagnostic;
use aa_spec::duration::parse_ms;
use aa_spec::source::Span;
use aa_spec::yaml::Spanned;
use serde_json::json;

use super::{Field, File, Layers, Origin, Setting, absolute};
use crate::caller::MAIN;
use crate::grant::Grants;
use crate::policy::Rules;
use crate::settings::{Issuer, Key, Shown};

/// How far the clocks of an issuer may be off when nobody says anything.
const LEEWAY: Duration = Duration::from_mins(1);

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
            let Some(shown) = self.shown(file, written, &mut unknown) else { continue };
            let key = Key {
                principal: written.principal.value.clone(),
                expires: written.expiry(),
                tenant: written.tenant.as_ref().map_or_else(|| MAIN.to_owned(), text),
                personas: written.personas.as_ref().map(|names| names.iter().map(text).collect()),
                rules: rules(written),
                grants: grants(&file.config.serve, written.roles.as_deref(), written.scopes.as_deref()),
                shown,
            };
            let shown = match &key.shown {
                Shown::Secret { name, .. } => name,
                Shown::Hash(_) => "a hash",
            };
            let value = json!({"principal": key.principal, "secret": shown, "personas": key.personas});
            let origin = file.origin(written.principal.span);
            settings.push(Setting { key: format!("serve.keys[{}]", keys.len()), value, origin });
            keys.push(key);
        }
        self.settings.extend(settings);
        self.diagnostics.extend(unknown);
        self.doubt_roles();
        keys
    }

    /// Roles that the user has named.
    pub(in crate::settings) fn roles(&mut self) -> Vec<String> {
        let theirs = self.files.iter().filter(|file| !file.of_project);
        let theirs = theirs.flat_map(|file| file.config.serve.roles.iter().map(move |role| (file, role)));
        let (mut names, mut shown) = (Vec::new(), Vec::new());
        for (file, (name, scopes)) in theirs {
            let span = scopes.first().map(|scope| scope.span).unwrap_or_default();
            let (key, origin) = (format!("serve.roles.{name}"), file.origin(span));
            let value = json!(scopes.iter().map(|scope| &scope.value).collect::<Vec<_>>());
            shown.push(Setting { key, value, origin });
            names.push(name.clone());
        }
        self.settings.extend(shown);
        names
    }

    /// Roles of a project are told not to count.
    fn doubt_roles(&mut self) {
        let projects = self.files.iter().filter(|file| file.of_project);
        let roles = projects.flat_map(|file| file.config.serve.roles.values().map(move |role| (file, role)));
        let doubts: Vec<Diagnostic> =
            roles.filter_map(|(file, role)| Some(unheard(file, role.first()?.span, "serve.roles"))).collect();
        self.diagnostics.extend(doubts);
    }

    /// What opens for somebody.
    fn shown(
        &self,
        file: &File,
        written: &aa_spec::config::Key,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Shown> {
        if let Some(hash) = written.digest() {
            return Some(Shown::Hash(hash));
        }
        let name = written.secret()?;
        if let Some(source) = self.source(file, name) {
            return Some(Shown::Secret { name: name.to_owned(), source });
        }
        let span = written.key.as_ref()?.span;
        let message = format!("the secret `{name}` is not configured");
        problems.push(
            Diagnostic::error("unknown-secret", &file.source, span, message)
                .hint("say under `secrets:` of the same file where it comes from"),
        );
        None
    }

    /// Whose tokens open.
    pub(in crate::settings) fn issuers(&mut self) -> Vec<Issuer> {
        let (mut issuers, mut unheard_of) = (Vec::new(), Vec::new());
        let all =
            self.files.iter().flat_map(|file| file.config.serve.issuers.iter().map(move |of| (file, of)));
        for (file, (name, written)) in all {
            if file.of_project {
                unheard_of.push(unheard(file, written.span, "serve.issuers"));
                continue;
            }
            let issuer = self.issuer(file, name, &written.value);
            let value = json!({"issuer": issuer.issuer, "audience": issuer.audience, "jwks": issuer.jwks});
            let (key, origin) = (format!("serve.issuers.{name}"), file.origin(written.span));
            self.settings.push(Setting { key, value, origin });
            issuers.push(issuer);
        }
        self.diagnostics.extend(unheard_of);
        issuers
    }

    fn issuer(&self, file: &File, name: &str, written: &aa_spec::config::Issuer) -> Issuer {
        let serve = &file.config.serve;
        let scopes = |role: &Spanned<String>| of_role(serve, &role.value);
        let jwks = &written.jwks.value;
        let is_address = jwks.contains("://");
        let said = |claim: &Option<Spanned<String>>, usual: &str| {
            claim.as_ref().map_or_else(|| usual.to_owned(), text)
        };
        let mut algorithms: Vec<Algorithm> = written.algorithms.iter().map(|one| one.value).collect();
        if algorithms.is_empty() {
            algorithms = vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDsa];
        }
        Issuer {
            name: name.to_owned(),
            issuer: written.issuer.value.clone(),
            audience: written.audience.iter().map(text).collect(),
            jwks: if is_address {
                jwks.clone()
            } else {
                absolute(&file.folder, self.home(), jwks).display().to_string()
            },
            algorithms,
            leeway: leeway(written),
            principal_claim: said(&written.principal_claim, "sub"),
            roles_claim: said(&written.roles_claim, "roles"),
            roles: written.roles.iter().map(|(theirs, ours)| (theirs.clone(), scopes(ours))).collect(),
            everybody: written.everybody.iter().flat_map(scopes).collect(),
            tenant: said(&written.tenant, MAIN),
            tenant_claim: written.tenant_claim.as_ref().map(text),
        }
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

/// What roles and scopes let use; a key that says neither, what is usual.
fn grants(serve: &Serve, roles: Option<&[Spanned<String>]>, scopes: Option<&[Spanned<String>]>) -> Grants {
    if roles.is_none() && scopes.is_none() {
        return Grants::Usual;
    }
    let of_roles = roles.into_iter().flatten().flat_map(|role| of_role(serve, &role.value));
    // What is no scope is an error of the file already.
    let own = scopes.into_iter().flatten().filter_map(|text| Scope::parse(&text.value).ok());
    Grants::Scopes(of_roles.chain(own).collect())
}

/// The scopes of a role; one of the file's wins over one that everybody knows.
fn of_role(serve: &Serve, name: &str) -> Vec<Scope> {
    match serve.roles.get(name) {
        Some(scopes) => scopes.iter().filter_map(|text| Scope::parse(&text.value).ok()).collect(),
        None => aa_spec::config::role(name).unwrap_or_default(),
    }
}

fn leeway(issuer: &aa_spec::config::Issuer) -> Duration {
    let written = issuer.leeway.as_ref().and_then(|text| parse_ms(&text.value).ok());
    written.map_or(LEEWAY, Duration::from_millis)
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
