//! The descendants of this process, as the kernel lists them.

use std::collections::HashMap;
use std::fs;

use rustix::process::{Pid, getpid};

/// Descendants in this group, without this process. Empty where there is no /proc.
pub(super) fn in_group(group: Pid) -> Vec<Pid> {
    let all = all().into_iter();
    all.filter(|process| process.group == group)
        .map(|process| process.pid)
        .collect()
}

/// The process groups of all descendants. Empty where there is no /proc.
pub(super) fn groups() -> Vec<Pid> {
    all().into_iter().map(|process| process.group).collect()
}

fn all() -> Vec<Process> {
    let processes: HashMap<Pid, Process> = listed().map(|process| (process.pid, process)).collect();
    let this = getpid();
    let below = processes
        .values()
        .filter(|process| process.pid != this && descends(process, this, &processes));
    below.copied().collect()
}

#[derive(Debug, Clone, Copy)]
struct Process {
    pid: Pid,
    parent: Option<Pid>,
    group: Pid,
}

fn descends(process: &Process, ancestor: Pid, processes: &HashMap<Pid, Process>) -> bool {
    // Bounded: the list is not taken at one moment, so reused numbers may form a ring.
    let mut parent = process.parent;
    for _ in 0..processes.len() {
        match parent {
            None => return false,
            Some(pid) if pid == ancestor => return true,
            Some(pid) => parent = processes.get(&pid).and_then(|process| process.parent),
        }
    }
    false
}

fn listed() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        parse(number, &fs::read_to_string(entry.path().join("stat")).ok()?)
    })
}

/// `pid (name) state ppid pgrp …`; the name may hold spaces and parentheses.
fn parse(number: i32, stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(1).map(str::parse::<i32>);
    let parent = fields.next()?.ok()?;
    let group = fields.next()?.ok()?;
    Some(Process {
        pid: Pid::from_raw(number)?,
        parent: Pid::from_raw(parent),
        group: Pid::from_raw(group)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_stepped_over() {
        let process = parse(7, "7 (a) b (c) S 3 5 5 0 -1").unwrap();

        assert_eq!(process.parent, Pid::from_raw(3));
        assert_eq!(Some(process.group), Pid::from_raw(5));
    }
}
