use super::*;

#[tokio::test]
async fn a_process_gets_what_the_file_names_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = script(folder.path(), "env; pwd; ls -A \"$HOME\" | wc -l; echo to stderr >&2; exit 3") + "    env: [TOOL_TOKEN]\n";
    let mut env = environment();
    env.insert("CANARY".to_owned(), "canary-3b1f".to_owned());
    env.insert("TOOL_TOKEN".to_owned(), "token-77aa".to_owned());
    let exec = try_load(&yaml, &env).unwrap();
    let answer = call(&exec, "exec.tool", json!({"args": []})).await.unwrap();
    let stdout = answer["stdout"].as_str().unwrap();
    assert_eq!(
        (&answer["status"], &answer["stderr"], &answer["truncated"]),
        (&json!(3), &json!("to stderr\n"), &json!(false))
    );
    let names: Vec<&str> = stdout
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    for name in &names {
        assert!(
            [
                "PATH",
                "HOME",
                "TMPDIR",
                "LANG",
                "TERM",
                "NO_COLOR",
                "TOOL_TOKEN",
                "PWD",
                "_",
                "OLDPWD",
                "SHLVL"
            ]
            .contains(name),
            "{stdout}"
        );
    }
    assert!(
        stdout.contains("TOOL_TOKEN=[redacted:TOOL_TOKEN]") && stdout.contains("LANG=C.UTF-8"),
        "{stdout}"
    );
    assert!(!stdout.contains("canary") && !stdout.contains("token-77aa"), "{stdout}");
    assert_eq!(stdout.lines().last().map(str::trim), Some("0"), "the home is empty: {stdout}");
}

#[tokio::test]
async fn arguments_reach_it_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let exec = load(&script(folder.path(), "printf '%s|' \"$@\""));
    let answer = call(&exec, "exec.tool", json!({"args": ["$(id)", "a b", "`x`", "*", "ä;'\""]}))
        .await
        .unwrap();
    assert_eq!(answer["stdout"], json!("$(id)|a b|`x`|*|ä;'\"|"));
}

