use super::*;

#[test]
fn an_id_reads_back_as_written() {
    for id in [InvocationId(0), InvocationId(u128::MAX), InvocationId::generate()] {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(InvocationId::from_bytes(id.to_bytes()), id);
    }
}

#[test]
fn ids_sort_by_time_as_text() {
    let early = InvocationId(1 << 80);
    let late = InvocationId(2 << 80);
    assert!(early.to_string() < late.to_string());
}

#[test]
fn other_text_is_no_id() {
    for text in [
        "",
        "inv_",
        "inv_0",
        "01h00000000000000000000000",
        "inv_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "inv_0000000000000000000000000i",
    ] {
        assert_eq!(text.parse::<InvocationId>(), Err(NotAnId), "{text}");
    }
}

#[test]
fn a_trace_is_continued_with_a_new_span() {
    let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let next = TraceParent::continue_or_generate(Some(header));
    assert_eq!(next.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(next.to_string(), header);
}

#[test]
fn a_broken_trace_is_replaced() {
    for header in [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
    ] {
        assert_eq!(header.parse::<TraceParent>(), Err(NotATraceParent), "{header}");
        assert_ne!(
            TraceParent::continue_or_generate(Some(header)).trace_id(),
            "0af7651916cd43dd8448eb211c80319c"
        );
    }
    assert!(
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later"
            .parse::<TraceParent>()
            .is_ok()
    );
}
