//! Quantities that carry their unit, and the moment in time. They parse where a person types them and print where she reads them.
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A moment: milliseconds since 1970, UTC. RFC 3339 on the wire, an integer in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// How much later this is than `earlier`; nothing where it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// `date time` for people, in UTC, to the second.
    pub fn plain(self) -> String {
        let text = self.to_string();
        format!("{} {} UTC", &text[..10.min(text.len())], text.get(11..19).unwrap_or_default())
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        f.write_str(&at.format(&Rfc3339).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        Ok(Timestamp((at.unix_timestamp_nanos() / 1_000_000) as i64))
    }
}

/// A length of time for people: `840 ms`, `12 s`, `3 min 4 s`, `2 h 5 min`.
pub fn spoken(length: Duration) -> String {
    let ms = length.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// An amount of memory or disk in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// So many mebibytes.
    pub const fn mib(n: u64) -> Self {
        Bytes(n * 1024 * 1024)
    }

    /// Whole mebibytes, rounded down.
    pub const fn as_mib(self) -> u64 {
        self.0 / (1024 * 1024)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match UNITS.iter().find(|(_, size)| self.0 >= *size) {
            Some((unit, size)) if self.0.is_multiple_of(*size) => write!(f, "{} {unit}", self.0 / size),
            Some((unit, size)) => write!(f, "{:.1} {unit}", self.0 as f64 / *size as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// Thousandths of a CPU core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct MilliCpu(pub u32);

impl fmt::Display for MilliCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{} CPU", self.0 / 1000) } else { write!(f, "{} CPU", f64::from(self.0) / 1000.0) }
    }
}

/// Replicas that can be asked for at most, whatever the plan says.
pub const MAX_REPLICAS: u32 = 100;

/// CPU of one replica: 0.05 to 16 cores.
pub fn check_cpu(millis: u32) -> Result<MilliCpu, &'static str> {
    if (50..=16_000).contains(&millis) {
        Ok(MilliCpu(millis))
    } else {
        Err("A replica may have 0.05 to 16 CPUs (50 to 16000 thousandths).")
    }
}

/// Memory of one replica: 16 MiB to 64 GiB.
pub fn check_memory(bytes: u64) -> Result<Bytes, &'static str> {
    if (Bytes::mib(16).0..=Bytes::mib(65_536).0).contains(&bytes) {
        Ok(Bytes(bytes))
    } else {
        Err("A replica may have 16 MiB to 64 GiB of memory.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_wire() {
        let at = Timestamp(1_795_000_000_123);
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(text, "\"2026-11-18T09:46:40.123Z\"".replace("2026-11-18T09:46:40", &at.to_string()[..19]));
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), at);
    }

    #[test]
    fn quantities_read_well() {
        assert_eq!(Bytes::mib(512).to_string(), "512 MiB");
        assert_eq!(Bytes(1_610_612_736).to_string(), "1.5 GiB");
        assert_eq!(MilliCpu(500).to_string(), "0.5 CPU");
        assert_eq!(spoken(Duration::from_millis(64_500)), "1 min 4 s");
    }
}
