//! Guests that try to break out, hang or eat the machine: each ends with its own code, all the
//! way to HTTP, while a neighbour is answered right.

use serde_json::{Value, json};

use crate::support::TestGateway;

async fn gateway() -> TestGateway {
    TestGateway::with(&["hostile", "echo"]).await
}

/// Sends one hostile call and a neighbour's beside it.
async fn beside_a_neighbour(gateway: &TestGateway, input: Value) -> (u16, String, Value) {
    let hostile = gateway.invoke("hostile", input);
    let neighbour = gateway.invoke("echo", json!({ "hello": "neighbour" }));
    let (hostile, neighbour) = tokio::join!(hostile, neighbour);
    assert_eq!(neighbour.status, 200, "{neighbour:?}");
    assert_eq!(neighbour.body["output"], json!({ "hello": "neighbour" }));
    let code = hostile.body["code"].as_str().unwrap_or("answered").to_owned();
    (hostile.status, code, hostile.body)
}

#[tokio::test]
async fn every_attack_ends_with_its_own_code_while_a_neighbour_is_answered() {
    let gateway = gateway().await;
    let cases = [
        (json!({ "mode": "panic", "text": "x" }), "skill.trap"),
        (json!({ "mode": "abort" }), "skill.trap"),
        (json!({ "mode": "exit" }), "skill.trap"),
        (json!({ "mode": "memory" }), "limit.memory"),
        (json!({ "mode": "recursion", "count": 100_000_000 }), "limit.stack"),
        (json!({ "mode": "output", "count": 100_000 }), "limit.output"),
        (json!({ "mode": "output", "count": 9_500_000 }), "limit.output"),
        (
            json!({ "mode": "emit", "text": "x".repeat(1_000), "count": 100 }),
            "limit.output",
        ),
        (json!({ "mode": "host-calls" }), "limit.host_calls"),
        (
            json!({ "mode": "log", "text": "x", "count": 100_000_000 }),
            "limit.host_calls",
        ),
        (
            json!({ "mode": "stdout", "text": "x", "count": 100_000_000 }),
            "limit.host_calls",
        ),
        (json!({ "mode": "handles" }), "limit.handles"),
        (json!({ "mode": "big-write", "count": 9_000_000 }), "limit.host_data"),
        (json!({ "mode": "own-error" }), "skill.error"),
        (json!({ "mode": "circle" }), "limit.depth"),
        (json!({ "mode": "nothing-known" }), "skill.error"),
    ];
    for (input, expected) in cases {
        let (status, code, body) = beside_a_neighbour(&gateway, input.clone()).await;
        assert_eq!(code, expected, "{input}: {body}");
        assert!(status >= 400, "{input}: {status}");
    }
}

/// The component with every table of every core module in it this large from the start.
fn with_tables_of(component: &[u8], elements: u64) -> Vec<u8> {
    use wasm_encoder::reencode::utils::table_type;
    use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
    struct Large(u64);
    impl Reencode for Large {
        type Error = std::convert::Infallible;

        fn table_type(&mut self, mut table: wasmparser::TableType) -> Result<wasm_encoder::TableType, Error> {
            table.initial = self.0;
            table.maximum = table.maximum.map(|maximum| maximum.max(self.0));
            table_type(self, table)
        }
    }
    impl ReencodeComponent for Large {}
    let mut out = wasm_encoder::Component::new();
    Large(elements)
        .parse_component(&mut out, wasmparser::Parser::new(0), component)
        .unwrap();
    out.finish()
}

