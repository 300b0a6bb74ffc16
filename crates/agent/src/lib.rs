//! What is done on each machine of a swarm, whoever else runs there. The walls: rules of the kernel's packet filter that keep tenants'
//! containers from the machines (the panel, the engine, each other's ports), and everybody but the machines from tenants' ports. They are
//! a pure function ([`rules`]) of a few facts ([`Facts`]), put up at once as a whole, looked at every 30 seconds and put up again where
//! somebody took them down ([`Keeper`]). `skypanel serve` keeps those of its own machine, `skypanel agent` those of any other.
//!
//! The rules stand in the table `mangle`, in chains of our own. Docker writes only into `filter` and `nat`, and reorders what others put
//! there whenever it starts; in `mangle` nothing is in its way, the rules stand before it has started, and whatever it allows
//! later was refused before.
mod facts;
pub mod fake;
mod keep;
mod rules;
mod tables;

pub use facts::{Facts, is_privileged};
pub use keep::{EVERY, Keeper, Pass, WallSettings, WallStatus, Walls, keep};
pub use rules::{Family, Ruleset, rules};
pub use tables::{Iptables, Tables};
