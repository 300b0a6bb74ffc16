//! The limits of a plan, as pure rules.
use crate::{
    error::{Error, Result, Thing},
    units::{Bytes, MilliCpu},
};
use serde::{Deserialize, Serialize};

/// What a plan is called where there is none.
pub const PLAN: Thing = Thing::new("PLAN", "plan");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[PLAN];

/// What a plan allows a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLimits {
    pub applications: u32,
    /// Of one application.
    pub replicas: u32,
    /// Of one replica.
    pub cpu_millis: MilliCpu,
    /// Of one replica.
    pub memory_bytes: Bytes,
}

impl PlanLimits {
    /// The plan that every organization starts on.
    pub const SHARED: PlanLimits =
        PlanLimits { applications: 100, replicas: 10, cpu_millis: MilliCpu(2_000), memory_bytes: Bytes::mib(2_048) };

    /// Refuses one application more than allowed.
    pub fn allow_application(&self, used: u64) -> Result<()> {
        let limit = u64::from(self.applications);
        if used < limit { Ok(()) } else { Err(Error::QuotaExceeded { what: "applications".into(), limit, used }) }
    }

    /// Refuses more replicas than allowed.
    pub fn allow_replicas(&self, wanted: u32) -> Result<()> {
        if wanted <= self.replicas {
            Ok(())
        } else {
            Err(Error::invalid("replicas", format!("Your plan allows {} replicas.", self.replicas)))
        }
    }

    /// Refuses limits of a replica that are above the plan's.
    pub fn allow_size(&self, cpu: MilliCpu, memory: Bytes) -> Result<()> {
        let mut fields = crate::error::Fields::default();
        if cpu > self.cpu_millis {
            fields.refuse("resource_limits.cpu_millis", format!("Your plan allows {} a replica.", self.cpu_millis));
        }
        if memory > self.memory_bytes {
            fields.refuse("resource_limits.memory_bytes", format!("Your plan allows {} a replica.", self.memory_bytes));
        }
        fields.done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_refuses_one_more_than_it_allows() {
        let plan = PlanLimits::SHARED;
        assert!(plan.allow_application(99).is_ok());
        assert!(matches!(plan.allow_application(100), Err(Error::QuotaExceeded { limit: 100, used: 100, .. })));
        assert!(plan.allow_replicas(11).is_err());
        assert!(plan.allow_size(MilliCpu(2_001), Bytes::mib(1)).is_err());
    }
}
