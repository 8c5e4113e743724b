//! A gateway that is killed under load: after its next start no entry is lost and none is open.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{TestGateway, claw_on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_under_load_nothing_is_lost_and_nothing_open() {
    let mut gateway = TestGateway::with(&["echo", "hostile"]).await;
    let mut answered: Vec<String> = Vec::new();
    let count = AtomicUsize::new(0);
    for round in 0..20 {
        let before = count.load(Ordering::Relaxed);
        let calls = async {
            let one = |place: u64| {
                let (gateway, count) = (&gateway, &count);
                async move {
                    let mut ids = Vec::new();
                    for step in 0.. {
                        let (skill, input) = match (place + step) % 4 {
                            0 => ("hostile", json!({ "mode": "model", "text": "general" })),
                            1 => ("hostile", json!({ "mode": "invoke", "text": "skill:echo" })),
                            _ => ("echo", json!({ "step": step })),
                        };
                        let request = gateway
                            .request(reqwest::Method::POST, &format!("/v1/skills/{skill}/invoke"))
                            .json(&input);
                        // From the kill on nothing answers: the loop ends there.
                        let Ok(answer) = request.send().await else { break };
                        let Ok(body) = answer.json::<Value>().await else { break };
                        ids.push(body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned());
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    ids
                }
            };
            futures::future::join_all((0..8).map(one)).await
        };
        let pid = std::fs::read(gateway.home().join("gateway.json")).unwrap();
        let pid: Value = serde_json::from_slice(&pid).unwrap();
        let kill = async {
            // Somewhere in the load, at another place each time.
            let enough = before + 6 + round * 7 % 20;
            while count.load(Ordering::Relaxed) < enough {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let pid = pid["pid"].to_string();
            assert!(
                std::process::Command::new("kill")
                    .args(["-9", &pid])
                    .status()
                    .unwrap()
                    .success()
            );
        };
        let (ids, ()) = tokio::join!(calls, kill);
        answered.extend(ids.into_iter().flatten());
        gateway.kill();
        gateway.start().await;
    }
    assert!(answered.len() > 100, "only {} calls were answered", answered.len());
    let verified = gateway.verified();
    assert_eq!((&verified["ok"], &verified["open"]), (&json!(true), &json!(0)), "{verified}");
    let listed = claw_on(gateway.home(), &["audit", "query", "--limit", "1000000", "--json"]);
    let entries: Vec<Value> = listed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let by_id: std::collections::HashMap<&str, &Value> =
        entries.iter().map(|entry| (entry["id"].as_str().unwrap(), entry)).collect();
    for id in &answered {
        let entry = by_id
            .get(id.as_str())
            .unwrap_or_else(|| panic!("{id} was answered and is not in the journal"));
        assert_eq!(entry["outcome"], json!("ok"), "{entry}");
    }
    assert!(
        entries.iter().any(|entry| entry["outcome"] == json!("interrupted")),
        "no call was cut off: the load was none"
    );
}
