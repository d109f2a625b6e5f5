//! A configuration read from data.

use std::time::Duration;

use semafence::{Config, LeaseTime, Strategy};

#[test]
fn a_name_is_enough() {
    let config: Config = serde_json::from_str(r#"{"name": "migrations"}"#).unwrap();

    assert_eq!(config, Config::new("migrations", 1));
}

#[test]
fn every_field_is_read_and_written_back() {
    let text = r#"{
        "name": "printers", "limit": 3, "namespace": "office", "ttl": "1m 30s", "acquire_timeout": 2.5,
        "retry_interval": "50ms", "retry_interval_max": "5s", "retry_multiplier": 1.5, "retry_jitter": 0.5,
        "wakeup_fallback": 3, "refresh_interval": "20s", "refresh_retry_interval": "200ms", "strict": true,
        "lease_time": "client", "strategy": "poll", "meta": {"host": "a"}
    }"#;

    let config: Config = serde_json::from_str(text).unwrap();

    let seconds = Duration::from_secs_f64;
    let expected = Config {
        namespace: Some("office".to_owned()),
        ttl: seconds(90.0),
        acquire_timeout: Some(seconds(2.5)),
        retry_interval: seconds(0.05),
        retry_interval_max: Some(seconds(5.0)),
        retry_multiplier: 1.5,
        retry_jitter: 0.5,
        wakeup_fallback: seconds(3.0),
        refresh_interval: Some(seconds(20.0)),
        refresh_retry_interval: Some(seconds(0.2)),
        strict: true,
        lease_time: LeaseTime::Client,
        strategy: Strategy::Poll,
        meta: [("host".to_owned(), "a".to_owned())].into(),
        ..Config::new("printers", 3)
    };
    assert_eq!(config, expected);
    config.check().unwrap();
    let again: Config = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, expected);
}

#[test]
fn what_cannot_be_read_is_named() {
    let refused = |text| serde_json::from_str::<Config>(text).unwrap_err().to_string();

    let unknown = refused(r#"{"name": "a", "lock_timeout": 3}"#);
    let negative = refused(r#"{"name": "a", "ttl": -3}"#);
    let text = refused(r#"{"name": "a", "ttl": "soon"}"#);

    assert!(unknown.contains("unknown field `lock_timeout`"), "{unknown}");
    assert!(negative.contains("-3 seconds is negative"), "{negative}");
    assert!(text.contains("\"soon\" is no duration"), "{text}");
}
