#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::ports::Models as _;

use super::*;
use crate::config::{Exec, write_starter};

const GRANTS: &str = "grants: {echo: {model: [general]}}\n";

fn host() -> (tempfile::TempDir, Home, Host) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let home = Home::find(Some(directory.path().join("home"))).unwrap();
    home.create().unwrap();
    write_starter(&home, &Exec::default()).unwrap();
    home.write("grants.yaml", GRANTS.as_bytes()).unwrap();
    let settings = HostSettings {
        compiler: child_compiler(PathBuf::from("/no/compiler")),
        engine: EngineSettings::default(),
        audit_models: Level::Process,
        audit_skills: Level::Process,
        watch: WatchSettings::default(),
        traces: false,
    };
    let host = Host::open(&home, settings).unwrap();
    (directory, home, host)
}

#[test]
fn a_file_that_falls_silent_is_a_mistake_and_the_last_good_one_stays() {
    let (_directory, home, host) = host();
    let live = host.live();
    let decision = || live.policy.load().decision().clone();
    let before = decision();
    for (file, nothing) in [
        ("models.yaml", "models: {}"),
        ("policies.yaml", "policies: []"),
        ("channels.yaml", "channels: []"),
        ("capabilities.yaml", "commands: {}"),
        ("grants.yaml", "grants: {}"),
        ("budgets.yaml", "budgets: []"),
        ("prices.yaml", "prices: {}"),
    ] {
        let good = std::fs::read(home.join(file)).unwrap();
        for text in ["", "  \n", "# nothing\n", "~\n"] {
            std::fs::write(home.join(file), text).unwrap();
            let expected = format!("{file}: was there and is now empty; write `{nothing}` to mean that");
            assert_eq!(live.reload().unwrap_err().to_string(), expected, "{text:?}");
        }
        std::fs::remove_file(home.join(file)).unwrap();
        let expected = format!("{file}: was there and is now missing; write `{nothing}` to mean that");
        assert_eq!(live.reload().unwrap_err().to_string(), expected);
        assert!(live.mistakes().is_some());
        assert_eq!(decision(), before);
        std::fs::write(home.join(file), nothing).unwrap();
        live.reload().unwrap();
        std::fs::write(home.join(file), good).unwrap();
        live.reload().unwrap();
    }
    assert!(live.mistakes().is_none());
}

#[test]
fn a_file_that_was_cut_off_behind_its_first_word_is_a_mistake() {
    let (_directory, home, host) = host();
    std::fs::write(home.join("grants.yaml"), "grants:\n").unwrap();
    let mistakes = host.live().reload().unwrap_err();
    assert!(mistakes.to_string().starts_with("grants.yaml"), "{mistakes}");
}

#[test]
fn files_that_never_said_anything_may_stay_silent() {
    let (_directory, home, host) = host();
    drop(host);
    std::fs::write(home.join("channels.yaml"), "# none\n").unwrap();
    let host = Host::open(&home, HostSettings::standard().unwrap()).unwrap();
    host.live().reload().unwrap();
    std::fs::remove_file(home.join("channels.yaml")).unwrap();
    host.live().reload().unwrap();
}

#[test]
fn one_part_that_cannot_be_keeps_all_others_out() {
    let (_directory, _home, host) = host();
    let live = host.live();
    let yaml = |text: &str| serde_yaml::from_str(text).unwrap();
    let bad = Config {
        models: serde_yaml::from_str("models: {other: {provider: offline, use_for: [else]}}").unwrap(),
        capabilities: yaml("commands: {tool: {path: relative/tool, allow: [{args: x}]}}"),
        ..Config::default()
    };
    let before = live.policy.load().decision().clone();
    let mistakes = live.put_in_force(&bad).unwrap_err();
    assert!(mistakes.to_string().starts_with("capabilities.yaml"), "{mistakes}");
    assert!(live.models.plan(&wanted("general")).is_ok());
    assert!(live.models.plan(&wanted("else")).is_err());
    assert_eq!(*live.policy.load().decision(), before);
}

fn wanted(name: &str) -> claw_core::routing::Wanted<'_> {
    claw_core::routing::Wanted {
        name,
        kind: claw_core::routing::Kind::Completion,
        input_tokens: 0,
        output_tokens: None,
        answers: 1,
        fits_schema: false,
    }
}

#[test]
fn budgets_and_prices_are_in_force_once_they_are_read_again() {
    let (_directory, home, host) = host();
    let live = host.live();
    let ceiling = || live.models.plan(&wanted("paid")).unwrap().ceiling_nanousd();
    let budgets = || -> Vec<String> {
        let all = live.ledger.status(0).into_iter();
        all.map(|status| format!("{} {}", status.budget.name, status.budget.limit))
            .collect()
    };
    let models = "models: {m: {provider: openai, model: mine, api_key: k, max_tokens: 1000, use_for: [paid]}}";
    std::fs::write(home.join("models.yaml"), models).unwrap();
    std::fs::write(home.join("budgets.yaml"), "budgets: [{name: team, limit: 1usd/day}]").unwrap();
    live.reload().unwrap();
    assert_eq!((ceiling(), budgets()), (None, vec!["team 1usd/day".to_owned()]));
    let price = "prices: {openai/mine: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}";
    std::fs::write(home.join("prices.yaml"), price).unwrap();
    std::fs::write(home.join("budgets.yaml"), "budgets: [{name: team, limit: 2usd/day}]").unwrap();
    live.reload().unwrap();
    let after = (Some(2_000_000), vec!["team 2usd/day".to_owned()]);
    assert_eq!((ceiling(), budgets()), after);
    for (file, text, named) in [
        (
            "prices.yaml",
            "prices: {mine: {input_usd_per_mtok: 1, output_usd_per_mtok: 9}}",
            "prices.mine",
        ),
        ("budgets.yaml", "budgets: [{name: team, limit: 3usd}]", "budgets.team.limit"),
    ] {
        let good = std::fs::read(home.join(file)).unwrap();
        std::fs::write(home.join(file), text).unwrap();
        let mistakes = live.reload().unwrap_err().to_string();
        assert!(mistakes.starts_with(file) && mistakes.contains(named), "{mistakes}");
        assert_eq!((ceiling(), budgets()), after, "whole or not at all");
        std::fs::write(home.join(file), good).unwrap();
    }
}
