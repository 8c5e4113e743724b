#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use super::*;
use crate::ProviderModels;

const AS_DOCUMENTED: &str = "\
models:
  general:
    provider: anthropic
    model: claude-sonnet-4-20250514
    use_for: [summarization, drafting, general_queries]
  sensitive:
    provider: ollama
    model: llama4:8b
    use_for: [customer_data, financial_records, internal_docs]
";

fn no_env(_: &str) -> Option<String> {
    None
}

fn env(name: &str) -> Option<String> {
    match name {
        "ANTHROPIC_API_KEY" => Some("sk-ant-from-env".to_owned()),
        "OPENAI_API_KEY" => Some("sk-oai-from-env".to_owned()),
        "TEAM" => Some("red".to_owned()),
        "BLANK" => Some(String::new()),
        "TWO_LINES" => Some("a\nb".to_owned()),
        _ => None,
    }
}

fn resolved(yaml: &str) -> Vec<Entry> {
    resolve(&ModelsFile::from_yaml(yaml).unwrap(), &env).unwrap()
}

/// The one entry `e` with these lines, indented here.
fn one(lines: &str) -> String {
    format!(
        "models:\n  e:\n{}",
        lines.lines().map(|line| format!("    {line}\n")).collect::<String>()
    )
}

#[test]
fn the_documented_file_loads_without_any_environment() {
    let file = ModelsFile::from_yaml(AS_DOCUMENTED).unwrap();
    let models = ProviderModels::new(&file, &no_env).unwrap();
    let described = models.describe();
    assert_eq!(described.len(), 2);
    assert_eq!(
        (described[0].entry.as_str(), described[0].provider, described[0].local),
        ("general", "anthropic", false)
    );
    assert_eq!(described[0].uses, ["summarization", "drafting", "general_queries"]);
    assert_eq!((described[0].key_set, described[0].price_known), (false, true));
    assert!(described[0].key_missing.as_ref().unwrap().contains("ANTHROPIC_API_KEY"));
    assert_eq!(
        (described[1].provider, described[1].local, described[1].key_missing.clone()),
        ("ollama", true, None)
    );
    assert_eq!(described[1].base_url.as_deref(), Some("http://127.0.0.1:11434"));
}

#[test]
fn every_further_key_is_read() {
    let entry = &resolved(&one("provider: openai
model: ${TEAM}-model
base_url: http://models.${TEAM}.example:8000/v1/
api_key: prefix-${OPENAI_API_KEY}
local: true
timeouts: {connect_ms: 1, first_token_ms: 2, idle_ms: 3, total_ms: 4}
max_attempts: 5
max_tokens: 6
price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2.5, cached_input_usd_per_mtok: 0.1}
headers: {x-team: '${TEAM}', anthropic-version: 2023-06-01}"))[0];
    assert_eq!(entry.model, "red-model");
    assert_eq!(entry.base_url.as_ref().unwrap().as_str(), "http://models.red.example:8000/v1");
    assert!(matches!(&entry.key, Key::Set(keys) if keys[0].expose() == "prefix-sk-oai-from-env"));
    assert!(entry.local && !entry.official);
    let millis = [
        entry.timeouts.connect,
        entry.timeouts.first_token,
        entry.timeouts.idle,
        entry.timeouts.total.unwrap(),
    ];
    assert_eq!(millis.map(|wait| wait.as_millis()), [1, 2, 3, 4]);
    assert_eq!((entry.max_attempts, entry.max_tokens), (5, Some(6)));
    assert!(entry.price.is_some());
    assert_eq!(entry.headers.get("x-team").unwrap(), "red");
}

#[test]
fn keys_come_from_where_the_entry_says() {
    let key = |yaml: &str| match &resolved(yaml)[0].key {
        Key::Set(keys) => keys[0].expose().to_owned(),
        Key::Missing(what) => format!("missing: {what}"),
        Key::Needless => "needless".to_owned(),
    };
    assert_eq!(key(&one("provider: anthropic\nmodel: m")), "sk-ant-from-env");
    assert_eq!(key(&one("provider: openai\nmodel: m")), "sk-oai-from-env");
    assert_eq!(
        key(&one("provider: openai\nmodel: m\napi_key: ${BLANK}")),
        "missing: set the environment variable `BLANK`"
    );
    assert_eq!(
        key(&one("provider: openai\nmodel: m\napi_key: ${NOWHERE}")),
        "missing: set the environment variable `NOWHERE`"
    );
    assert_eq!(
        key(&one("provider: openai\nmodel: m\napi_key: ${secret:nowhere}")),
        "missing: keep it with `claw secret set nowhere`"
    );
    assert_eq!(key(&one("provider: ollama\nmodel: m")), "needless");
    assert_eq!(key(&one("provider: offline")), "needless");
    assert_eq!(
        key(&one("provider: openai\nmodel: m\napi_key: ''")),
        "needless",
        "so that the usual variable is not sent"
    );

    let without = |yaml: &str| resolve(&ModelsFile::from_yaml(yaml).unwrap(), &no_env).unwrap().remove(0).key;
    assert!(matches!(without(&one("provider: openai\nmodel: m")), Key::Missing(_)));
    let elsewhere = one("provider: openai\nmodel: m\nbase_url: http://127.0.0.1:8000/v1");
    assert!(
        matches!(without(&elsewhere), Key::Needless),
        "compatible servers mostly take no key"
    );
}

#[test]
fn a_key_file_is_read_and_its_absence_is_told_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let yaml = one(&format!("provider: anthropic\nmodel: m\napi_key_file: {}", path.display()));
    let key = |yaml: &str| resolved(yaml).remove(0).key;
    assert!(matches!(key(&yaml), Key::Missing(what) if what.contains("cannot be read")));
    std::fs::write(&path, "  sk-from-file\n").unwrap();
    assert!(matches!(key(&yaml), Key::Set(keys) if keys[0].expose() == "sk-from-file"));
    std::fs::write(&path, " \n").unwrap();
    assert!(matches!(key(&yaml), Key::Missing(what) if what.contains("is empty")));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(key(&yaml), Key::Missing(what) if what.contains("as text")));
    std::fs::write(&path, vec![b'x'; 20_000]).unwrap();
    assert!(matches!(key(&yaml), Key::Missing(what) if what.contains("too large")));
    let folder = one(&format!(
        "provider: anthropic\nmodel: m\napi_key_file: {}",
        dir.path().display()
    ));
    assert!(matches!(key(&folder), Key::Missing(what) if what.contains("is not a file")));
}

