//! A token bucket of wrong credentials for every address, loopback included. Bounded: when
//! too many addresses fail at once, those that are new share one bucket.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::gateway::FailureLimit;

/// The most addresses that are told apart.
const MOST_PEERS: usize = 4_096;
/// Whom an address counts as when there are too many.
const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The failures of late.
pub(crate) struct Failures {
    limit: FailureLimit,
    peers: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Failures {
    pub(crate) fn new(limit: FailureLimit) -> Self {
        Failures {
            limit,
            peers: Mutex::default(),
        }
    }

    /// Counts a failure of `peer`.
    ///
    /// # Errors
    /// There were too many; the time after which one more is forgiven.
    pub(crate) fn count(&self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        let full = f64::from(self.limit.burst.max(1));
        let rate = f64::from(self.limit.per_second.max(1));
        let refilled = |bucket: &Bucket| {
            let waited = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + waited * rate).min(full)
        };
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut peer = network(peer);
        if peers.len() >= MOST_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, bucket| refilled(bucket) < full);
            if peers.len() >= MOST_PEERS {
                peer = EVERYBODY_ELSE;
            }
        }
        let bucket = peers.entry(peer).or_insert(Bucket { left: full, at: now });
        bucket.left = refilled(bucket);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / rate));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// One host has a whole /64 of IPv6 addresses to come from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: FailureLimit = FailureLimit { burst: 3, per_second: 2 };

    fn v4(last: u32) -> IpAddr {
        IpAddr::from(std::net::Ipv4Addr::from_bits((10 << 24) + last))
    }

    #[test]
    fn runs_out_and_refills() {
        let (failures, now) = (Failures::new(LIMIT), Instant::now());
        for _ in 0..3 {
            assert_eq!(failures.count(v4(1), now), Ok(()));
        }
        assert_eq!(failures.count(v4(1), now), Err(Duration::from_millis(500)));
        assert_eq!(failures.count(v4(2), now), Ok(()), "another address has its own");
        let later = now + Duration::from_millis(500);
        assert_eq!(failures.count(v4(1), later), Ok(()));
        assert!(failures.count(v4(1), later).is_err());
    }

    #[test]
    fn a_mapped_address_and_a_whole_v6_network_are_one_peer() {
        let check = |one: &str, two: &str| assert_eq!(one.parse().map(network), two.parse().map(network), "{one} {two}");
        check("127.0.0.1", "::ffff:127.0.0.1");
        check("2001:db8::1", "2001:db8::ffff:2");
    }

    #[test]
    fn memory_is_bounded_and_newcomers_share() {
        let (failures, now) = (Failures::new(LIMIT), Instant::now());
        for last in 0..10_000 {
            let _ = failures.count(v4(last), now);
        }
        let held = failures.peers.lock().map(|peers| peers.len()).unwrap_or_default();
        assert_eq!(held, MOST_PEERS + 1);
        assert!(failures.count(v4(20_000), now).is_err(), "the shared bucket is empty");
        assert_eq!(
            failures.count(v4(20_000), now + Duration::from_secs(60)),
            Ok(()),
            "the others were forgotten"
        );
    }
}
