//! Clients and servers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Drawing, RIGHT};
use crate::explore::Verb;
use crate::history::What;
use crate::picture::canvas::width_of;
use crate::picture::faults::Band;
use crate::picture::servers;

const LANE: f64 = 16.0;

/// A client process, as its lane shows it.
#[derive(Debug, Default)]
struct Client {
    first: Duration,
    died: Option<Duration>,
    pauses: Vec<(Duration, Duration)>,
}

impl Drawing<'_> {
    pub(super) fn clients(&mut self) {
        self.canvas.words(10.0, self.y + 13.0, "head", "clients");
        self.y += 18.0;
        for (number, client) in self.processes() {
            let last = client.died.unwrap_or(self.end);
            if self.window.shows(client.first, last) {
                self.client(number, &client);
            }
        }
        self.y += 6.0;
    }

    /// All that ask for something; a client that dies has a successor with a number of its own.
    fn processes(&self) -> BTreeMap<u32, Client> {
        let mut clients: BTreeMap<u32, Client> = BTreeMap::new();
        for event in &self.history.events {
            let at = event.at;
            match &event.what {
                What::Asked(asked) => {
                    clients.entry(asked.client).or_insert_with(|| Client {
                        first: if asked.client < 1_000 { Duration::ZERO } else { at },
                        ..Client::default()
                    });
                }
                What::Paused { client } => {
                    clients.entry(*client).or_default().pauses.push((at, self.end));
                }
                What::Resumed { client } => {
                    if let Some(pause) = clients.entry(*client).or_default().pauses.last_mut() {
                        pause.1 = pause.1.min(at);
                    }
                }
                What::Died { client } => clients.entry(*client).or_default().died = Some(at),
                _ => {}
            }
        }
        clients
    }

    fn client(&mut self, number: u32, client: &Client) {
        self.lane(&format!("client {number}"), LANE);
        let (from, until) = (self.x(client.first), self.x(client.died.unwrap_or(self.end)));
        let middle = self.y + LANE / 2.0;
        self.canvas.line([from, middle, until, middle], "alive", "");
        let swatch = format!("bar c{}", number % 8);
        self.canvas
            .rect([super::LEFT - 5.0, self.y + 1.0, 3.0, LANE - 2.0], &swatch, "");
        let bands: Vec<Band> = self.bands.iter().filter(|band| band.befalls(number)).cloned().collect();
        for band in bands {
            let what = match &band.verb {
                Some(Verb::Split { .. }) => "with the old master",
                // Drawn from what happened.
                Some(Verb::Kill { .. } | Verb::Pause { .. } | Verb::Suspend { .. }) => continue,
                _ => band.text.split(' ').next().unwrap_or_default(),
            };
            self.state(band.at, band.until, "fault", what, &band.text);
        }
        for (from, until) in &client.pauses {
            let title = format!(
                "stands still from {:.3} s to {:.3} s",
                from.as_secs_f64(),
                until.as_secs_f64()
            );
            self.state(*from, *until, "still", "stands still", &title);
        }
        if let Some(died) = client.died.filter(|died| self.window.shows(*died, *died)) {
            let x = self.x(died);
            self.canvas
                .cross(x, middle, 5.0, "death", &format!("dies at {:.3} s", died.as_secs_f64()));
            self.canvas.words(x + 8.0, middle + 4.0, "", "dies");
        }
        self.y += LANE + 3.0;
    }

    pub(super) fn servers(&mut self) {
        let lanes = servers::lanes(self.history, &self.bands, self.end);
        if lanes.is_empty() {
            return;
        }
        self.canvas.words(10.0, self.y + 13.0, "head", "servers");
        self.y += 18.0;
        let many = lanes.keys().any(|id| id.site > 0);
        for (id, lane) in lanes {
            let name = if many {
                format!("server {id}")
            } else {
                format!("server {}", id.node)
            };
            self.lane(&name, LANE + 2.0);
            for (from, until, epoch) in &lane.reigns {
                if !self.window.shows(*from, *until) {
                    continue;
                }
                let text = if *epoch == 0 {
                    "master".to_owned()
                } else {
                    format!("master, epoch {epoch}")
                };
                let (x, end) = (self.x(*from), self.x(*until));
                let class = format!("reign s{}", id.node % 3);
                self.canvas.rect([x, self.y + LANE - 2.0, end - x, 4.0], &class, &text);
                if *epoch == 0 && end - x > width_of(&text) {
                    self.canvas.words(x + 4.0, self.y + 11.0, "note", &text);
                }
            }
            for (from, until, state) in &lane.states {
                self.state(*from, *until, "still", state, state);
            }
            for (at, text, lossy) in &lane.marks {
                if self.window.shows(*at, *at) {
                    self.mark(*at, text, *lossy);
                }
            }
            self.y += LANE + 5.0;
        }
    }

    /// A stretch of a lane, labelled.
    fn state(&mut self, from: Duration, until: Duration, class: &str, label: &str, title: &str) {
        if !self.window.shows(from, until) {
            return;
        }
        let (x, end) = (self.x(from), self.x(until));
        self.canvas
            .rect([x, self.y + 1.0, (end - x).max(2.0), LANE - 3.0], class, title);
        let room = self.width - RIGHT - x;
        if width_of(label) <= room {
            self.canvas.words(x + 4.0, self.y + 12.0, "", label);
        }
    }

    fn mark(&mut self, at: Duration, text: &str, lossy: bool) {
        let x = self.x(at);
        let (line, words) = if lossy { ("gone", "also") } else { ("mark", "") };
        let title = format!("{text} at {:.3} s", at.as_secs_f64());
        self.canvas.line([x, self.y, x, self.y + LANE + 2.0], line, &title);
        let left = x + 5.0 + width_of(text) > self.width - RIGHT;
        let start = if left { x - 5.0 - width_of(text) } else { x + 5.0 };
        self.canvas.words(start, self.y + 11.0, words, text);
    }
}
