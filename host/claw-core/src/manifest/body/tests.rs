use super::*;

#[test]
fn headings_links_and_the_first_paragraph() {
    let text = "## One `two` *three*\n\nFirst *words*\nof `it`.\n\nSecond.\n\nSetext\n======\n\n```\n# code\n```\n[a](b.md) ![c](d.png)\n";
    let body = read(text, 10);
    let headings: Vec<_> = body
        .headings
        .iter()
        .map(|one| (one.level, one.text.as_str(), one.line))
        .collect();
    assert_eq!(headings, [(2, "One two three", 10), (1, "Setext", 17)]);
    assert_eq!(body.first_paragraph.as_deref(), Some("First words of it."));
    let links: Vec<_> = body.links.iter().map(|one| (one.target.as_str(), one.line)).collect();
    assert_eq!(links, [("b.md", 23), ("d.png", 23)]);
}

#[test]
fn what_is_kept_is_bounded() {
    let body = read(&format!("{}\n\n{}", "word ".repeat(10_000), "# x\n".repeat(5_000)), 1);
    assert_eq!(body.first_paragraph.map(|text| text.len()), Some(EXCERPT_CHARS));
    assert_eq!(body.headings.len(), MOST_HEADINGS);
}
