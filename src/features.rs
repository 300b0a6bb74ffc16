//! The list of features. Its order is the order of layers: a feature may import those above it in the list, never those below it.
use crate::{
    accounts, admin, apps,
    audit::{self, server::service::EventKinds},
    clusters, deployments, domains, edges,
    error::Thing,
    feature::Feature,
    flags, keys,
    kit::{Flash, SetTheme},
    mail, metrics, orgs,
    outbox::{LetterKind, LetterKinds},
    plans, reports, routing,
    runtime::{loops::Loop, panel::Panel},
    store::EventKind,
    traffic,
    web::{
        declared::{FunctionClass, function},
        rate_limits::{self, Class},
    },
};

/// Every feature, from the lowest to the highest.
pub const FEATURES: &[Feature] = &[
    flags::FEATURE,
    audit::FEATURE,
    accounts::FEATURE,
    orgs::FEATURE,
    keys::FEATURE,
    reports::FEATURE,
    mail::FEATURE,
    plans::FEATURE,
    clusters::FEATURE,
    traffic::FEATURE,
    edges::FEATURE,
    apps::FEATURE,
    routing::FEATURE,
    deployments::FEATURE,
    domains::FEATURE,
    metrics::FEATURE,
    admin::FEATURE,
];

/// The loops of what lies below the features.
const LOOPS_BELOW: &[Loop] = &[rate_limits::LOOP];
/// The server functions of what lies below the features.
const FUNCTIONS_BELOW: &[FunctionClass] = &[function::<SetTheme>(Class::Usual)];

/// Every loop of the panel, from the lowest to the highest.
pub fn loops() -> impl Iterator<Item = Loop> {
    LOOPS_BELOW.iter().chain(FEATURES.iter().flat_map(|feature| feature.loops)).copied()
}

/// Every server function that changes something, with what it costs.
pub fn functions() -> impl Iterator<Item = FunctionClass> {
    FUNCTIONS_BELOW.iter().chain(FEATURES.iter().flat_map(|feature| feature.functions)).copied()
}

/// What pages may say once after something was done.
pub fn flashes() -> impl Iterator<Item = Flash> {
    Flash::COMMON.iter().chain(FEATURES.iter().flat_map(|feature| feature.flashes)).copied()
}

/// Every kind of event of the audit trail.
pub fn events() -> impl Iterator<Item = EventKind> {
    FEATURES.iter().flat_map(|feature| feature.events).copied()
}

/// Every kind of letter.
pub fn letters() -> impl Iterator<Item = LetterKind> {
    FEATURES.iter().flat_map(|feature| feature.letters).copied()
}

/// Every kind of thing that can be asked for and not be there.
pub fn things() -> impl Iterator<Item = Thing> {
    Thing::COMMON.iter().chain(FEATURES.iter().flat_map(|feature| feature.things)).cloned()
}

/// Tells a panel what its features declare, before anything runs in it: those who send letters and read the audit trail stand below some
/// of the features whose letters and events these are.
pub fn introduce(panel: &Panel) {
    panel.of::<LetterKinds>().learn(letters());
    panel.of::<EventKinds>().learn(events());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_loop_has_a_name_of_its_own_and_is_woken_by_it() {
        let mut names = BTreeSet::new();
        for one in loops() {
            assert!(names.insert(one.name), "two loops are called {}", one.name);
            assert!(one.wake.is_none_or(|wake| wake.name() == one.name), "{} is woken by another's name", one.name);
        }
    }

    #[test]
    fn a_loop_can_come_to_rest_or_says_why_not() {
        for one in loops() {
            assert!(one.pass.is_some() != one.never_rests.is_some_and(|why| !why.is_empty()), "{}", one.name);
        }
    }
}
