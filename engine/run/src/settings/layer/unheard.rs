//! Variables that look like settings and are none.

use std::collections::BTreeSet;

use aa_spec::config::Secret;
use aa_spec::diagnostic::Diagnostic;
use aa_spec::name;

use super::{Layers, PREFIX, in_variable, is_of, variable};

/// Variables that are heard and are no settings.
const OTHERS: [&str; 3] = ["AA_CONFIG_DIR", "AA_STATE_DIR", "AA_LOG"];

/// What is said in files only.
pub(in crate::settings) const FILES_ONLY: [&str; 9] =
    ["kube_login", "listen", "modules", "schedules", "secrets", "skills", "tools", "values", "vpn_connect"];

impl Layers<'_> {
    /// A variable that looks like a setting and is none would be ignored in silence.
    ///
    /// Anybody may have variables that begin like ours; those that secrets are read from are such.
    pub(super) fn refuse_unknown_variables(&mut self) {
        let secrets = self.files.iter().flat_map(|file| file.config.secrets.values());
        let of_secrets: BTreeSet<&str> = secrets
            .filter_map(|secret| match &secret.value {
                Secret::Env(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let foreign = |name: &&str| {
            let heard = OTHERS.contains(name) || self.known.iter().any(|key| is_of(name, key));
            !heard && !of_secrets.contains(name)
        };
        let wrong: Vec<Diagnostic> =
            self.ours.iter().copied().filter(foreign).filter_map(|name| self.wrong(name)).collect();
        self.diagnostics.extend(wrong);
    }

    /// What is wrong with a variable that is not heard, if it looks as if it should be.
    ///
    /// Its value is not shown: who writes a password into a wrong variable has one there.
    fn wrong(&self, name: &str) -> Option<Diagnostic> {
        let problem = |message: String| in_variable("unknown-key", name, "", message);
        if let Some(of) = FILES_ONLY.iter().find(|of| in_section(name, of)) {
            let message = format!("there is no setting `{name}`: `{of}` is heard in files only");
            return Some(problem(message).hint(format!("write `{of}:` into config.yaml")));
        }
        let known: Vec<String> = self.known.iter().map(|key| variable(key)).collect();
        let heard = || known.iter().map(String::as_str).chain(OTHERS);
        let is_of_section = self.known.iter().any(|key| {
            let section = key.split('.').next().unwrap_or_default();
            in_section(name, section) && name.len() > PREFIX.len() + section.len()
        });
        let near =
            if is_of_section { name::suggest(name, heard()) } else { Some(name::slip(name, heard())?) };
        let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
        Some(problem(format!("there is no setting `{name}`")).hint(hint))
    }
}

/// Whether a variable is a section's name or begins with it.
fn in_section(name: &str, section: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).and_then(|name| name.strip_prefix(&*section.to_ascii_uppercase()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}