#[tokio::test]
async fn a_table_bomb_ends_with_its_own_code() {
    // Each table fits a place of the pool; together they are more than an instance may have.
    let bytes = with_tables_of(&crate::support::guests::component("echo"), 15_000);
    let gateway = TestGateway::prepared(&["hostile"], |home| {
        std::fs::write(home.join("skills/echo.wasm"), bytes).unwrap()
    })
    .await;
    let answer = gateway.invoke("echo", json!({})).await;
    assert_eq!(answer.code(), "limit.table", "{answer:?}");
    assert_eq!(gateway.invoke("hostile", json!({ "mode": "ok" })).await.status, 200);
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_deadline_while_neighbours_are_answered() {
    let gateway = gateway().await;
    let request = |mode: &str| {
        let body = json!({ "mode": mode, "count": 3_600_000 });
        gateway
            .request(reqwest::Method::POST, "/v1/skills/hostile/invoke")
            .header("claw-timeout-ms", "300")
            .json(&body)
    };
    // More loops than cores: a neighbour still gets its turn.
    let loops = futures::future::join_all((0..4).map(|_| gateway.send(request("loop"))));
    let neighbours = async {
        for _ in 0..20 {
            assert_eq!(gateway.invoke("echo", json!({})).await.status, 200);
        }
    };
    let (looped, ()) = tokio::join!(loops, neighbours);
    for answer in looped {
        assert_eq!((answer.status, answer.code()), (504, "deadline_exceeded"));
    }
    let slept = gateway.send(request("sleep")).await;
    assert_eq!((slept.status, slept.code()), (504, "deadline_exceeded"));
}

#[tokio::test]
async fn limits_that_a_guest_can_live_with_do_not_end_it() {
    let gateway = gateway().await;
    for (input, expected) in [
        (json!({ "mode": "memory-politely" }), json!(true)),
        (
            json!({ "mode": "log", "text": "x".repeat(500), "count": 20_000 }),
            json!(20_000),
        ),
        (json!({ "mode": "stdout", "text": "\u{1b}[2J", "count": 5_000 }), json!(5_000)),
        (json!({ "mode": "progress", "count": 100 }), json!(100)),
    ] {
        let answer = gateway.invoke("hostile", input.clone()).await;
        assert_eq!(answer.body["output"]["result"]["answer"], expected, "{input}: {answer:?}");
    }
    let answer = gateway.invoke("hostile", json!({ "mode": "clock", "count": 5_000 })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = gateway.claw(&["audit", "show", answer.body["id"].as_str().unwrap()]);
    assert!(shown.out.contains("not replayable"), "{}", shown.out);
}

#[tokio::test]
async fn paths_lead_nowhere_but_below_granted_names() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "the secret").unwrap();
    let (directory, desk) = (outside.path().join("box"), outside.path().join("desk"));
    std::fs::create_dir_all(directory.join("inner")).unwrap();
    std::fs::create_dir_all(&desk).unwrap();
    std::fs::write(directory.join("inner/file"), "inside").unwrap();
    std::os::unix::fs::symlink("../secret", directory.join("leak")).unwrap();
    std::os::unix::fs::symlink("/etc", directory.join("etc")).unwrap();
    std::os::unix::fs::symlink("inner/file", directory.join("near")).unwrap();
    std::os::unix::fs::symlink("../secret", desk.join("leak")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(directory.join("pipe"))
        .status()
        .unwrap();
    assert!(fifo.success());

    let gateway = TestGateway::prepared(&["hostile"], |home| {
        let (directory, desk) = (format!("box={}", directory.display()), format!("desk={}:rw", desk.display()));
        let allowed = crate::support::claw_on(home, &["skill", "allow", "hostile", "--files", &directory, "--files", &desk]);
        assert_eq!(allowed.code, 0, "{}", allowed.err);
    })
    .await;
    let call = async |mode: &str, text: &str| {
        let answer = gateway.invoke("hostile", json!({ "mode": mode, "text": text })).await;
        match answer.status {
            200 => answer.body["output"]["result"]["answer"].clone(),
            _ => json!(answer.code()),
        }
    };
    assert_eq!(call("read", "box/inner/file").await, json!("inside"));
    assert_eq!(call("read", "box/near").await, json!("inside"));
    assert_eq!(call("list", "box").await, json!(["etc", "inner", "leak", "near", "pipe"]));
    assert!(
        call("read", "skill/SKILL.md")
            .await
            .as_str()
            .unwrap()
            .contains("A guest of the tests")
    );
    for path in [
        "box/../secret",
        "../secret",
        "/etc/passwd",
        "box//inner/file",
        "box/./inner/file",
        "box\\..\\secret",
        "box/leak",
        "box/etc/passwd",
        "box/inner/\0file",
        "skill/../SKILL.md",
        "box/inner/../../secret",
    ] {
        assert_eq!(call("read", path).await, json!("file.path"), "{path:?}");
    }
    for path in ["home/secret", "", "BOX/inner/file"] {
        let code = call("read", path).await;
        assert!(
            ["grant.undeclared", "file.path"].contains(&code.as_str().unwrap()),
            "{path:?}: {code}"
        );
    }
    assert_eq!(call("read", "box/none").await, json!("file.not_found"));
    assert_eq!(call("read", "box/pipe").await, json!("file.io"));
    assert_eq!(call("read", "box/inner").await, json!("file.io"));

    assert_eq!(call("write", "box/new").await, json!("grant.undeclared"));
    assert_eq!(call("write", "skill/SKILL.md").await, json!("grant.undeclared"));
    assert_eq!(call("write", "desk/new").await, json!("written"));
    assert_eq!(call("create", "desk/new").await, json!("file.exists"));
    assert_eq!(call("make-directory", "desk/a/b").await, json!("made"));
    assert_eq!(call("write", "desk/a/b/c").await, json!("written"));
    assert_eq!(call("write", "desk/../secret").await, json!("file.path"));
    // A link in the way is replaced, not followed.
    assert_eq!(call("write", "desk/leak").await, json!("written"));
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "the secret");
    assert_eq!(std::fs::read_to_string(desk.join("new")).unwrap(), "written");

    // The file system and sockets of WASI are there to link against, and refuse.
    for (mode, text) in [
        ("std-read", "/etc/passwd"),
        ("std-list", "/"),
        ("connect", "127.0.0.1:22"),
        ("bind", "127.0.0.1:0"),
    ] {
        let refused = call(mode, text).await;
        assert!(refused.get("Err").is_some(), "{mode} {text}: {refused}");
    }
    assert_eq!(call("environment", "").await, json!([]));
}

