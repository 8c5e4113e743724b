use super::*;

#[test]
fn connections_leave_half_of_the_descriptors() {
    for (open_files, expected) in [(0, 1), (1, 1), (256, 128), (1024, 512), (2048, 1024), (u64::MAX, 8192)] {
        assert_eq!(connections(open_files), expected, "{open_files}");
    }
}

#[test]
fn the_bound_on_open_files_is_raised_to_what_is_said() {
    let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let raised = raise_open_files();
    let limit = getrlimit(Resource::Nofile);
    assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
    assert!(raised >= before, "{raised} < {before}");
    let possible = limit.maximum.unwrap_or(u64::MAX).min(MAX_OPEN_FILES);
    assert!(raised >= possible, "{raised} < {possible}");
}