#[tokio::test]
async fn it_starts_in_the_root_that_is_named() {
    let (folder, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(root.path().join("here"), "").unwrap();
    let yaml = script(folder.path(), "ls; pwd -P") + &format!("    roots: {{main: {}}}\n", root.path().display());
    let exec = load(&yaml);
    let answer = call(&exec, "exec.tool", json!({"args": [], "cwd": "main"})).await.unwrap();
    let real = root.path().canonicalize().unwrap();
    assert_eq!(answer["stdout"], json!(format!("here\n{}\n", real.display())));
    for cwd in ["other", "/tmp", "..", "main/..", ""] {
        let fault = call(&exec, "exec.tool", json!({"args": [], "cwd": cwd})).await.unwrap_err();
        assert!(
            fault.code == Code::ExecDenied && fault.to_string().contains("`main`"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_root_that_became_a_link_is_refused() {
    let (folder, above) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = above.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let exec = load(&(script(folder.path(), "pwd -P") + &format!("    roots: {{main: {}}}\n", root.display())));
    assert!(call(&exec, "exec.tool", json!({"args": [], "cwd": "main"})).await.is_ok());
    std::fs::remove_dir(&root).unwrap();
    std::os::unix::fs::symlink("/etc", &root).unwrap();
    assert_eq!(
        code(call(&exec, "exec.tool", json!({"args": [], "cwd": "main"})).await),
        Some(Code::ExecDenied)
    );
}

#[tokio::test]
async fn output_is_cut_at_its_cap() {
    let folder = tempfile::tempdir().unwrap();
    // Without end: only the cap can end it before the deadline.
    let exec = load(&(script(folder.path(), "while :; do echo 0123456789; done") + "    output_kb: 64\n"));
    let answer = call(&exec, "exec.tool", json!({"args": []})).await.unwrap();
    assert_eq!(
        (
            answer["stdout"].as_str().unwrap().len(),
            &answer["truncated"],
            &answer["status"]
        ),
        (65_536, &json!(true), &json!(137))
    );
    let exec = load(&(script(folder.path(), "head -c 1024 /dev/zero | tr '\\0' x") + "    output_kb: 1\n"));
    let answer = call(&exec, "exec.tool", json!({"args": []})).await.unwrap();
    assert_eq!(
        (
            answer["stdout"].as_str().unwrap().len(),
            &answer["truncated"],
            &answer["status"]
        ),
        (1_024, &json!(false), &json!(0))
    );
    let exec = load(&(script(folder.path(), "head -c 200000 /dev/zero | tr '\\0' e >&2; echo done") + "    output_kb: 8\n"));
    let answer = call(&exec, "exec.tool", json!({"args": []})).await.unwrap();
    assert_eq!(
        (
            answer["stderr"].as_str().unwrap().len(),
            &answer["truncated"],
            &answer["stdout"]
        ),
        (8_192, &json!(true), &json!("done\n"))
    );
}

#[tokio::test]
async fn a_cut_inside_a_character_or_a_secret_shows_neither_half() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = script(folder.path(), "head -c 1023 /dev/zero | tr '\\0' x; printf 'ä and more'") + "    output_kb: 1\n";
    let answer = call(&load(&yaml), "exec.tool", json!({"args": []})).await.unwrap();
    assert_eq!((answer["stdout"].as_str().unwrap().len(), answer.get("lossy")), (1_023, None));
    let yaml = script(
        folder.path(),
        "head -c 1020 /dev/zero | tr '\\0' x; printf '%s and more' \"$TOOL_TOKEN\"",
    ) + "    output_kb: 1\n    env: [TOOL_TOKEN]\n";
    let mut env = environment();
    env.insert("TOOL_TOKEN".to_owned(), "token-77aa".to_owned());
    let answer = call(&try_load(&yaml, &env).unwrap(), "exec.tool", json!({"args": []}))
        .await
        .unwrap();
    assert_eq!(answer["stdout"].as_str().unwrap().len(), 1_020);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let exec = load(&script(folder.path(), "printf 'a\\377b'"));
    let answer = call(&exec, "exec.tool", json!({"args": []})).await.unwrap();
    assert_eq!((&answer["stdout"], &answer["lossy"]), (&json!("a\u{fffd}b"), &json!(true)));
}

#[tokio::test]
async fn standard_input_is_given_where_a_rule_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = script(folder.path(), "cat").replace("effects: none", "effects: none, stdin: true");
    let exec = load(&yaml);
    let text = "x".repeat(300_000);
    let answer = call(&exec, "exec.tool", json!({"args": [], "stdin": text})).await.unwrap();
    assert_eq!(answer["stdout"].as_str().unwrap().len(), 300_000);
    // Nothing to read is the end of the file, not this process's input.
    let answer = call(&exec, "exec.tool", json!({"args": []})).await.unwrap();
    assert_eq!(answer["stdout"], json!(""));
}

/// A FIFO whose reader sees the end of the file once every process that holds it is dead.
struct Alive {
    folder: tempfile::TempDir,
}

impl Alive {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        Alive { folder }
    }

    /// A script whose children and grandchildren hold the FIFO and would live for hours.
    fn yaml(&self, then: &str) -> String {
        let fifo = self.folder.path().join("alive");
        script(
            self.folder.path(),
            &format!(
                "exec 9>{}\necho started >&9\n(sh -c 'sleep 7200; :' & sleep 7200; :) & {then}",
                fifo.display()
            ),
        )
    }

    /// Waits until it has begun; answers what then waits until nobody holds it any more.
    async fn begun(&self) -> impl Future<Output = ()> + use<> {
        use tokio::io::AsyncBufReadExt as _;
        let file = tokio::fs::File::open(self.folder.path().join("alive")).await.unwrap();
        let mut lines = tokio::io::BufReader::new(file).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("started"));
        async move {
            assert_eq!(lines.next_line().await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_timeout_kills_grandchildren_too() {
    let alive = Alive::new();
    let exec = load(&(alive.yaml("wait") + "    timeout_ms: 300\n"));
    let (result, dead) = tokio::join!(call(&exec, "exec.tool", json!({"args": []})), alive.begun());
    assert_eq!(code(result), Some(Code::ExecTimeout));
    tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
}

#[tokio::test]
async fn the_callers_deadline_ends_it_too() {
    let alive = Alive::new();
    let exec = load(&alive.yaml("wait"));
    let deadline = Instant::now() + Duration::from_millis(300);
    let (result, dead) = tokio::join!(call_until(&exec, "exec.tool", json!({"args": []}), deadline), alive.begun());
    assert_eq!(code(result), Some(Code::DeadlineExceeded));
    tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_leaves_nobody_behind() {
    let alive = Alive::new();
    let exec = load(&alive.yaml("wait"));
    let dead = tokio::select! {
        _ = call(&exec, "exec.tool", json!({"args": []})) => panic!("it ended"),
        dead = alive.begun() => dead,
    };
    tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_killed_when_it_ends() {
    let alive = Alive::new();
    let exec = load(&alive.yaml("echo out; exit 0"));
    let (result, dead) = tokio::join!(call(&exec, "exec.tool", json!({"args": []})), alive.begun());
    assert_eq!(result.unwrap()["stdout"], json!("out\n"));
    tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
}

#[tokio::test]
async fn no_more_run_at_once_than_the_file_says() {
    let alive = Alive::new();
    let exec = load(&format!("concurrency: 1\n{}", alive.yaml("wait")));
    let second = async {
        let _first = alive.begun().await;
        let deadline = Instant::now() + Duration::from_millis(50);
        let fault = call_until(&exec, "exec.tool", json!({"args": []}), deadline)
            .await
            .unwrap_err();
        assert_eq!((fault.code, fault.retry_after_ms), (Code::Overloaded, Some(1_000)));
    };
    tokio::select! {
        _ = call(&exec, "exec.tool", json!({"args": []})) => panic!("it ended"),
        _ = second => {}
    }
}

#[tokio::test]
async fn a_command_that_is_not_there_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let env = Environment::from([("PATH".to_owned(), folder.path().display().to_string())]);
    let exec = try_load(
        "commands: {gh: {preset: gh}, tool: {path: /no/such/tool, allow: [{args: x}]}}",
        &env,
    )
    .unwrap();
    let input = json!({"args": ["pr", "diff", "7", "--repo", "acme/web", "--color", "never"]});
    let fault = call(&exec, "exec.gh", input.clone()).await.unwrap_err();
    assert!(
        fault.code == Code::ExecNotInstalled && fault.message.contains("`gh`") && fault.hint.unwrap().contains("cli.github.com")
    );
    let fault = call(&exec, "exec.tool", json!({"args": ["x"]})).await.unwrap_err();
    assert!(fault.code == Code::ExecNotInstalled && fault.hint.unwrap().contains("/no/such/tool"));
    // Installed meanwhile: found, and its token is not the caller's to see.
    script(folder.path(), "echo \"$*\"");
    std::fs::rename(folder.path().join("tool"), folder.path().join("gh")).unwrap();
    let answer = call(&exec, "exec.gh", input).await.unwrap();
    assert_eq!(answer["stdout"], json!("pr diff 7 --repo acme/web --color never\n"));
}

#[tokio::test]
async fn a_permit_for_something_else_is_none() {
    let exec = load("commands: {x: {allow: [{args: y}]}}");
    let capability = exec.find("exec.x").unwrap();
    let call = CapabilityCall {
        input: Payload::Json(json!({"args": ["y"]})),
        deadline: Instant::now() + Duration::from_secs(60),
    };
    assert_eq!(code(capability.invoke(&permit("exec.z"), call).await), Some(Code::Internal));
}