#[test]
fn local_is_what_stays_on_this_machine() {
    let table = [
        ("provider: offline", true),
        ("provider: ollama\nmodel: llama4:8b", true),
        ("provider: ollama\nmodel: gpt-oss:120b-cloud", false),
        ("provider: ollama\nmodel: glm-4.6:cloud", false),
        ("provider: ollama\nmodel: m\nbase_url: http://gpu.example:11434", false),
        ("provider: openai\nmodel: m", false),
        ("provider: openai\nmodel: m\nbase_url: http://localhost:8000/v1", true),
        ("provider: openai\nmodel: m\nbase_url: http://127.8.8.8:8000", true),
        ("provider: openai\nmodel: m\nbase_url: 'http://[::1]:8000'", true),
        ("provider: openai\nmodel: m\nbase_url: http://localhost.evil.example", false),
        ("provider: openai\nmodel: m\nbase_url: http://127.0.0.1.evil.example", false),
        ("provider: openai\nmodel: m\nbase_url: http://10.0.0.5:8000", false),
        (
            "provider: openai\nmodel: m\nbase_url: http://10.0.0.5:8000\nlocal: true",
            true,
        ),
        ("provider: ollama\nmodel: m\nlocal: false", false),
    ];
    for (lines, local) in table {
        assert_eq!(resolved(&one(lines))[0].local, local, "{lines}");
    }
}

#[test]
fn keys_that_cross_a_network_in_the_clear_are_known() {
    let table = [
        ("base_url: http://10.0.0.5:8000\napi_key: k", true),
        ("base_url: http://10.0.0.5:8000\napi_key: ''", false),
        ("base_url: https://10.0.0.5:8000\napi_key: k", false),
        ("base_url: http://127.0.0.1:8000\napi_key: k", false),
    ];
    for (lines, in_clear) in table {
        assert_eq!(
            resolved(&one(&format!("provider: openai\nmodel: m\n{lines}")))[0].sends_key_in_clear(),
            in_clear,
            "{lines}"
        );
    }
}

/// All problems of a file, one a line.
fn problems(yaml: &str) -> String {
    let wrong = match ModelsFile::from_yaml(yaml) {
        Ok(file) => ProviderModels::new(&file, &env).map(|_| ()).unwrap_err(),
        Err(errors) => errors,
    };
    wrong.to_string()
}

