//! One permit: its bar, the strips of its leases, and what was written with it.

use super::{Drawing, RIGHT};
use crate::history::{Event, Op, What};
use crate::picture::canvas::width_of;
use crate::picture::permits::{Acquisition, Ending, Permit};

/// The bar of a permit, and the strips of its leases below it.
const BAR: f64 = 16.0;
const STRIP: f64 = 3.0;
/// What both need.
pub(super) const ROW: f64 = BAR + 3.0 * STRIP + 4.0;

impl Drawing<'_> {
    pub(super) fn permit(&mut self, op: Op, slot: u32, y: f64) {
        let Some(permit) = &self.all[&op].permit else { return };
        let client = self.all[&op].asked.client;
        let (blamed, title) = (self.is_blamed(op), title(&self.all[&op], permit));
        let (from, until) = (self.x(permit.granted), self.x(permit.over));
        let believed = self.window.shows(permit.granted, permit.over);
        let token = self.token(permit);
        let label = label(op, client, &token, until - from);
        let bare: Vec<(f64, f64)> = if self.has_records() {
            let shown = permit
                .bare()
                .into_iter()
                .filter(|(from, until)| self.window.shows(*from, *until));
            shown.map(|(from, until)| (self.x(from), self.x(until))).collect()
        } else {
            Vec::new()
        };
        let leases: Vec<(u32, f64, f64)> = permit
            .leases
            .iter()
            .filter(|lease| self.window.shows(lease.from, lease.until))
            .map(|lease| (lease.server.node, self.x(lease.from), self.x(lease.until)))
            .collect();
        let writes = permit
            .writes
            .iter()
            .filter(|write| write.slot == slot && self.window.shows(write.at, write.at));
        let writes: Vec<(f64, bool, String)> = writes
            .map(|write| {
                let how = if write.admitted { "admitted" } else { "refused" };
                let text = format!("write of #{op} {how} at {:.3} s", write.at.as_secs_f64());
                (self.x(write.at), write.admitted, text)
            })
            .collect();
        let ending = permit.ending.clone();
        for (node, from, until) in leases {
            let strip = y + BAR + STRIP * f64::from(node % 3);
            let title = format!("lease of #{op} on server {node}");
            self.canvas.rect(
                [from, strip, until - from, STRIP - 0.4],
                &format!("s{}", node % 3),
                &title,
            );
        }
        if believed {
            self.canvas
                .rect([from, y, until - from, BAR], &format!("bar c{}", client % 8), &title);
            for (from, until) in bare {
                let title = format!("#{op} is believed in, but no server has its lease\n{title}");
                self.canvas.rect([from, y, until - from, BAR], "bare", &title);
            }
            if blamed {
                self.canvas.rect([from, y, until - from, BAR], "blamed", &title);
            }
            if label.is_empty() && blamed {
                self.canvas
                    .words(until + 6.0, y + 12.0, "also", &format!("#{op} c{client} {token}"));
            } else {
                self.canvas.words(from + 3.0, y + 12.0, "onbar", &label);
            }
            self.ending(&ending, until, y, &title);
        }
        for (x, admitted, text) in writes {
            if admitted {
                self.canvas.circle(x, y + BAR - 2.0, 1.3, "wrote", &text);
            } else {
                self.canvas.cross(x, y + BAR - 3.0, 3.0, "refused", &text);
            }
        }
    }

    fn ending(&mut self, ending: &Ending, x: f64, y: f64, title: &str) {
        if x >= self.width - RIGHT {
            return;
        }
        match ending {
            Ending::Died => self.canvas.cross(x, y + BAR / 2.0, 4.0, "death", title),
            Ending::Lost(_) => self.canvas.cross(x, y + BAR / 2.0, 4.0, "loss", title),
            Ending::Open | Ending::Returned => {}
        }
    }

    fn has_records(&self) -> bool {
        let is_record = |event: &Event| matches!(event.what, What::Record(_));
        self.history.events.iter().any(is_record)
    }

    /// A token without the digits that all in the window begin with.
    fn token(&self, permit: &Permit<'_>) -> String {
        let text = permit.token.to_string();
        let permits = self.all.values().filter_map(|one| one.permit.as_ref());
        let shown = permits.filter(|permit| self.window.shows(permit.granted, permit.over));
        let mut shared = text.len().saturating_sub(3);
        for other in shown.map(|permit| permit.token.to_string()) {
            if other.len() != text.len() {
                return text;
            }
            let same = text.bytes().zip(other.bytes()).take_while(|(one, other)| one == other);
            shared = shared.min(same.count());
        }
        if shared < 3 {
            text
        } else {
            format!("…{}", &text[shared..])
        }
    }
}

/// As much of it as there is room for.
fn label(op: Op, client: u32, token: &str, room: f64) -> String {
    let labels = [
        format!("#{op} c{client} {token}"),
        format!("#{op} c{client}"),
        format!("#{op}"),
    ];
    let fits = |label: &String| width_of(label) <= room + 4.0;
    labels.into_iter().find(fits).unwrap_or_default()
}

/// Everything about a permit.
fn title(one: &Acquisition<'_>, permit: &Permit<'_>) -> String {
    let ending = match &permit.ending {
        Ending::Died => "its client died",
        Ending::Lost(reason) => &format!("lost: {reason}"),
        Ending::Open => "held to the end",
        Ending::Returned => "given back",
    };
    let slots: Vec<String> = permit.slots.iter().map(u32::to_string).collect();
    format!(
        "#{} of client {}: {}, slot {}\ntoken {}\nholder {}\nasked at {:.3} s, granted at {:.3} s, over at {:.3} s ({ending})\nttl {:.1} s",
        one.op(),
        one.asked.client,
        one.asked.name,
        slots.join(", "),
        permit.token,
        permit.holder,
        one.asked_at.as_secs_f64(),
        permit.granted.as_secs_f64(),
        permit.over.as_secs_f64(),
        one.asked.ttl.as_secs_f64()
    )
}
