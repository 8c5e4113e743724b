#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use super::*;

fn key(id: &str, rpm: Option<u32>) -> KeyScope {
    KeyScope {
        id: id.to_owned(),
        rpm,
        ..KeyScope::default()
    }
}

#[test]
fn a_quiet_key_has_its_minute_at_once_and_then_a_share_at_a_time() {
    let start = Instant::now();
    let check = |rpm: u32, wait: Duration| {
        let mut bucket = Bucket::full(start);
        for request in 0..rpm {
            assert_eq!(bucket.take(rpm, start), Ok(()), "{request} of {rpm}");
        }
        assert_eq!(bucket.take(rpm, start), Err(wait), "{rpm}");
        assert_eq!(bucket.take(rpm, start), Err(wait), "a refusal costs nothing: {rpm}");
        assert_eq!(
            bucket.take(rpm, start + wait - Duration::from_nanos(1)),
            Err(Duration::from_nanos(1))
        );
        assert_eq!(bucket.take(rpm, start + wait), Ok(()));
        assert!(bucket.take(rpm, start + wait).is_err());
    };
    check(1, Duration::from_secs(60));
    check(5, Duration::from_secs(12));
    check(7, Duration::from_secs(60) / 7);
    check(600, Duration::from_millis(100));
    check(super::super::MOST_RPM, Duration::from_secs(60) / super::super::MOST_RPM);
}

#[test]
fn what_is_saved_up_is_one_minute_and_no_more() {
    let start = Instant::now();
    let mut bucket = Bucket::full(start);
    let later = start + Duration::from_secs(86_400);
    let taken = (0..1_000).filter(|_| bucket.take(60, later).is_ok()).count();
    assert_eq!(taken, 60);
    // Over any longer time the rate holds: 60 at once, then one a second.
    let taken = (0..10_000u32)
        .filter(|tick| bucket.take(60, later + Duration::from_millis(100) * *tick).is_ok())
        .count();
    assert_eq!(taken, 999);
}

#[test]
fn a_clock_that_stands_or_a_rate_that_changes_does_no_harm() {
    let start = Instant::now() + Duration::from_secs(100);
    let mut bucket = Bucket::full(start);
    for _ in 0..10 {
        bucket.take(10, start).unwrap();
    }
    assert!(bucket.take(10, start - Duration::from_secs(50)).is_err());
    assert_eq!(bucket.take(60_000, start), Err(Duration::from_millis(1)), "a higher rate");
    assert!(bucket.take(0, start).is_err(), "no division by nought");
}

#[test]
fn keys_are_counted_apart_and_one_without_a_rate_is_not() {
    let (table, now) = (RateTable::new(), Instant::now());
    let (one, two, free) = (key("key_1", Some(2)), key("key_2", Some(2)), key("key_3", None));
    for _ in 0..2 {
        table.admit(&one, now).unwrap();
    }
    let fault = table.admit(&one, now).unwrap_err();
    assert_eq!((fault.code, fault.retry_after_ms), (Code::KeyRateLimited, Some(30_000)));
    assert!(fault.message.contains("key_1"), "{fault}");
    table.admit(&two, now).unwrap();
    for _ in 0..10_000 {
        table.admit(&free, now).unwrap();
    }
    assert_eq!(table.0.lock().unwrap().len(), 2);
}

#[test]
fn quiet_keys_are_forgotten_and_busy_ones_are_not() {
    let (table, now) = (RateTable::new(), Instant::now());
    let busy = key("key_busy", Some(1));
    let later = now + Duration::from_secs(61);
    for number in 0..TIDY_ABOVE {
        table.admit(&key(&format!("key_{number}"), Some(1)), now).unwrap();
    }
    table.admit(&busy, later).unwrap();
    table.admit(&key("key_new", Some(1)), later).unwrap();
    assert_eq!(table.0.lock().unwrap().len(), 2);
    assert!(table.admit(&busy, later).is_err());
}

#[test]
fn many_threads_never_get_more_than_the_rate() {
    let (table, now) = (RateTable::new(), Instant::now());
    let shared = key("key_shared", Some(100));
    let taken: usize = std::thread::scope(|scope| {
        let count = || (0..200).filter(|_| table.admit(&shared, now).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 100);
}