#[test]
fn what_is_wrong_is_told_with_its_key() {
    let table = [
        (
            "provider: anthropic",
            "`models.e.model`: missing; name the model as `anthropic` names it",
        ),
        (
            "provider: openai\nmodel: 'a b'",
            "`models.e.model`: a name has 1 to 128 characters, none of them blank or a control character",
        ),
        (
            "provider: openai\nmodel: m\nbase_url: ftp://x",
            "`models.e.base_url`: must begin with `http://` or `https://` and name a host",
        ),
        (
            "provider: openai\nmodel: m\nbase_url: 127.0.0.1:80",
            "`models.e.base_url`: not an address such as `http://127.0.0.1:8000/v1`",
        ),
        (
            "provider: openai\nmodel: m\nbase_url: http://u:p@x",
            "`models.e.base_url`: must not hold a user or a password; a key belongs into `api_key`",
        ),
        (
            "provider: openai\nmodel: m\nbase_url: http://x/?key=1",
            "`models.e.base_url`: must not have a query or a fragment; a key belongs into `api_key`",
        ),
        (
            "provider: openai\nmodel: m\nbase_url: '${NOWHERE}'",
            "`models.e.base_url`: the environment variable `NOWHERE` is not set",
        ),
        (
            "provider: openai\nmodel: m\nbase_url: '${secret:no.where-1}'",
            "`models.e.base_url`: there is no secret `no.where-1`: keep it with `claw secret set no.where-1`",
        ),
        (
            "provider: openai\nmodel: m\napi_key: '${secret:}'",
            "`models.e.api_key`: `${` must be followed by a variable's name and `}`",
        ),
        (
            "provider: openai\nmodel: m\napi_key: '${OOPS'",
            "`models.e.api_key`: `${` must be followed by a variable's name and `}`",
        ),
        (
            "provider: openai\nmodel: m\napi_key: '${A B}'",
            "`models.e.api_key`: `${` must be followed by a variable's name and `}`",
        ),
        (
            "provider: openai\nmodel: m\napi_key: '${TWO_LINES}'",
            "`models.e.api_key`: the key holds characters that cannot be sent in a header",
        ),
        (
            "provider: openai\nmodel: m\napi_key: k\napi_key_file: /k",
            "`models.e.api_key`: give either `api_key` or `api_key_file`",
        ),
        (
            "provider: openai\nmodel: m\napi_key_file: ./k",
            "`models.e.api_key_file`: must be an absolute path",
        ),
        (
            "provider: openai\nmodel: m\nmax_attempts: 0",
            "`models.e.max_attempts`: must be between 1 and 10",
        ),
        (
            "provider: openai\nmodel: m\nmax_tokens: 0",
            "`models.e.max_tokens`: must be between 1 and 4294967295",
        ),
        (
            "provider: openai\nmodel: m\ntimeouts: {idle_ms: 0}",
            "`models.e.timeouts.idle_ms`: must be between 1 and 86400000",
        ),
        (
            "provider: openai\nmodel: m\nprice: {input_usd_per_mtok: -1, output_usd_per_mtok: 1}",
            "`models.e.price.input_usd_per_mtok`: `input_usd_per_mtok` is -1, which is not between 0 and 1000000",
        ),
        (
            "provider: openai\nmodel: m\nheaders: {Authorization: x}",
            "`models.e.headers.Authorization`: not a header that can be set here (a key belongs into `api_key`)",
        ),
        (
            "provider: openai\nmodel: m\nheaders: {x-a: \"b\\nc\"}",
            "`models.e.headers.x-a`: the value holds characters that a header cannot carry",
        ),
        (
            "provider: offline\nbase_url: http://x",
            "`models.e.base_url`: means nothing for the provider `offline`",
        ),
        (
            "provider: offline\napi_key: x",
            "`models.e.api_key`: means nothing for the provider `offline`",
        ),
        (
            "provider: offline\nuse_for: ['']",
            "`models.e.use_for[0]`: a name has 1 to 128 characters, none of them blank or a control character",
        ),
        (
            "provider: offline\nuse_for: [a, a]",
            "`models.e.use_for[1]`: the use `a` is there twice",
        ),
    ];
    for (lines, expected) in table {
        assert_eq!(problems(&one(lines)), expected, "{lines}");
    }
}

