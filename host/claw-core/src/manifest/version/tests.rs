use super::*;

#[test]
fn what_looks_like_a_version_becomes_one() {
    let check = |text: &str, expected: &str| {
        let mut report = Report::aside();
        let version = parse(text, 1, "version", &mut report);
        assert_eq!(version.to_string(), expected, "{text}");
        let exact = report.into_diagnostics(Code::on_load).is_empty();
        assert_eq!(exact, text == expected, "{text} is reported unless it is exact");
    };
    check("1.2.3", "1.2.3");
    check("1.2.3-rc.1+build.5", "1.2.3-rc.1+build.5");
    check("v1.2.3", "1.2.3");
    check("1", "1.0.0");
    check("1.0", "1.0.0");
    check("1.10", "1.10.0");
    check("01.02.03", "1.2.3");
    check("2.0-beta", "2.0.0-beta");
    check("1.2.3.4", "0.0.0");
    check("latest", "0.0.0");
    check("99999999999999999999.0.0", "0.0.0");
}

#[test]
fn a_release_is_higher_than_what_came_before_it() {
    let order = [
        "0.0.0",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-rc.2",
        "1.0.0-rc.10",
        "1.0.0",
        "1.0.1",
        "1.10.0",
    ];
    let versions: Vec<Version> = order.iter().filter_map(|text| Version::parse(text).ok()).collect();
    assert_eq!(versions.len(), order.len());
    assert!(versions.is_sorted());
}
