//! The text of an answer in a caller's dialect, whole or as the events of a stream. What is no
//! text, such as a call of a tool, is not said.

use serde_json::Value;

use crate::wire::Api;

/// What the model said, if it said anything.
pub fn said_in(api: Api, stream: bool, bytes: &[u8]) -> Option<String> {
    let text = if stream {
        streamed(api, bytes)
    } else {
        whole(api, &serde_json::from_slice(bytes).ok()?)
    };
    (!text.is_empty()).then_some(text)
}

fn whole(api: Api, body: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |blocks: &Value| -> String {
        let blocks = blocks.as_array().into_iter().flatten();
        blocks.filter_map(|block| block.get("text")?.as_str()).collect()
    };
    match api {
        Api::ChatCompletions => body.pointer("/choices/0/message/content").map(text).unwrap_or_default(),
        Api::Messages => body.get("content").map(texts).unwrap_or_default(),
        Api::Responses => {
            let items = body.get("output").and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.get("content")).map(texts).collect()
        }
        Api::Embeddings | Api::CountTokens => String::new(),
    }
}

fn streamed(api: Api, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    let piece = |event: Value| -> Option<String> {
        let kind = event.get("type").and_then(Value::as_str);
        let piece = match api {
            Api::ChatCompletions => event.pointer("/choices/0/delta/content"),
            Api::Messages if kind == Some("content_block_delta") => event.pointer("/delta/text"),
            Api::Responses if kind == Some("response.output_text.delta") => event.get("delta"),
            Api::Messages | Api::Responses | Api::Embeddings | Api::CountTokens => None,
        };
        piece?.as_str().map(str::to_owned)
    };
    events.filter_map(piece).collect()
}
