//! Google's Generative Language API.

use serde_json::{Value, json};

use super::Answer;

/// The words of the last turn.
pub(super) fn asked(body: &Value) -> Option<String> {
    let parts = body["contents"].as_array()?.last()?["parts"].as_array()?;
    let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    Some(texts.join(" "))
}

pub(super) fn generate(path: &str, body: &Value, asked: &str) -> Answer {
    let call =
        |city: &str| json!({ "functionCall": { "name": "weather", "args": { "city": city } }, "thoughtSignature": "c2ln" });
    let config = &body["generationConfig"];
    let parts = if config["responseMimeType"] == "application/json" || asked.contains("json") {
        vec![json!({ "text": "{\"name\":\"Ann\",\"age\":7}" })]
    } else if asked.contains("tools") && body["tools"].is_array() {
        vec![call("Paris"), call("Rome")]
    } else {
        let words = format!("you said: {asked}");
        words.split_inclusive(' ').map(|word| json!({ "text": word })).collect()
    };
    let reason = if asked.contains("long") { "MAX_TOKENS" } else { "STOP" };
    let chunk = |parts: &[Value], reason: Option<&str>| {
        let mut candidate = json!({ "content": { "role": "model", "parts": parts }, "index": 0 });
        if let Some(reason) = reason {
            candidate["finishReason"] = json!(reason);
        }
        json!({
            "candidates": [candidate], "modelVersion": "gemini-up",
            "usageMetadata": { "promptTokenCount": 20, "cachedContentTokenCount": 12, "candidatesTokenCount": 5, "thoughtsTokenCount": 3 },
        })
    };
    if !path.ends_with(":streamGenerateContent") {
        return chunk(&parts, Some(reason)).to_string().into();
    }
    let mut chunks = vec![chunk(&[json!({ "text": "I think.", "thought": true })], None)];
    chunks.extend(parts.iter().map(|part| chunk(std::slice::from_ref(part), None)));
    chunks.push(chunk(&[json!({ "text": "" })], Some(reason)));
    Answer::Stream {
        kind: "text/event-stream",
        pieces: chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect(),
    }
}

pub(super) fn embed(body: &Value) -> Answer {
    let texts = body["requests"].as_array().map_or(0, Vec::len);
    let vectors: Vec<Value> = (0..texts).map(|_| json!({ "values": [1.0, -0.5] })).collect();
    json!({ "embeddings": vectors }).to_string().into()
}
