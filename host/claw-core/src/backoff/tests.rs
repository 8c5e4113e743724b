#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

const BASE: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(8);

#[test]
fn ranges_that_make_no_sense_are_refused() {
    assert_eq!(FullJitter::try_new(Duration::ZERO, CAP), Err(BadRange::ZeroBase));
    assert_eq!(
        FullJitter::try_new(CAP, BASE),
        Err(BadRange::CapBelowBase {
            base_ms: 8000,
            cap_ms: 500
        })
    );
    assert!(FullJitter::try_new(BASE, BASE).is_ok());
}

#[test]
fn bounds_double_up_to_the_cap_and_never_overflow() {
    let jitter = FullJitter::try_new(BASE, CAP).unwrap();
    let expected = [
        (0, 500),
        (1, 500),
        (2, 1000),
        (3, 2000),
        (4, 4000),
        (5, 8000),
        (6, 8000),
        (32, 8000),
        (u32::MAX, 8000),
    ];
    for (failed, millis) in expected {
        assert_eq!(jitter.bound(failed), Duration::from_millis(millis), "after {failed}");
    }
    let huge = FullJitter::try_new(Duration::from_secs(u64::MAX / 2), Duration::MAX).unwrap();
    assert_eq!(huge.bound(40), Duration::MAX);
}

#[test]
fn waits_spread_over_the_whole_range() {
    let jitter = FullJitter::try_new(BASE, CAP).unwrap();
    let expected = [
        (0.0, 0),
        (0.25, 250),
        (0.5, 500),
        (1.0, 1000),
        (-3.0, 0),
        (7.0, 1000),
        (f64::NAN, 1000),
    ];
    for (unit, millis) in expected {
        assert_eq!(jitter.wait(2, unit), Duration::from_millis(millis), "at {unit}");
    }
}
