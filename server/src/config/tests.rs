//! Which settings are refused, with which words, and what the defaults are.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use domain::model::settings::DEFAULT_STATUS_LIST_TTL;
use domain::store::{LedgerDurability, StoreOptions};

use super::Config;
use super::layers::{Defaults, parse, without_secret};
use crate::http::request_id::Line;

/// The defaults, with these values replaced.
fn with(values: &[(&str, &str)]) -> Result<Config, String> {
    let defaults = Defaults::read().expect("the defaults are TOML");
    let config = parse(|name| match values.iter().find(|(changed, _)| *changed == name) {
        Some((_, text)) => Ok((*text).to_owned()),
        None => defaults.text(name),
    });
    config.map_err(|error| error.to_string())
}

fn refused(values: &[(&str, &str)], setting: &str) {
    let error = with(values).expect_err(setting);
    assert!(error.starts_with(&format!("{setting}: ")), "{error}");
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let config = with(&[]).expect("valid");
    assert_eq!(config.network.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.network.public_url, None);
    assert_eq!(config.storage.database_url().to_string(), "sqlite://./data/countersign.db");
    assert_eq!(config.storage.options().ledger_durability, LedgerDurability::Process);
    assert_eq!(config.storage.options().connections, StoreOptions::default().connections);
    assert_eq!(config.storage.master_key_file(), Path::new("./data/master.key"));
    assert_eq!((config.log.log.as_str(), config.log.log_format), ("info", Line::Text));
    assert!(config.network.trusted_proxies.is_empty());
    assert_eq!(config.token.status_list_ttl, DEFAULT_STATUS_LIST_TTL);
}

#[test]
fn the_defaults_are_the_settings_and_no_others() {
    let defaults = Defaults::read().expect("the defaults are TOML");
    let asked = RefCell::new(BTreeSet::new());
    let parsed = parse(|name| {
        asked.borrow_mut().insert(name.to_owned());
        defaults.text(name)
    });
    parsed.expect("each setting has a default");
    assert!(asked.into_inner().iter().eq(defaults.0.keys()));
}

#[test]
fn a_setting_is_shown_without_a_password() {
    for (value, shown) in [
        ("postgres://user:pa@ss@db.example/name?password=x", "postgres://db.example/name"),
        ("postgres://db-1,db-2/name?sslmode=require", "postgres://db-1,db-2/name"),
        ("sqlite://./data/countersign.db", "sqlite://./data/countersign.db"),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ] {
        assert_eq!(without_secret(value), shown);
    }
}

#[test]
fn the_issuer_is_an_origin_on_https_or_this_machine() {
    for good in
        ["https://auth.example.com", "https://auth.example.com:8443", "http://localhost:8080", "http://127.0.0.1"]
    {
        assert_eq!(with(&[("public_url", good)]).expect(good).network.public_url.as_deref(), Some(good));
    }
    for wrong in [
        "auth.example.com",
        "http://auth.example.com",
        "https://auth.example.com/",
        "https://auth.example.com/mcp",
        "https://AUTH.example.com",
        "https://auth.example.com:443",
        "https://user@auth.example.com",
        "ftp://auth.example.com",
    ] {
        refused(&[("public_url", wrong)], "public_url");
    }
}

#[test]
fn a_wrong_setting_is_named() {
    refused(&[("listen", "8080")], "listen");
    refused(&[("listen", "")], "listen");
    refused(&[("listen", "0.0.0.0:8080")], "public_url");
    refused(&[("log_format", "xml")], "log_format");
    refused(&[("trusted_proxies", "10.0.0.0/8, proxy")], "trusted_proxies");
    let error = with(&[("trusted_proxies", "proxy")]).expect_err("no address");
    assert!(error.contains("the address of a proxy, such as 10.0.3.7"), "it suggests no network: {error}");
    refused(&[("private_webhooks", "http://a")], "private_webhooks");
    refused(&[("status_list_ttl", "0")], "status_list_ttl");
    refused(&[("ledger_durability", "disk")], "ledger_durability");
    refused(&[("database_connections", "2")], "database_connections");
    refused(&[("default_resource", "docs")], "default_resource");
    refused(&[("default_resource", "https://docs.example/mcp#x")], "default_resource");
    let config = with(&[("default_resource", "https://docs.example/mcp")]).expect("valid");
    assert_eq!(config.client.default_resource.as_deref(), Some("https://docs.example/mcp"));
    refused(&[("openid_issuer", "https://login.example")], "openid_client_id");
    for half in [
        ("openid_client_id", "us"),
        ("openid_client_secret_file", "secret"),
        ("openid_name", "Login"),
        ("openid_link_by_email", "true"),
    ] {
        refused(&[half], "openid_issuer");
    }
}

#[test]
fn a_list_may_hold_blanks_and_empty_values() {
    let config = with(&[("trusted_proxies", " 10.0.0.0/8,, 192.168.1.1 ,")]).expect("valid");
    let proxies: Vec<String> = config.network.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.168.1.1/32"]);
}

#[test]
fn an_openid_provider_is_on_https_on_this_machine_or_listed() {
    let values =
        |issuer| [("openid_issuer", issuer), ("openid_client_id", "us"), ("private_issuers", "sso.internal:8443")];
    let openid = |issuer| with(&values(issuer)).map(|config| config.openid.provider.expect("a provider"));
    let public = openid("https://login.example.com/tenant/").expect("usable");
    assert_eq!(public.provider.issuer, "https://login.example.com/tenant/", "byte for byte");
    assert_eq!(public.provider.name, "login.example.com");
    assert_eq!((public.private_hosts, public.provider.link_by_email), (vec!["sso.internal:8443".to_owned()], false));
    let local = openid("http://127.0.0.1:9000").expect("this machine");
    assert_eq!(local.private_hosts, ["sso.internal:8443", "127.0.0.1:9000"]);
    assert!(openid("http://sso.internal:8443").is_ok());
    for wrong in [
        "login.example.com",
        "http://login.example.com",
        "http://sso.internal",
        "ftp://login.example.com",
        "https://login.example.com/?tenant=a",
        "https://login.example.com/#a",
        "https://us@login.example.com",
    ] {
        refused(&values(wrong), "openid_issuer");
    }
}