#[test]
fn names_lead_to_one_thing_each() {
    let two = |first: &str, second: &str| {
        format!("models:\n  a: {{provider: offline, use_for: [{first}]}}\n  b: {{provider: offline, use_for: [{second}]}}\n")
    };
    assert_eq!(
        problems(&two("b", "y")),
        "`models.a.use_for[0]`: `b` is the name of another entry, which is what it would lead to"
    );
    assert!(
        resolve(&ModelsFile::from_yaml(&two("a", "b")).unwrap(), &env).is_ok(),
        "an entry's own name is no clash"
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let told = problems("models:\n  a: {provider: openai, max_attempts: 99}\n  b: {provider: openai, model: m, base_url: x}\n");
    assert_eq!(
        told.lines().map(|line| line.split(": ").next().unwrap()).collect::<Vec<_>>(),
        ["`models.a.model`", "`models.a.max_attempts`", "`models.b.base_url`"]
    );
}

#[test]
fn what_is_not_the_file_is_told_with_its_place() {
    let table: [(&str, &[&str]); 9] = [
        ("", &["models"]),
        ("models: [a]", &["entries by name"]),
        ("modles: {}", &["unknown field `modles`", "`models`"]),
        (
            "models:\n  e: {provider: anthropc, model: m}",
            &["unknown variant `anthropc`", "`anthropic`", "line 2"],
        ),
        (
            "models:\n  e: {provider: openai, modle: m}",
            &["unknown field `modle`", "line 2"],
        ),
        (
            "models:\n  e: {provider: openai, model: m, fallback: x}",
            &["unknown field `fallback`"],
        ),
        (
            "models:\n  e: {provider: openai, model: m, timeouts: {idle: 3}}",
            &["unknown field `idle`"],
        ),
        (
            "models:\n  e: {provider: offline}\n  e: {provider: offline}\n",
            &["`e`", "twice"],
        ),
        ("models: {e: [", &["line"]),
    ];
    for (yaml, needles) in table {
        let told = problems(yaml);
        assert!(needles.iter().all(|needle| told.contains(needle)), "{yaml:?} → {told}");
    }
}

#[test]
fn keys_and_header_values_are_never_shown() {
    let yaml =
        one("provider: openai\nmodel: m\napi_key: sk-literal-secret\nheaders: {x-token: tok-literal-secret}\nmax_attempts: 77");
    let file = ModelsFile::from_yaml(&yaml).unwrap();
    let errors = resolve(&file, &env).unwrap_err();
    let good = ModelsFile::from_yaml(&yaml.replace("77", "7")).unwrap();
    let shown = format!(
        "{file:?} {errors:?} {errors} {:?} {:?}",
        resolve(&good, &env).unwrap(),
        ProviderModels::new(&good, &env).unwrap()
    );
    assert!(!shown.contains("literal-secret"), "{shown}");
}

#[test]
fn what_is_said_about_routing_is_checked() {
    let table = [
        ("weight: -1", "models.yaml"),
        ("windows: [{hours: '9-17'}]", "models.yaml"),
        ("limits: {rpm: 0}", "models.e.limits.rpm"),
        ("limits: {rps: 1}", "models.yaml"),
        ("context_tokens: 0", "models.e.context_tokens"),
        ("fallbacks: [nobody]", "models.e.fallbacks[0]"),
        ("query: {v: '${NOT_SET}'}", "models.e.query.v"),
        ("api_key_header: 'a b'", "models.e.api_key_header"),
        ("api_key_header: host", "models.e.api_key_header"),
        ("api_keys: [a, b]\napi_key: c", "models.e.api_keys"),
        ("api_keys: ['a b']", "models.e.api_keys"),
        ("api_key: '${secret:a b}'", "models.e.api_key"),
    ];
    for (lines, path) in table {
        let told = problems(&one(&format!("provider: openai\nmodel: m\n{lines}")));
        assert!(told.starts_with(&format!("`{path}`")), "{lines}: {told}");
    }
    let groups = |more: &str| problems(&format!("models: {{a: {{provider: offline, use_for: [x]}}}}\n{more}"));
    for (more, path) in [
        ("aliases: {a: x}", "aliases.a"),
        ("aliases: {x: a}", "aliases.x"),
        ("aliases: {fast: nobody}", "aliases.fast"),
        ("aliases: {fast: fast}", "aliases.fast"),
        ("aliases: {fast: []}", "aliases.fast"),
        ("aliases: {'': a}", "aliases."),
        ("uses: {y: {candidates: [a], prefer: luck}}", "models.yaml"),
        ("uses: {y: {candidates: [b]}}", "uses.y"),
    ] {
        let told = groups(more);
        assert!(told.starts_with(&format!("`{path}`")), "{more}: {told}");
    }
}

#[test]
fn the_first_form_of_the_file_means_what_it_did() {
    let file = "models:\n  general:\n    provider: anthropic\n    model: claude-sonnet-4-20250514\n    \
                use_for: [summarization, drafting, general_queries]\n\n  sensitive:\n    provider: ollama\n    \
                model: llama4:8b\n    use_for: [customer_data, financial_records, internal_docs]\n";
    let entries = resolve(&ModelsFile::from_yaml(file).unwrap(), &env).unwrap();
    assert_eq!((entries.len(), entries[1].local, entries[1].uses.len()), (2, true, 3));
    assert_eq!(
        (entries[0].weight, entries[0].limits, entries[0].fallbacks.len()),
        (None, Limits::default(), 0)
    );
}

#[test]
fn several_keys_are_all_secrets() {
    let entry = resolved(&one(
        "provider: openai\nmodel: m\napi_keys: ['${ANTHROPIC_API_KEY}', second-key-0123]",
    ))
    .swap_remove(0);
    assert!(matches!(&entry.key, Key::Set(keys) if keys.len() == 2));
    assert_eq!(entry.secrets.len(), 2);
}
