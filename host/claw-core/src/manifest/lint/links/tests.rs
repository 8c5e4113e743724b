use super::*;

#[test]
fn only_links_into_the_folder_are_followed() {
    let check = |target: &str, expected: Option<&str>| assert_eq!(relative(target).as_deref(), expected, "{target}");
    check("a.md", Some("a.md"));
    check("./a/b.md#part", Some("./a/b.md"));
    check("a%20b.md?raw=1", Some("a b.md"));
    check("https://example.org/a.md", None);
    check("mailto:a@b.c", None);
    check("#part", None);
    check("/etc/passwd", None);
    check("<path>", None);
    check("{baseDir}/x", None);
}

#[test]
fn a_path_that_leaves_the_folder_is_none() {
    let check = |path: &str, expected: Option<&str>| assert_eq!(normal(path).as_deref(), expected, "{path}");
    check("./a/../b", Some("b"));
    check("a//b/.", Some("a/b"));
    check("..", None);
    check("a/../../b", None);
}
