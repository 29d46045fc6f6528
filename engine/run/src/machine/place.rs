//! Where something is in a run, as numbers and as a path.

use super::{Machine, Misfit, misfit};
use crate::event::StepPath;
use crate::machine::unit::State;

/// A step, or an item of it, of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) frame: usize,
    pub(super) step: usize,
    /// Of a foreach step; `None` for the step itself.
    pub(super) item: Option<usize>,
}

/// Something that a call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spot {
    /// The step or item itself.
    Unit(Place),
    /// Finding out whether an interrupted call took place: `build#reconcile`.
    Reconcile(Place),
    /// What a frame takes back at the moment: `build#undo`.
    Undo(usize),
}

/// Something that may have a next event. Earlier kinds go first: what is over is
/// settled before anything starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// The step or item itself.
    Unit(Place),
    /// A foreach step: its next item, or its end.
    Fan(Place),
    /// A frame: its next step, or its end.
    Frame(usize),
    /// A frame's taking back.
    Undo(usize),
}

impl Place {
    /// The foreach step of an item.
    pub(super) fn fan(self) -> Self {
        Self { item: None, ..self }
    }
}

impl Machine {
    /// The path of a step or item.
    pub(super) fn path(&self, place: Place) -> StepPath {
        let Some(frame) = self.frame(place.frame) else { return StepPath(String::new()) };
        let name = frame.layout.step(place.step).map_or("", |step| step.name.as_str());
        let prefix = &frame.prefix;
        StepPath(match place.item {
            Some(item) => format!("{prefix}{name}[{item}]"),
            None => format!("{prefix}{name}"),
        })
    }

    /// The path under which a call goes.
    pub(super) fn spot_path(&self, spot: Spot) -> Option<StepPath> {
        match spot {
            Spot::Unit(place) => Some(self.path(place)),
            Spot::Reconcile(place) => Some(suffixed(&self.path(place), "#reconcile")),
            Spot::Undo(frame) => Some(suffixed(&self.path(self.undo_place(frame)?), "#undo")),
        }
    }

    /// What a path means in the present state.
    pub(super) fn locate(&self, path: &StepPath) -> Result<Spot, Misfit> {
        match path.0.rsplit_once('#') {
            None => self.locate_unit(&path.0).map(Spot::Unit),
            Some((base, "reconcile")) => self.locate_unit(base).map(Spot::Reconcile),
            Some((_, "undo")) => {
                let spots = self.undoing.iter().map(|frame| Spot::Undo(*frame));
                let mut fitting = spots.filter(|spot| self.spot_path(*spot).as_ref() == Some(path));
                fitting.next().ok_or_else(|| Misfit::new(format!("`{path}` is not being taken back")))
            }
            Some((_, rest)) if rest.starts_with("heal/") => self.locate_unit(&path.0).map(Spot::Unit),
            Some(_) => misfit(format!("there is no step `{path}`")),
        }
    }

    fn locate_unit(&self, path: &str) -> Result<Place, Misfit> {
        let unknown = || Misfit::new(format!("there is no step `{path}`"));
        let mut frame = super::ROOT;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let healing = part.strip_suffix("#heal");
            let (name, item) = split_item(healing.unwrap_or(part)).ok_or_else(unknown)?;
            let layout = &self.frame(frame).ok_or_else(unknown)?.layout;
            let step = layout.find(name).ok_or_else(unknown)?;
            if item.is_some() && layout.step(step).is_none_or(|step| step.foreach.is_none()) {
                return Err(unknown());
            }
            let place = Place { frame, step, item };
            if parts.peek().is_none() {
                return Ok(place);
            }
            match self.unit(place).map(|unit| &unit.state) {
                Some(State::Healing(inner)) if healing.is_some() => {
                    frame = inner.frame().ok_or_else(unknown)?;
                }
                _ if healing.is_some() => return misfit(format!("`{path}` is no call that runs")),
                Some(State::Nested { frame: inner } | State::Computing { frame: inner, .. }) => {
                    frame = *inner;
                }
                _ => return misfit(format!("`{path}` is a step of a skill that is not running")),
            }
        }
        Err(unknown())
    }
}

/// `fan[3]` as name and item.
fn split_item(part: &str) -> Option<(&str, Option<usize>)> {
    match part.split_once('[') {
        None => Some((part, None)),
        Some((name, rest)) => {
            let digits = rest.strip_suffix(']')?;
            let item: usize = digits.parse().ok()?;
            // Only one spelling for each item, so that paths can be compared.
            (item.to_string() == digits).then_some((name, Some(item)))
        }
    }
}

fn suffixed(path: &StepPath, suffix: &str) -> StepPath {
    StepPath(format!("{path}{suffix}"))
}
