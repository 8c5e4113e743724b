//! One call with everything below it: its bodies where they were kept, its journal, and the
//! calls that it made. Bounded: very large trees are cut, and say so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_core::ids::InvocationId;
use claw_core::journal::Line;
use rusqlite::OptionalExtension as _;
use serde::Serialize;

use super::Reader;
use super::entry::{Entry, Raw, merge};
use crate::error::StoreError;
use crate::journal::row::BodyNote;

/// The most calls of a tree.
const MOST_CALLS: usize = 2_000;
/// The deepest that calls of calls are followed.
const DEEPEST: usize = 32;

/// A call and those that it made.
#[derive(Clone, Debug, Serialize)]
pub struct Tree {
    /// The call.
    #[serde(flatten)]
    pub entry: Entry,
    /// What it was asked.
    pub request: BodyView,
    /// What it answered.
    pub response: BodyView,
    /// Its effects in their order; `null` where they were not kept or not readable as lines.
    pub journal: Option<Vec<Line>>,
    /// The calls that it made, in their order.
    pub children: Vec<Tree>,
    /// There are more calls below than are shown.
    pub cut: bool,
}

/// What is left of a body.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", content = "content", rename_all = "snake_case")]
pub enum BodyView {
    /// There was none.
    None,
    /// Only its hash was kept.
    Hashed,
    /// It is here.
    Kept(Content),
    /// It was kept, and has been erased.
    Erased,
    /// It is there and cannot be decrypted: another home's key, or changed bytes.
    Unreadable,
}

/// The bytes of a body, in the plainest form that they have.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// One JSON value.
    Json(serde_json::Value),
    /// Other text.
    Text(String),
    /// Other bytes.
    Base64(String),
}

impl Content {
    fn of(bytes: Vec<u8>) -> Self {
        if let Ok(json) = serde_json::from_slice(&bytes) {
            return Content::Json(json);
        }
        match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Base64(STANDARD.encode(error.as_bytes())),
        }
    }
}

impl Reader {
    /// The call of this id, if there is one.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn show(&self, id: InvocationId) -> Result<Option<Tree>, StoreError> {
        let mut left = MOST_CALLS;
        let call = "i.call = ?1 AND i.kind = 0";
        Ok(self.trees(call, id, &mut left, DEEPEST)?.0.into_iter().next())
    }

    /// The calls that a condition on `i` names, and whether some are missing.
    fn trees(&self, which: &str, id: InvocationId, left: &mut usize, deep: usize) -> Result<(Vec<Tree>, bool), StoreError> {
        let sql = format!(
            "SELECT i.seq, i.at_us, i.body, o.seq, o.body FROM journal i LEFT JOIN journal o ON o.intent = i.seq
             WHERE {which} ORDER BY i.seq"
        );
        let (mut found, mut cut) = (Vec::new(), false);
        self.each(&sql, [id.to_bytes()], |raw| {
            cut = *left == 0 || deep == 0;
            if !cut {
                *left -= 1;
                found.push(Found::of(raw)?);
            }
            Ok(!cut)
        })?;
        let mut trees = Vec::with_capacity(found.len());
        for call in found {
            let (children, cut) = self.trees("i.parent = ?1 AND i.kind = 0", call.entry.id, left, deep.saturating_sub(1))?;
            let journal = match self.bytes(call.journal.as_ref())? {
                Bytes::Here(bytes) => lines(&bytes),
                Bytes::Not(_) => None,
            };
            let (request, response) = (self.view(Some(&call.request))?, self.view(call.response.as_ref())?);
            trees.push(Tree {
                entry: call.entry,
                request,
                response,
                journal,
                children,
                cut,
            });
        }
        Ok((trees, cut))
    }

    fn view(&self, note: Option<&BodyNote>) -> Result<BodyView, StoreError> {
        Ok(match self.bytes(note)? {
            Bytes::Here(bytes) => BodyView::Kept(Content::of(bytes)),
            Bytes::Not(view) => view,
        })
    }

    fn bytes(&self, note: Option<&BodyNote>) -> Result<Bytes, StoreError> {
        let Some(note) = note else {
            return Ok(Bytes::Not(BodyView::None));
        };
        let Some(hash) = note.hash_bytes().filter(|_| note.kept) else {
            return Ok(Bytes::Not(BodyView::Hashed));
        };
        let sealed: Option<Vec<u8>> = self
            .connection
            .query_row("SELECT sealed FROM bodies WHERE hash = ?1", [hash], |row| row.get(0))
            .optional()
            .map_err(StoreError::sqlite(&self.path))?;
        Ok(match sealed.map(|sealed| self.sealer.open(&hash, &sealed)) {
            None => Bytes::Not(BodyView::Erased),
            Some(None) => Bytes::Not(BodyView::Unreadable),
            Some(Some(bytes)) => Bytes::Here(bytes),
        })
    }
}

enum Bytes {
    Here(Vec<u8>),
    Not(BodyView),
}

struct Found {
    entry: Entry,
    request: BodyNote,
    response: Option<BodyNote>,
    journal: Option<BodyNote>,
}

impl Found {
    fn of(raw: &Raw<'_>) -> Result<Self, super::entry::BadBody> {
        let (intent, outcome) = (raw.stored_intent()?, raw.stored_outcome()?);
        let request = intent.request.clone();
        let response = outcome.as_ref().and_then(|outcome| outcome.response.clone());
        let journal = outcome.as_ref().and_then(|outcome| outcome.journal.clone());
        Ok(Found {
            entry: merge(raw, intent, outcome),
            request,
            response,
            journal,
        })
    }
}

fn lines(bytes: &[u8]) -> Option<Vec<Line>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).ok()).collect()
}
