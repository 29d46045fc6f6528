//! Traces: what belongs together across systems, by the numbers of W3C Trace Context.
//!
//! The numbers of a run's spans follow from its first event, so whichever process goes on with a run goes on with
//! its trace, and what a service is told in a call is found again in what is told of the call later.

use std::hash::{BuildHasher, RandomState};

use aa_spec::plan::digest;

use crate::event::{Body, Event, Link, StepPath};

/// What a caller's request has told of the trace that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: String,
    /// The caller's span.
    pub span: String,
    /// Whether the caller keeps its trace.
    pub sampled: bool,
}

impl Parent {
    /// Reads a `traceparent`; one that is not as it should be is none.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let is_sound = is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        let is_set = |text: &str| text.bytes().any(|byte| byte != b'0');
        if !(is_known && is_sound && is_set(trace) && is_set(span)) {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { trace: trace.to_owned(), span: span.to_owned(), sampled })
    }
}

/// As the standard has it: small letters only.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The trace of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its number.
    pub id: String,
    /// The caller's span.
    pub parent: Option<String>,
    /// What the caller has said of keeping it.
    pub sampled: Option<bool>,
    /// Where the numbers of spans come from.
    seed: String,
}

impl Trace {
    /// By what a run was started with.
    pub fn new(nonce: &str, link: Option<&Link>) -> Self {
        let seed = digest(format!("trace\0{nonce}"));
        let parent = link.and_then(|link| Parent::read(link.trace.as_deref()?));
        match parent {
            Some(Parent { trace, span, sampled }) => {
                Self { id: trace, parent: Some(span), sampled: Some(sampled), seed }
            }
            None => Self { id: seed[..32].to_owned(), parent: None, sampled: None, seed },
        }
    }

    /// By a run's first event.
    pub fn of(first: &Event) -> Option<Self> {
        match &first.body {
            Body::SkillStarted { nonce, link, .. } => Some(Self::new(nonce, link.as_ref())),
            _ => None,
        }
    }

    /// The span of the run.
    pub fn root(&self) -> String {
        self.span("run")
    }

    /// The span of a step.
    pub fn step(&self, step: &StepPath) -> String {
        self.span(&format!("step\0{step}"))
    }

    /// The span of one attempt at calling what a step calls.
    pub fn call(&self, step: &StepPath, attempt: u32) -> String {
        self.span(&format!("call\0{step}\0{attempt}"))
    }

    /// Whether it is kept where so many percent are.
    pub fn is_kept(&self, percent: u32) -> bool {
        self.sampled.unwrap_or_else(|| {
            let number = u32::from_str_radix(self.seed.get(..8).unwrap_or("0"), 16).unwrap_or(0);
            number % 100 < percent
        })
    }

    /// What a service is told of the call that reaches it.
    pub fn told(&self, step: &StepPath, attempt: u32, percent: u32) -> String {
        let flags = if self.is_kept(percent) { "01" } else { "00" };
        format!("00-{}-{}-{flags}", self.id, self.call(step, attempt))
    }

    fn span(&self, of: &str) -> String {
        let mut span = digest(format!("{}\0{of}", self.seed));
        span.truncate(16);
        span
    }
}

/// A number that nothing else has; nobody is kept from guessing it.
pub fn fresh() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(std::process::id()), random.hash_one(chrono::Utc::now()))
}

/// The step that a step is part of; none of those that are the run's own.
pub fn outer(step: &StepPath) -> Option<StepPath> {
    let path = &step.0;
    let cut = path.rfind(['/', '[', '#'])?;
    let outer = &path[..cut];
    // `build#heal/1_login` is part of `build`, and so are the items of what is taken back.
    let outer = outer.strip_suffix("#heal").unwrap_or(outer);
    (!outer.is_empty()).then(|| StepPath(outer.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_traceparent_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = Parent::read(good).unwrap();
        assert_eq!((parent.trace.len(), parent.span.len(), parent.sampled), (32, 16, true));
        assert!(!Parent::read(&good.replace("-01", "-00")).unwrap().sampled);
        // A later version may say more, this one may not.
        assert!(Parent::read(&format!("{}-more", good.replacen("00", "01", 1))).is_some());
        for bad in [
            "",
            "00",
            &format!("{good}-more"),
            &good.replacen("00", "ff", 1),
            &good.replace("4bf9", "4BF9"),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &good.replace("00f067aa0ba902b7", "00f067aa0ba902b"),
            &good.replace("-01", "-1"),
            &good.replace("-01", "-+1"),
        ] {
            assert_eq!(Parent::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn steps_are_part_of_steps() {
        for (step, of) in [
            ("build", None),
            ("fan[3]", Some("fan")),
            ("release/build", Some("release")),
            ("release/fan[0]", Some("release/fan")),
            ("health/1_git_log", Some("health")),
            ("build#undo", Some("build")),
            ("build#heal/1_login", Some("build")),
        ] {
            assert_eq!(outer(&StepPath(step.to_owned())), of.map(|of| StepPath(of.to_owned())), "{step}");
        }
    }

    #[test]
    fn numbers_follow_from_the_run() {
        let (one, other) = (Trace::new("a", None), Trace::new("b", None));
        let step = StepPath("build".to_owned());
        assert_eq!(one, Trace::new("a", None));
        assert_ne!(one.id, other.id);
        assert_ne!(one.call(&step, 1), one.call(&step, 2));
        assert!(Parent::read(&one.told(&step, 1, 100)).is_some_and(|told| told.sampled));
        let kept = (0..1000).filter(|n| Trace::new(&n.to_string(), None).is_kept(10)).count();
        assert!((60..140).contains(&kept), "{kept}");
    }
}
