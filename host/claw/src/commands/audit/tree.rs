//! An invocation as a tree: the call, its effects in their order, and below each call that
//! it made that call's own effects.

use claw_core::capability::Payload;
use claw_core::draft::DraftId;
use claw_core::ids::InvocationId;
use claw_core::journal::{Answer, Effect, Line};
use claw_store::Tree;

use crate::output::{Style, printable};

/// The tree as text.
pub(super) fn render(tree: &Tree, style: Style) -> String {
    let mut text = String::new();
    node(tree, "", "", style, &mut text);
    text
}

/// What stands below a call: an effect of its journal, or a call that no effect names.
enum Below<'t> {
    Effect(&'t Line, Option<&'t Tree>),
    Call(&'t Tree),
}

fn node(tree: &Tree, first: &str, rest: &str, style: Style, text: &mut String) {
    push(text, first, &heading(tree, style));
    push(text, rest, &style.dim(&facts(tree)));
    let below = below(tree);
    let count = below.len();
    for (place, item) in below.into_iter().enumerate() {
        let last = place + 1 == count;
        let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let (first, rest) = (format!("{rest}{branch}"), format!("{rest}{trunk}"));
        match item {
            Below::Effect(line, call) => {
                push(text, &first, &effect(line, style));
                if let Some(call) = call {
                    let (branch, trunk) = (format!("{rest}└─ "), format!("{rest}   "));
                    node(call, &branch, &trunk, style, text);
                }
            }
            Below::Call(call) => node(call, &first, &rest, style, text),
        }
    }
    if tree.cut {
        push(text, rest, "… more calls than are shown");
    }
}

fn push(text: &mut String, lead: &str, line: &str) {
    text.push_str(lead);
    text.push_str(line);
    text.push('\n');
}

fn heading(tree: &Tree, style: Style) -> String {
    let entry = &tree.entry;
    let outcome = match &entry.code {
        Some(code) => style.red(&format!("{} {code}", entry.outcome.as_str())),
        None if entry.outcome == claw_store::EntryStatus::Ok => style.green("ok"),
        None => style.yellow(entry.outcome.as_str()),
    };
    let latency = entry
        .latency_ms
        .map_or_else(String::new, |latency| format!("  {latency:.1} ms"));
    format!("{}  {outcome}{latency}", style.bold(&printable(&entry.capability)))
}

fn facts(tree: &Tree) -> String {
    let entry = &tree.entry;
    let mut facts = vec![entry.id.to_string(), entry.time.clone(), format!("by {}", entry.caller)];
    if let Some(model) = &entry.model {
        facts.push(format!("{} at {}", model, entry.provider.as_deref().unwrap_or("?")));
    }
    if let (Some(input), Some(output)) = (entry.input_tokens, entry.output_tokens) {
        facts.push(format!("{input} + {output} tokens"));
        facts.push(super::cost(entry));
    }
    if entry.offline {
        facts.push("offline".to_owned());
    }
    if entry.replayed {
        facts.push("replayed".to_owned());
    }
    let policy = &entry.policy;
    if !policy.held_by.is_empty() {
        let draft = DraftId::of(entry.id);
        facts.push(format!("held as {draft} by {}", policy.held_by.join(", ")));
    }
    if let Some(approval) = &policy.approved {
        facts.push(format!("approved by {} as {}", approval.by, approval.draft));
    }
    if !policy.found.is_empty() {
        facts.push(format!("holds {}", policy.found.join(", ")));
    }
    if policy.local_only {
        facts.push("local only".to_owned());
    }
    facts.push(format!(
        "request {}",
        entry.request_hash.get(..12).unwrap_or(&entry.request_hash)
    ));
    printable(&facts.join(" · "))
}

fn below(tree: &Tree) -> Vec<Below<'_>> {
    let mut named: Vec<InvocationId> = Vec::new();
    let mut below = Vec::new();
    for line in tree.journal.iter().flatten() {
        let call = called(&line.effect).and_then(|id| tree.children.iter().find(|child| child.entry.id == id));
        named.extend(call.map(|call| call.entry.id));
        below.push(Below::Effect(line, call));
    }
    below.extend(
        tree.children
            .iter()
            .filter(|child| !named.contains(&child.entry.id))
            .map(Below::Call),
    );
    below
}

/// The call that an effect made.
fn called(effect: &Effect) -> Option<InvocationId> {
    match effect {
        Effect::Model { entry, .. } | Effect::Embed { entry, .. } | Effect::Invoke { entry, .. } => *entry,
        _ => None,
    }
}

fn effect(line: &Line, style: Style) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let at = style.dim(&format!("+{:.1} ms", line.at_us as f64 / 1_000.0));
    format!("{at} {}", clipped(&words(&line.effect)))
}

fn clipped(text: &str) -> String {
    let text = printable(text).replace('\n', " ⏎ ");
    if text.chars().count() <= 160 {
        text
    } else {
        text.chars().take(159).chain(['…']).collect()
    }
}

fn words(effect: &Effect) -> String {
    let failed = |fault: &claw_core::errors::Fault| format!("failed: {}: {}", fault.code, fault.message);
    match effect {
        Effect::Seed { seed } => format!("random seed {}…", seed.get(..12).unwrap_or(seed)),
        Effect::Clock { clock, nanos } => format!("{clock} clock read {nanos}"),
        Effect::ClockCap { kept } => format!("clocks read more than {kept} times: not replayable"),
        Effect::Model { use_name, answer, .. } => match answer {
            Answer::Ok(done) => format!("model `{use_name}` → {}", done.message.joined_text()),
            Answer::Err(fault) => format!("model `{use_name}` {}", failed(fault)),
        },
        Effect::Embed {
            use_name, texts, answer, ..
        } => match answer {
            Answer::Ok(vectors) => format!("embed `{use_name}` {} texts → {} vectors", texts.len(), vectors.len()),
            Answer::Err(fault) => format!("embed `{use_name}` {}", failed(fault)),
        },
        Effect::Invoke {
            capability,
            input,
            answer,
            ..
        } => match answer {
            Answer::Ok(output) => format!("{capability} {} → {}", payload(input), payload(output)),
            Answer::Err(fault) => format!("{capability} {} {}", payload(input), failed(fault)),
        },
        Effect::File {
            op, path, size, fault, ..
        } => match fault {
            Some(fault) => format!("{op} {path} {}", failed(fault)),
            None => format!("{op} {path} ({size})"),
        },
        Effect::Log {
            level, message, source, ..
        } => format!("{source} {level:?}: {message}"),
        Effect::LogCap { dropped } => format!("{dropped} log lines dropped"),
        Effect::Progress { message, percent } => match percent {
            Some(percent) => format!("progress {percent} %: {message}"),
            None => format!("progress: {message}"),
        },
        Effect::Resources {
            peak_memory_bytes,
            host_calls,
            output_bytes,
        } => {
            format!(
                "{} KiB of memory at most, {host_calls} host calls, {output_bytes} bytes out",
                peak_memory_bytes >> 10
            )
        }
        Effect::Dropped { effects } => format!("{effects} effects not kept"),
    }
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Json(value) => value.to_string(),
        Payload::Text(text) => text.clone(),
        Payload::Bytes { mime, data } => format!("{} bytes of {mime}", data.len()),
    }
}