#[tokio::test]
async fn nothing_passes_from_one_call_to_the_next() {
    let gateway = gateway().await;
    let mut seeds = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let answer = gateway.invoke("hostile", json!({ "mode": "state" })).await;
        assert_eq!(answer.body["output"]["result"]["answer"], json!(0));
        let answer = gateway.invoke("hostile", json!({ "mode": "random", "text": "x" })).await;
        seeds.insert(answer.body["output"]["result"]["answer"].as_u64().unwrap());
    }
    assert_eq!(seeds.len(), 3, "each call has randomness of its own");
}

#[tokio::test]
async fn calls_beyond_the_grants_name_the_grant_and_the_command() {
    let gateway = TestGateway::prepared(&[], |home| {
        std::fs::copy(crate::support::guests::built("hostile"), home.join("skills/hostile.wasm")).unwrap();
    })
    .await;
    let denied = async |input: Value| {
        let answer = gateway.invoke("hostile", input).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        (
            answer.code().to_owned(),
            answer.body["hint"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let missing = "grant.missing".to_owned();
    let model = denied(json!({ "mode": "model", "text": "general" })).await;
    assert_eq!(model, (missing.clone(), "claw skill allow hostile --model general".into()));
    let exec = denied(json!({ "mode": "exec", "text": "status" })).await;
    assert_eq!(
        exec,
        (missing.clone(), "claw skill allow hostile --capability exec.git".into())
    );
    assert_eq!(denied(json!({ "mode": "read", "text": "box/file" })).await.0, missing);
    // What its own SKILL.md does not declare cannot be allowed either.
    let undeclared = "grant.undeclared".to_owned();
    assert_eq!(
        denied(json!({ "mode": "model", "text": "customer_data" })).await.0,
        undeclared
    );
    assert_eq!(denied(json!({ "mode": "exec-other", "text": "sh" })).await.0, undeclared);

    // A guest cannot make up a fault of the host's.
    let forged = gateway.invoke("hostile", json!({ "mode": "forged-error" })).await;
    assert_eq!(
        (forged.code(), &forged.body["hint"]),
        ("skill.error", &Value::Null),
        "{forged:?}"
    );

    let listed = gateway.until_listed(|skills| !skills.is_empty()).await;
    assert_eq!(listed[0]["state"], json!("needs_grant"), "{listed:?}");
}

#[tokio::test]
async fn what_a_guest_does_reach_is_what_was_granted() {
    let gateway = gateway().await;
    let answer = gateway.invoke("hostile", json!({ "mode": "model", "text": "general" })).await;
    assert_eq!((answer.status, &answer.body["offline"]), (200, &json!(true)), "{answer:?}");
    let answer = gateway
        .invoke("hostile", json!({ "mode": "invoke", "text": "skill:echo" }))
        .await;
    assert_eq!(
        answer.body["output"]["result"]["answer"],
        json!({ "mode": "ok", "text": "nested" }),
        "{answer:?}"
    );
    let answer = gateway.invoke("hostile", json!({ "mode": "config", "text": "colour" })).await;
    assert_eq!(answer.body["output"]["result"]["answer"], json!("blue"));
    let answer = gateway.invoke("hostile", json!({ "mode": "config", "text": "PATH" })).await;
    assert_eq!(answer.body["output"]["result"]["answer"], Value::Null);
    let answer = gateway.invoke("hostile", json!({ "mode": "caller" })).await;
    assert_eq!(answer.body["output"]["result"]["answer"], json!("operator"));

    // No command is allowed on a fresh home, granted or not.
    let answer = gateway.invoke("hostile", json!({ "mode": "exec", "text": "status" })).await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"), "{answer:?}");
}
