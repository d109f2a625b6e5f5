//! Servers as lanes: who was the master when, and what became of each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::faults::Band;
use crate::explore::Verb;
use crate::history::{History, ServerId, What};

/// A server's lane.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Lane {
    /// While it was the master, and in which epoch.
    pub(super) reigns: Vec<(Duration, Duration, u64)>,
    /// What it went through, from when until when.
    pub(super) states: Vec<(Duration, Duration, String)>,
    /// What happened to it at a moment; and whether data was lost.
    pub(super) marks: Vec<(Duration, String, bool)>,
}

/// The lanes of all servers that the history speaks of.
pub(super) fn lanes(history: &History, bands: &[Band], end: Duration) -> BTreeMap<ServerId, Lane> {
    let mut lanes: BTreeMap<ServerId, Lane> = BTreeMap::new();
    for event in &history.events {
        let at = event.at;
        match &event.what {
            What::Record(record) => {
                let first = !lanes
                    .iter()
                    .any(|(id, lane)| id.site == record.server.site && !lane.reigns.is_empty());
                let lane = lanes.entry(record.server).or_default();
                if first {
                    lane.reigns.push((Duration::ZERO, Duration::MAX, 0));
                }
            }
            What::Promoted { server, epoch, forgot } => {
                let lane = lanes.entry(*server).or_default();
                end_reign(lane, at);
                lane.reigns.push((at, Duration::MAX, *epoch));
                let how = if *forgot { ", without the last writes" } else { "" };
                lane.marks.push((at, format!("master, epoch {epoch}{how}"), *forgot));
            }
            What::Demoted { server } => {
                let lane = lanes.entry(*server).or_default();
                if lane.reigns.is_empty() {
                    lane.reigns.push((Duration::ZERO, at, 0));
                }
                end_reign(lane, at);
                lane.marks.push((at, "demoted".to_owned(), false));
            }
            What::Forgot { server, .. } => {
                let lane = lanes.entry(*server).or_default();
                lane.marks.push((at, "lost data".to_owned(), true));
            }
            _ => {}
        }
    }
    for band in bands {
        befall(&mut lanes, band);
    }
    for lane in lanes.values_mut() {
        lane.reigns.iter_mut().for_each(|reign| reign.1 = reign.1.min(end));
    }
    lanes
}

fn end_reign(lane: &mut Lane, at: Duration) {
    if let Some(reign) = lane.reigns.last_mut() {
        reign.1 = reign.1.min(at);
    }
}

/// The master at a moment: who was promoted last.
fn master(lanes: &BTreeMap<ServerId, Lane>, at: Duration) -> Option<ServerId> {
    let reigns = lanes
        .iter()
        .flat_map(|(id, lane)| lane.reigns.iter().map(move |reign| (*id, reign)));
    let reigns = reigns.filter(|(_, (from, until, _))| *from <= at && at < *until);
    reigns.max_by_key(|(_, (from, ..))| *from).map(|(id, _)| id)
}

fn befall(lanes: &mut BTreeMap<ServerId, Lane>, band: &Band) {
    let Some(verb) = &band.verb else { return };
    let node = |node: &u32| ServerId { site: 0, node: *node };
    let (server, from, state) = match verb {
        Verb::Failover { lost, .. } if lost.is_zero() => (master(lanes, band.at), band.at, "down".to_owned()),
        Verb::Failover { lost, .. } => {
            if let Some(lane) = master(lanes, band.at).and_then(|id| lanes.get_mut(&id)) {
                lane.states
                    .push((band.at, band.at + *lost, "not replicated".to_owned()));
            }
            (master(lanes, band.at), band.at + *lost, "down".to_owned())
        }
        Verb::Revert { age, .. } => {
            if let Some(lane) = master(lanes, band.at).and_then(|id| lanes.get_mut(&id)) {
                lane.marks.push((band.at, "saved".to_owned(), false));
            }
            (master(lanes, band.at), band.at + *age, "down".to_owned())
        }
        Verb::Crash { .. } | Verb::Restart { .. } => (master(lanes, band.at), band.at, "down".to_owned()),
        Verb::Freeze { .. } | Verb::Hang { .. } => (master(lanes, band.at), band.at, "stands still".to_owned()),
        Verb::Split { first, last, .. } => {
            let whom = if first == last {
                format!("client {first}")
            } else {
                format!("clients {first}-{last}")
            };
            let state = format!("cut off, with {whom}");
            (master(lanes, band.at), band.at, state)
        }
        Verb::Refuse { .. } => (master(lanes, band.at), band.at, band.text.clone()),
        Verb::StepClock { server, by_ms } => {
            if let Some(lane) = lanes.get_mut(&node(server)) {
                let text = format!("clock {:+} s", *by_ms as f64 / 1000.0);
                lane.marks.push((band.at, text, false));
            }
            return;
        }
        Verb::DriftClock { server, .. } | Verb::WobbleClock { server, .. } | Verb::Lag { server, .. } => {
            (Some(node(server)), band.at, band.text.clone())
        }
        _ => return,
    };
    if let Some(lane) = server.and_then(|id| lanes.get_mut(&id)) {
        lane.states.push((from, band.until, state));
    }
}
