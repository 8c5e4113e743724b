#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::time::UNIX_EPOCH;

use super::*;

/// Friday, 29 September 2023, 16:26:37 GMT.
const NOW: u64 = 1_696_004_797;

fn check(headers: &[(&'static str, &str)], expected_ms: Option<u64>) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let asked = retry_after(&map, UNIX_EPOCH + Duration::from_secs(NOW));
    assert_eq!(asked, expected_ms.map(Duration::from_millis), "of {headers:?}");
}

#[test]
fn what_a_provider_asks_for_is_understood() {
    check(&[], None);
    check(&[("retry-after", "20")], Some(20_000));
    check(&[("retry-after", " 1.5 ")], Some(1_500));
    check(&[("retry-after", "Fri, 29 Sep 2023 16:27:37 GMT")], Some(60_000));
    check(&[("retry-after-ms", "750")], Some(750));
    check(&[("retry-after-ms", "750"), ("retry-after", "20")], Some(750));
    check(&[("retry-after-ms", "x"), ("retry-after", "20")], Some(20_000));
}

#[test]
fn what_asks_for_nothing_sensible_is_ignored() {
    for text in [
        "0",
        "-10",
        "nan",
        "inf",
        "1e400",
        "",
        "soon",
        "Fri, 29 Sep 2023 16:26:37 GMT",
        "Fri, 29 Sep 2023 16:26:00 GMT",
        "\u{e9}",
    ] {
        check(&[("retry-after", text)], None);
    }
    check(&[("retry-after", "99999999999999999999999999999999999")], None);
    check(&[("retry-after", "Fri, 29 Sep 100000 16:26:57 GMT")], None);
}
