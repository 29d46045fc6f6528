//! `schedules:`, `scheduler:` and `notify:`: what runs although nobody is there, and who is told of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aa_spec::config::{Channel, Config};
use aa_spec::duration::parse_ms;
use aa_spec::schedule::{Schedule, Zone};
use aa_spec::source::Source;
use aa_spec::yaml::Spanned;
use serde_json::json;

use super::Settings;
use super::layer::{Field, Layers, Origin};
use super::places::set;

/// What runs although nobody is there, and who is told of it.
#[derive(Clone, Debug)]
pub struct Scheduling {
    /// Whether servers run what is due.
    pub enabled: bool,
    /// Zone of schedules that name none, as it is configured.
    pub timezone: Option<Zone>,
    /// How long what has become of past times is kept.
    pub keep: Duration,
    /// Schedules of the configuration; nothing is compiled yet.
    pub schedules: Vec<WrittenSchedule>,
    /// Ways to tell somebody, by name.
    pub channels: BTreeMap<String, Channel>,
    /// Channels of schedules that name none.
    pub default: Vec<String>,
    /// So many messages of one channel …
    pub messages: u32,
    /// … in so much time.
    pub per: Duration,
}

/// A schedule as it stands in a configuration file.
#[derive(Clone, Debug)]
pub struct WrittenSchedule {
    /// Its name.
    pub name: Spanned<String>,
    /// What is written.
    pub schedule: Schedule,
    /// The file.
    pub source: Source,
    /// The project whose file it is; none for the user's.
    pub project: Option<Arc<Path>>,
}

pub(super) fn scheduling(layers: &mut Layers<'_>) -> Scheduling {
    let enabled = layers.scalar("scheduler.enabled", |c| &c.scheduler.enabled, truth);
    let (enabled, origin) = enabled.unwrap_or((true, Origin::Default));
    layers.note("scheduler.enabled", json!(enabled), origin);
    // A file's zone was checked when it was read, a variable's just now.
    let timezone = layers.scalar(
        "scheduler.timezone",
        |c| &c.scheduler.timezone,
        |text| {
            Zone::parse(text).map(|_| text.to_owned()).map_err(|_| format!("there is no time zone `{text}`"))
        },
    );
    if let Some((name, origin)) = &timezone {
        layers.note("scheduler.timezone", json!(name), origin.clone());
    }
    Scheduling {
        enabled,
        timezone: timezone.and_then(|(name, _)| Zone::parse(&name).ok()),
        keep: duration(layers, "scheduler.keep", |c| &c.scheduler.keep, "90d"),
        messages: super::count(layers, "notify.limit.messages", |c| &c.notify.limit.messages, 10),
        per: duration(layers, "notify.limit.per", |c| &c.notify.limit.per, "1h"),
        default: default(layers),
        channels: layers.channels(),
        schedules: layers.schedules(),
    }
}

fn default(layers: &mut Layers<'_>) -> Vec<String> {
    fn of(config: &Config) -> &Vec<Spanned<String>> {
        &config.notify.default
    }
    layers.texts("notify.default", of)
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"))
}

fn duration(layers: &mut Layers<'_>, key: &'static str, field: Field<String>, usual: &str) -> Duration {
    let parse = |text: &str| parse_ms(text).map(|_| text.to_owned());
    let (text, origin) =
        layers.scalar(key, field, parse).unwrap_or_else(|| (usual.to_owned(), Origin::Default));
    layers.note(key, json!(text), origin);
    Duration::from_millis(parse_ms(&text).or_else(|_| parse_ms(usual)).unwrap_or_default())
}

impl Settings {
    /// Zone of schedules that name none: as it is configured, or else that of `TZ`, or else that of the machine.
    ///
    /// # Errors
    /// `TZ` names none that is known here: what is wrong with it, and what can be done. A schedule in another zone than
    /// was meant runs at the wrong time, so none is taken in its place.
    pub fn zone(&self) -> Result<Zone, (String, String)> {
        if let Some(zone) = &self.scheduling.timezone {
            return Ok(zone.clone());
        }
        match set(&self.environment, "TZ").map(|text| text.trim_start_matches(':')) {
            None | Some("/etc/localtime") => Ok(of_machine().unwrap_or(Zone::UTC)),
            Some(text) => of_variable(text),
        }
    }
}

/// The zone of a name, or of a file of the system's zones.
fn of_variable(text: &str) -> Result<Zone, (String, String)> {
    let name = text.split_once("zoneinfo/").map_or(text, |(_, name)| name);
    Zone::parse(name).map_err(|near| {
        let message = format!("it names no `timezone`, and the variable `TZ` is `{text}`, which is none");
        let usual = || "name one in the schedule or by `scheduler.timezone`, e.g. `Europe/Berlin`".to_owned();
        (message, near.map_or_else(usual, |near| format!("did you mean `TZ={near}`?")))
    })
}

fn of_machine() -> Option<Zone> {
    let link = fs::read_link("/etc/localtime").ok()?;
    let (_, name) = link.to_str()?.split_once("zoneinfo/")?;
    Zone::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::of_variable;

    #[test]
    fn a_variable_names_a_zone_or_its_file() {
        for text in ["Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin"] {
            assert_eq!(of_variable(text).unwrap().to_string(), "Europe/Berlin");
        }
        for (text, advice) in [
            ("europe/berlin", "did you mean `TZ=Europe/Berlin`?"),
            ("CET-1CEST", "did you mean `TZ=CET`?"),
            ("<+03>-3", "e.g."),
        ] {
            let (message, hint) = of_variable(text).unwrap_err();
            assert!(message.contains(text) && hint.contains(advice), "{message}: {hint}");
        }
    }
}
