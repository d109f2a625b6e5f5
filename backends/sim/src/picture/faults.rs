//! Faults as bands: when they began, how long they lasted, and until when they were felt.

use std::time::Duration;

use crate::explore::{Fault, Plan, Verb};
use crate::history::{History, What};

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    pub(super) at: Duration,
    /// When what it did was over.
    pub(super) until: Duration,
    /// When it could be felt no more.
    pub(super) felt: Duration,
    pub(super) text: String,
    /// What it is, where its text can be read.
    pub(super) verb: Option<Verb>,
    /// The process that it befalls, where it is one.
    pub(super) client: Option<u32>,
}

impl Band {
    /// Whether it befalls this process.
    pub(super) fn befalls(&self, process: u32) -> bool {
        match &self.verb {
            // A successor has the number of its client and thousands.
            Some(Verb::Split { first, last, .. }) => (*first..=*last).contains(&(process % 1_000)),
            _ => self.client == Some(process),
        }
    }

    fn new(at: Duration, text: String, verb: Option<Verb>, client: Option<u32>) -> Self {
        let until = at + verb.as_ref().map_or(Duration::ZERO, Verb::length);
        Self {
            at,
            until,
            felt: until,
            text,
            verb,
            client,
        }
    }
}

/// All faults, from the plan where there is one, and from the history.
pub(super) fn bands(history: &History, plan: Option<&Plan>) -> Vec<Band> {
    let planned = plan.map_or(&[][..], |plan| &plan.faults);
    let mut bands: Vec<(u32, Band)> = (1..).zip(planned).map(planned_band).collect();
    for event in &history.events {
        match &event.what {
            What::Disturbed(fault) => match bands.iter_mut().find(|(number, _)| *number == fault.number) {
                // The plan numbers clients, the history their processes.
                Some((_, band)) => band.client = fault.client,
                None => {
                    let read: Option<Fault> = format!("0ms {}", fault.text).parse().ok();
                    let verb = read.map(|fault| fault.verb);
                    let band = Band::new(event.at, fault.text.clone(), verb, fault.client);
                    bands.push((fault.number, band));
                }
            },
            What::Calmed { number } => {
                if let Some((_, band)) = bands.iter_mut().find(|(known, _)| known == number) {
                    band.felt = event.at;
                }
            }
            _ => {}
        }
    }
    bands.into_iter().map(|(_, band)| band).collect()
}

fn planned_band((number, fault): (u32, &Fault)) -> (u32, Band) {
    let client = fault.verb.clients().filter(|clients| clients.start() == clients.end());
    let client = client.map(|clients| *clients.start());
    let band = Band::new(fault.at, fault.verb.to_string(), Some(fault.verb.clone()), client);
    (number, band)
}
