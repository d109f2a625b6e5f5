//! Every program runs to its end on a server of its own, and prints what it promises.

use std::process::{Command, Output};

use xtask::servers::any_server_or_skip;

/// Lines that it printed; `None` where there is no server.
fn lines_of(program: &str) -> Option<Vec<String>> {
    let server = any_server_or_skip()?;
    let run = Command::new(program).env("SEMAFENCE_URL", server.url()).output();
    let Output { status, stdout, stderr } = run.expect("the program starts");
    assert!(status.success(), "{status}\n{}", String::from_utf8_lossy(&stderr));
    let stdout = String::from_utf8(stdout).expect("text");
    Some(stdout.lines().map(str::to_owned).collect())
}

fn ending_with<'a>(lines: &'a [String], end: &str) -> Vec<&'a str> {
    let found = lines.iter().filter(|line| line.ends_with(end));
    found.map(String::as_str).collect()
}

#[test]
fn one_instance_migrates_and_the_others_find_nothing_to_do() {
    let Some(lines) = lines_of(env!("CARGO_BIN_EXE_migration")) else {
        return;
    };

    assert_eq!(ending_with(&lines, ": 3 steps").len(), 1, "{lines:?}");
    assert_eq!(ending_with(&lines, ": 0 steps").len(), 2, "{lines:?}");
}

#[test]
fn one_leads_at_a_time_and_the_next_takes_over() {
    let Some(mut lines) = lines_of(env!("CARGO_BIN_EXE_leader")) else {
        return;
    };

    assert_eq!(lines.len(), 9, "{lines:?}");
    lines.dedup();
    assert_eq!(lines.len(), 3, "each leads once: {lines:?}");
}

#[test]
fn a_job_is_done_once_per_tick() {
    let Some(lines) = lines_of(env!("CARGO_BIN_EXE_cron")) else {
        return;
    };

    let mut done = ending_with(&lines, ": done");
    done.sort_unstable();
    let ticks: Vec<&str> = done.iter().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ticks, ["tick 0", "tick 1", "tick 2"], "{lines:?}");
    assert_eq!(ending_with(&lines, ": nothing to do").len(), 6, "{lines:?}");
}

#[test]
fn three_of_eight_threads_encode_at_once() {
    let Some(lines) = lines_of(env!("CARGO_BIN_EXE_threads")) else {
        return;
    };

    assert_eq!(lines.len(), 9, "{lines:?}");
    assert_eq!(lines[8], "at most 3 at once");
}

#[test]
fn the_permit_of_a_process_that_was_killed_goes_to_the_next_one() {
    let Some(lines) = lines_of(env!("CARGO_BIN_EXE_processes")) else {
        return;
    };

    let pid = |line: &str| line.split(' ').nth(1).expect("a process").to_owned();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(pid(&lines[2]), pid(&lines[0]), "the first was killed");
    assert!(
        lines[0].contains("slot 0") && lines[3].contains("slot 0"),
        "its slot is the next one's: {lines:?}"
    );
    let waited: u64 = lines[3]
        .split(' ')
        .nth_back(3)
        .and_then(|ms| ms.parse().ok())
        .expect("a time");
    assert!((500..5_000).contains(&waited), "one ttl, give or take: {lines:?}");
    assert_eq!(ending_with(&lines, "exit status: 0").len(), 2, "{lines:?}");
}
