//! The guide for those who come from the predecessors leaves out nothing that these offer.

use crate::document::Document;

const GUIDE: &str = "src/guide/migrating.md";

/// Calls, options, results, errors, metrics.
const PY_REDIS_SEMAPHORE: &str = "
    Semaphore Mutex acquire aacquire release arelease refresh arefresh status astatus cleanup acleanup
    wait_for_lock_lost await_lock_lost identifier fencing_token is_acquired is_lost config owners_key fencing_key
    queue_key logger set_logger set_metrics RedisConnectionFactory create_sync create_async
    name limit lock_timeout acquire_timeout retry_interval refresh_interval namespace strict_mode use_server_time
    acquire_mode retry_interval_max retry_backoff_multiplier retry_jitter blpop_timeout refresh_retry_interval
    on_lock_lost SemaphoreConfig RedisConfig SentinelConfig host port db password socket_timeout sentinels
    service_name sentinel_password min_other_sentinels
    AcquireResult success expires_at used_slots SemaphoreStatus available is_owner LockState RELEASED ACQUIRED LOST
    AcquireMode POLLING BLPOP LockLostCallback
    RedisSemaphoreError AcquireError AcquireTimeoutError ReleaseError NotAcquiredError LockLostError MixedModeError
    BackendError TransientBackendError PermanentBackendError RedisConnectionError CommandDeniedError
    redis_semaphore_slots_used redis_semaphore_waiting redis_semaphore_acquire_total redis_semaphore_queue_total
    redis_semaphore_queue_wait_seconds redis_semaphore_lock_lost_total PrometheusMetrics MetricsCollector
";

const POTTERY_SEMAPHORE: &str = "
    Semaphore AIOSemaphore value key masters bounded raise_on_redis_errors acquire release locked get_value
    initial_value get_initial_value repr SemaphoreError BoundedSemaphoreError QueueEmpty AIORedisCounter
    AIORedisSimpleQueue
";

#[test]
fn every_name_of_the_predecessors_is_in_the_guide() {
    let guide = Document::read(GUIDE);
    let (first, second) = guide
        .text
        .split_once("\n# pottery-semaphore")
        .expect("both have a part");

    let missing = [missing(first, PY_REDIS_SEMAPHORE), missing(second, POTTERY_SEMAPHORE)].concat();

    assert!(missing.is_empty(), "{missing:?}");
}

/// Names that are in no code of the first column of a table, nor in a sentence.
fn missing(part: &str, names: &'static str) -> Vec<&'static str> {
    let there = part.lines().filter_map(|line| match line.strip_prefix("| ") {
        Some(row) => row.split(" | ").next(),
        None => Some(line),
    });
    let code: String = there
        .flat_map(|text| text.split('`').skip(1).step_by(2))
        .map(|code| format!(" {code} "))
        .collect();
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    names.split_whitespace().filter(|name| !words.contains(name)).collect()
}

/// Metrics of ours that the guide names.
#[test]
fn every_metric_that_the_guide_names_is_one() {
    let guide = Document::read(GUIDE);
    let metrics = Document::read("src/metrics.rs");
    let named = guide.text.split('`').skip(1).step_by(2);
    let named = named.filter(|code| code.starts_with("semafence_") && !code.contains("::"));

    let unknown: Vec<&str> = named
        .filter(|name| !metrics.text.contains(&format!("`{name}`")))
        .collect();

    assert!(unknown.is_empty(), "{unknown:?}");
}
