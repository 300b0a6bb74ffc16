//! How often one client may ask: a leaky bucket for each client of each route, in a table of fixed size without locks. A full bucket
//! is the same as none, so only clients that asked lately take a place; where a row of the table is full of those, the one that owes
//! least is forgotten.
use super::snapshot::RateLimit;
use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const ROWS: usize = 16 * 1024;
const PLACES: usize = 4;
/// A place holds a client's mark above, and below the microsecond at which it owes nothing.
const TIME: u32 = 46;

pub(super) struct Buckets {
    table: OnceLock<Box<[[AtomicU64; PLACES]]>>,
    hasher: RandomState,
    born: Instant,
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

/// What counts as one client, for rates and for connections: an IPv4 address, or the /64 network of an IPv6 address, which is the
/// least that a customer of a provider gets.
pub(super) fn client_key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
        v4 => v4,
    }
}

impl Buckets {
    pub fn new() -> Self {
        Buckets { table: OnceLock::new(), hasher: RandomState::new(), born: Instant::now() }
    }

    /// Counts a request of a client at a route. Where it is one too many it is not counted, and this is how long to wait.
    pub fn take(&self, route: &str, ip: IpAddr, rate: RateLimit) -> Result<(), Duration> {
        self.take_at(self.born.elapsed(), route, ip, rate)
    }

    fn take_at(&self, now: Duration, route: &str, ip: IpAddr, rate: RateLimit) -> Result<(), Duration> {
        let now = now.as_micros() as u64;
        let each = 1_000_000 / u64::from(rate.per_second.max(1));
        let may_owe = each * u64::from(rate.burst.max(1) - 1);
        let hash = self.hasher.hash_one((route, client_key(ip)));
        let table = self.table.get_or_init(|| (0..ROWS).map(|_| Default::default()).collect());
        let row = &table[hash as usize % ROWS];
        let mark = (hash >> TIME) << TIME;
        let owed = |value: u64| value & ((1 << TIME) - 1);
        loop {
            let seen: [u64; PLACES] = std::array::from_fn(|n| row[n].load(Relaxed));
            let mine = seen.iter().position(|value| value & !((1 << TIME) - 1) == mark && owed(*value) > now);
            let place = mine.unwrap_or_else(|| (0..PLACES).min_by_key(|n| owed(seen[*n])).unwrap_or(0));
            let until = if mine.is_some() { owed(seen[place]) } else { now };
            let owes = until - now;
            if owes > may_owe {
                return Err(Duration::from_micros(owes - may_owe));
            }
            let next = mark | ((until + each) & ((1 << TIME) - 1));
            if row[place].compare_exchange(seen[place], next, Relaxed, Relaxed).is_ok() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: RateLimit = RateLimit { per_second: 10, burst: 5 };

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let buckets = Buckets::new();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut at = Duration::from_secs(1);
        let ask = |at: Duration| buckets.take_at(at, "a", ip("203.0.113.9"), RATE);
        assert_eq!((0..20).filter(|_| ask(at).is_ok()).count(), 5);
        let wait = ask(at).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        at += wait;
        assert!(ask(at).is_ok() && ask(at).is_err());
        assert_eq!((0..100).filter(|n| ask(at + Duration::from_millis(100 * n)).is_ok()).count(), 99);
    }

    #[test]
    fn clients_and_routes_do_not_share_a_bucket_but_a_network_does() {
        let buckets = Buckets::new();
        let count = |route: &str, ip: &str| {
            (0..20).filter(|_| buckets.take_at(Duration::from_secs(1), route, ip.parse().unwrap(), RATE).is_ok()).count()
        };
        assert_eq!([count("a", "203.0.113.9"), count("a", "203.0.113.10"), count("b", "203.0.113.9")], [5; 3]);
        assert_eq!([count("a", "2001:db8::1"), count("a", "2001:db8::2"), count("a", "2001:db8:0:1::1")], [5, 0, 5]);
        assert_eq!(count("a", "::ffff:203.0.113.9"), 0, "the same client by IPv6");
    }

    #[test]
    fn a_flood_of_clients_takes_no_more_memory_and_locks_nobody_out() {
        let buckets = Buckets::new();
        for n in 0..500_000_u32 {
            let _ = buckets.take_at(Duration::from_micros(n.into()), "a", IpAddr::from(n.to_be_bytes()), RATE);
        }
        assert!(buckets.take_at(Duration::from_secs(9), "a", "203.0.113.9".parse().unwrap(), RATE).is_ok());
    }
}
