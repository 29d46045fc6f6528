//! What earlier runs say about the next one.

use super::ResolvedPlan;
use super::parts::Parts;

/// Earlier runs that are looked at.
const RUNS: u32 = 20;

/// Puts the usual duration to each step. Not knowing it is no reason to fail.
pub(super) fn expect(parts: &Parts, tenant: &str, plan: &mut ResolvedPlan) {
    let usual = parts.store().and_then(|store| store.usual_durations((tenant, &plan.skill), RUNS));
    let Ok(usual) = usual.inspect_err(|error| tracing::warn!("no history: {error}")) else { return };
    for step in &mut plan.steps {
        step.expected_ms = usual.get(&step.name).copied();
    }
}
