//! The promise that a deployment builds on: who has published a table without a backend, and then sees nothing in flight there,
//! may stop it.
use super::super::{
    table::{HoldLimits, Routes},
    upstream::Tried,
};
use super::*;
use std::sync::atomic::AtomicBool;

const BACKENDS: usize = 4;
const LIMITS: HoldLimits = HoldLimits { per_app: 10, in_all: 10 };

/// A table of the one backend that is live in this version.
fn table(version: u64) -> Snapshot {
    let n = version as usize % BACKENDS;
    let backend = Backend { task: n.to_string(), release: "r1".into(), address: ([127, 0, 0, 1], 1 + n as u16).into(), h2c: false };
    let target = Target::Tasks { backends: vec![backend], hold: LONG };
    Snapshot { version, routes: vec![Route::new("app.localhost", "app_1", target)], ..Snapshot::default() }
}

fn backend(snapshot: &Snapshot) -> Backend {
    let Target::Tasks { backends, .. } = &snapshot.routes[0].target else { unreachable!() };
    backends[0].clone()
}

#[test]
fn a_drained_backend_is_never_chosen_again() {
    let routes = Routes::new(None, LIMITS, None);
    let is_stopped: [AtomicBool; BACKENDS] = Default::default();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        routes.publish(table(0));
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let in_flight = routes.reserve_now("app.localhost", "/", &Tried::default()).unwrap();
                    let n: usize = in_flight.upstream().backend.task.parse().unwrap();
                    assert!(!is_stopped[n].load(Ordering::SeqCst), "a request came to a backend that was drained and stopped");
                }
            });
        }
        for version in 1..20_000 {
            let (old, new) = (table(version - 1), table(version));
            is_stopped[version as usize % BACKENDS].store(false, Ordering::SeqCst);
            routes.publish(new);
            while routes.in_flight(&backend(&old)) > 0 {
                std::hint::spin_loop();
            }
            is_stopped[(version - 1) as usize % BACKENDS].store(true, Ordering::SeqCst);
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn the_count_goes_on_where_a_table_brings_the_same_backend_again() {
    let routes = Routes::new(None, LIMITS, None);
    routes.publish(table(0));
    let first = routes.reserve_now("app.localhost", "/", &Tried::default()).unwrap();
    routes.publish(table(1));
    routes.publish(table(4));
    let second = routes.reserve_now("app.localhost", "/", &Tried::default()).unwrap();
    let backend = backend(&table(0));
    assert_eq!(routes.in_flight(&backend), 2);
    drop((first, second));
    assert_eq!(routes.in_flight(&backend), 0);
}
