//! Plans: what an organization may use. Prices come with billing.
pub mod model;
