//! What fits into the room that a model has left: the pieces with the highest priority first,
//! each within its own bound. Cuts at the end of a line where it can, and a session from its
//! oldest turn on.

use super::{Content, ContextUse, Gathered, Turn, tokens};

/// A piece that would be cut to less is left out, in tokens.
const LEAST: u64 = 16;

/// What goes in, in the order in which it was named, and what became of every piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    /// Pieces that have room, shortened where needed.
    pub pieces: Vec<Gathered>,
    /// One row for each piece that was gathered.
    pub used: Vec<ContextUse>,
}

/// Fits pieces into `room` tokens; `None` is room without end.
pub fn fit(gathered: Vec<Gathered>, room: Option<u64>) -> Fitted {
    let mut left = room.unwrap_or(u64::MAX);
    let mut order: Vec<usize> = (0..gathered.len()).collect();
    // Of one priority, the one named first.
    order.sort_by_key(|place| gathered.get(*place).map(|piece| std::cmp::Reverse(piece.priority)));
    let mut shortened: Vec<Option<(Gathered, ContextUse)>> = vec![None; gathered.len()];
    for place in order {
        let Some(piece) = gathered.get(place) else { continue };
        let fitted = shorten(piece, left.min(piece.max_tokens.unwrap_or(u64::MAX)));
        left = left.saturating_sub(fitted.1.tokens);
        if let Some(slot) = shortened.get_mut(place) {
            *slot = Some(fitted);
        }
    }
    let mut fitted = Fitted::default();
    for (piece, row) in shortened.into_iter().flatten() {
        if row.tokens > 0 {
            fitted.pieces.push(piece);
        }
        fitted.used.push(row);
    }
    fitted
}

fn shorten(piece: &Gathered, room: u64) -> (Gathered, ContextUse) {
    let (content, taken, cut) = match &piece.content {
        Content::Text(text) => {
            let kept = cut(text, room);
            (Content::Text(kept.to_owned()), tokens(kept), kept.len() < text.len())
        }
        Content::Turns(turns) => {
            let kept = newest(turns, room);
            let taken = kept.iter().map(|turn| tokens(&turn.text)).sum();
            (Content::Turns(kept.to_vec()), taken, kept.len() < turns.len())
        }
    };
    let row = ContextUse {
        name: piece.name.clone(),
        tokens: taken,
        cut,
        failed: None,
    };
    (
        Gathered {
            content,
            ..piece.clone()
        },
        row,
    )
}

/// The beginning of a text, up to the last end of a line that has room, or of a character.
fn cut(text: &str, room: u64) -> &str {
    if tokens(text) <= room {
        return text;
    }
    if room < LEAST {
        return "";
    }
    let mut end = usize::try_from(room.saturating_mul(4)).unwrap_or(usize::MAX).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let start = text.get(..end).unwrap_or_default();
    match start.rfind('\n') {
        // A text of one long line is cut within it.
        Some(line) if line >= end / 2 => start.get(..line).unwrap_or(start),
        Some(_) | None => start,
    }
}

/// The last turns that have room, beginning with one of the user's.
fn newest(turns: &[Turn], room: u64) -> &[Turn] {
    let mut taken = 0u64;
    let fits = turns.iter().rev().take_while(|turn| {
        taken = taken.saturating_add(tokens(&turn.text));
        taken <= room
    });
    let first = turns.len() - fits.count();
    let kept = turns.get(first..).unwrap_or_default();
    let skipped = kept.iter().take_while(|turn| turn.role != crate::model::Role::User).count();
    kept.get(skipped..).unwrap_or_default()
}
