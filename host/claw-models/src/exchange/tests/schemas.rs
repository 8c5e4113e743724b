use super::*;
use claw_core::ports::ModelCall;

use crate::testing::{complete, permit, soon, stream};

fn wanted() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"], "additionalProperties": false })
}

fn asking() -> CompletionRequest {
    CompletionRequest {
        response_schema: Some(wanted()),
        ..ask("Where?")
    }
}

fn cut_off(text: &str) -> Value {
    let mut answer = openai_answer(text);
    answer["choices"][0]["finish_reason"] = json!("length");
    answer
}

#[tokio::test]
async fn an_answer_that_fits_is_handed_on_bare() {
    let upstream = Upstream::start([Reply::json(200, &openai_answer("```json\n{\"city\": \"Bern\"}\n```"))]).await;
    let done = complete(&models("openai", &upstream.url, ""), asking()).await.unwrap();
    assert_eq!(done.message.joined_text(), "{\"city\": \"Bern\"}");
    assert_eq!(upstream.only().body["response_format"]["json_schema"]["schema"], wanted());
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_repaired_once_and_both_are_paid() {
    let upstream = Upstream::start([
        Reply::json(200, &openai_answer("{\"town\": \"Bern\"}")),
        Reply::json(503, &error("busy", "x")),
        Reply::json(200, &openai_answer("{\"city\": \"Bern\"}")),
    ])
    .await;
    let price = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}";
    let done = complete(&models("openai", &upstream.url, price), asking()).await.unwrap();
    assert_eq!((done.usage.input_tokens, done.usage.output_tokens, done.attempts), (20, 4, 3));
    assert_eq!(done.usage.cost_nanousd, Some(24_000));
    let repair = &upstream.seen()[1].body["messages"];
    assert_eq!(repair[1], json!({ "role": "assistant", "content": "{\"town\": \"Bern\"}" }));
    assert!(repair[2]["content"].as_str().unwrap().contains("city"), "{repair}");
}

#[tokio::test]
async fn an_answer_that_never_fits_is_an_error() {
    let upstream = Upstream::start([Reply::json(200, &openai_answer("Bern")), Reply::json(200, &openai_answer(""))]).await;
    let fault = complete(&models("openai", &upstream.url, ""), asking()).await.unwrap_err();
    assert_eq!((fault.code, upstream.seen().len()), (Code::ModelSchemaMismatch, 2));
    assert_eq!(fault.details.unwrap()["violations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_another_try_cannot_mend_is_not_tried() {
    let upstream = Upstream::start([Reply::json(200, &cut_off("{\"city\": \"Be"))]).await;
    let fault = complete(&models("openai", &upstream.url, ""), asking()).await.unwrap_err();
    assert_eq!(fault.code, Code::ModelSchemaMismatch);
    assert!(fault.hint.unwrap().contains("max_tokens"));
    upstream.only();

    let bad = CompletionRequest {
        response_schema: Some(json!({ "$ref": "https://example.com/x" })),
        ..ask("hi")
    };
    let upstream = Upstream::start([]).await;
    let fault = complete(&models("openai", &upstream.url, ""), bad).await.unwrap_err();
    assert_eq!((fault.code, upstream.seen().len()), (Code::ModelInvalidRequest, 0));
}

#[tokio::test]
async fn anthropic_answers_by_a_tool() {
    let answer = json!({ "model": "m", "content": [{ "type": "tool_use", "id": "t", "name": "answer_in_json", "input": { "value": ["a", "b"] } }],
        "stop_reason": "tool_use", "usage": { "input_tokens": 5, "output_tokens": 3 } });
    let upstream = Upstream::start([Reply::json(200, &answer)]).await;
    let schema = json!({ "type": "array", "items": { "type": "string" } });
    let request = CompletionRequest {
        response_schema: Some(schema),
        ..ask("Which?")
    };
    let done = complete(&models("anthropic", &upstream.url, ""), request).await.unwrap();
    assert_eq!(
        (done.message.joined_text().as_str(), done.finish),
        ("[\"a\",\"b\"]", Finish::Stop)
    );
}

#[tokio::test]
async fn ollama_takes_any_schema_as_its_format() {
    let answer = json!({ "model": "m", "message": { "content": "[1, 2]" }, "done": true, "done_reason": "stop" });
    let upstream = Upstream::start([Reply::json(200, &answer)]).await;
    let schema = json!({ "type": "array", "items": { "type": "integer" } });
    let request = CompletionRequest {
        response_schema: Some(schema.clone()),
        ..ask("Which?")
    };
    let done = complete(&models("ollama", &upstream.url, ""), request).await.unwrap();
    assert_eq!(done.message.joined_text(), "[1, 2]");
    assert_eq!(upstream.only().body["format"], schema);
}

#[tokio::test]
async fn a_stream_with_a_schema_hands_nothing_on_that_does_not_fit() {
    let upstream = Upstream::start([
        Reply::json(200, &openai_answer("Bern")),
        Reply::json(200, &openai_answer("{\"city\":\"Bern\"}")),
    ])
    .await;
    let (pieces, done) = stream(&models("openai", &upstream.url, ""), asking()).await.unwrap();
    assert_eq!(pieces, [ModelEvent::TextDelta("{\"city\":\"Bern\"}".to_owned())]);
    assert_eq!(done.attempts, 2);
}

#[tokio::test]
async fn every_round_is_on_the_meter_however_the_call_ends() {
    let unfit = Reply::json(200, &openai_answer("Bern"));
    let charged = async |replies: Vec<Reply>| {
        let upstream = Upstream::start(replies).await;
        let price = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}";
        let models = models("openai", &upstream.url, price);
        let meter = std::sync::Arc::new(Meter::new());
        let call = ModelCall {
            request: asking(),
            deadline: soon(),
            meter: meter.clone(),
        };
        let plan = models.planned("general").unwrap();
        let result = models.stream(&permit(), &plan, call).await.map(drop);
        let known = meter.read().charged().unwrap();
        (result.map_err(|fault| fault.code), known.cost_nanousd, known.estimated)
    };
    let fit = Reply::json(200, &openai_answer("{\"city\": \"Bern\"}"));
    assert_eq!(charged(vec![unfit.clone(), fit]).await, (Ok(()), Some(24_000), false));
    let refused = Reply::json(400, &error("no", "x"));
    assert_eq!(
        charged(vec![unfit.clone(), refused]).await,
        (Err(Code::ModelInvalidRequest), Some(12_000), false)
    );
    assert_eq!(
        charged(vec![unfit.clone(), unfit]).await,
        (Err(Code::ModelSchemaMismatch), Some(24_000), false)
    );
}
