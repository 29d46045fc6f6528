//! Any bytes as a file of each kind: read or refused with problems that have a place, never a panic.

#![no_main]

use aa_spec::check::{Nowhere, Strictness, check};
use aa_spec::config::Config;
use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::persona::Persona;
use aa_spec::source::Source;
use aa_spec::tool::recipe;
use aa_spec::{shape, yaml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = match yaml::decode("fuzz.yaml", bytes.to_vec()) {
        Ok(source) => source,
        Err(problem) => return look(&[*problem]),
    };
    if let Ok(node) = yaml::parse(&source) {
        let json = node.to_json().to_string();
        if json.is_ascii() && !json.contains('\u{7f}') && json.len() < 512 {
            let again = yaml::parse(&Source::new("fuzz.json", json)).map(|again| again.to_json());
            assert_eq!(again.ok(), Some(node.to_json()), "JSON must read back the same");
        }
    }
    let (config, diagnostics) = shape::read::<Config>(&source);
    assert!(config.is_some() || has_errors(&diagnostics));
    look(&diagnostics);
    look(&shape::read::<Persona>(&source).1);
    look(&recipe::check(&source).1);
    let (plan, diagnostics) = check(&source, &Nowhere, Strictness { lenient: false, strict: true });
    assert!(plan.is_none() || !has_errors(&diagnostics), "no plan of what is wrong");
    look(&diagnostics);
});

/// Every problem has a place in its text.
fn look(diagnostics: &[Diagnostic]) {
    for found in diagnostics {
        let span = found.span.start as usize..found.span.end as usize;
        assert!(found.source.text.get(span).is_some(), "{}: {:?}", found.code, found.span);
        found.place();
    }
}
