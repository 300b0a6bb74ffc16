//! Error reports: what stands behind the reference that a customer was shown. Faults of one kind are counted together; of each kind the
//! newest are kept with what is known of their requests. For the operators of the platform.
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;
