//! Which faults befell whom, and when.

use std::time::Duration;

use crate::check::span::Span;
use crate::history::{Event, Trouble, What};

/// A fault and the time that it lasted.
#[derive(Debug, Clone, Copy)]
struct Fault {
    number: Option<u32>,
    trouble: Trouble,
    client: Option<u32>,
    span: Span,
    /// When it did no more.
    ceased: Option<Duration>,
}

impl Fault {
    fn befalls(&self, client: u32) -> bool {
        self.client.is_none_or(|befallen| befallen == client)
    }
}

/// All faults by their start; that a process stands still is one, that it is dead another.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    faults: Vec<Fault>,
    /// Those that befall replicas alone.
    lags: Vec<Fault>,
}

impl Troubles {
    pub(super) fn see(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::Disturbed(fault) => self.begin(at, Some(fault.number), fault.trouble, fault.client),
            What::Paused { client } => self.begin(at, None, Trouble::Process, Some(*client)),
            What::Ceased { number } => self.cease(at, *number),
            What::Calmed { number } => self.end(at, |fault| fault.number == Some(*number)),
            What::Resumed { client } => self.end(at, |fault| fault.number.is_none() && fault.client == Some(*client)),
            _ => {}
        }
    }

    /// Nothing was granted.
    pub(super) fn pause(&mut self, grace: Span) {
        self.add(None, Trouble::Grace, None, grace);
    }

    fn begin(&mut self, at: Duration, number: Option<u32>, trouble: Trouble, client: Option<u32>) {
        self.add(number, trouble, client, Span::new(at, Duration::MAX));
    }

    fn add(&mut self, number: Option<u32>, trouble: Trouble, client: Option<u32>, span: Span) {
        let faults = if trouble == Trouble::Lag {
            &mut self.lags
        } else {
            &mut self.faults
        };
        faults.push(Fault {
            number,
            trouble,
            client,
            span,
            ceased: None,
        });
    }

    fn cease(&mut self, at: Duration, number: u32) {
        let faults = self.faults.iter_mut().chain(&mut self.lags);
        let fault = faults.rev().find(|fault| fault.number == Some(number));
        if let Some(fault) = fault {
            fault.ceased = Some(at);
        }
    }

    fn end(&mut self, at: Duration, is_it: impl Fn(&Fault) -> bool) {
        let faults = self.faults.iter_mut().chain(&mut self.lags);
        if let Some(fault) = faults.rev().find(|fault| is_it(fault)) {
            fault.span.until = fault.span.until.min(at);
        }
    }

    /// Whether nothing befalls this client within the span.
    pub(super) fn calm(&self, client: u32, span: Span) -> bool {
        !self.within(span).any(|fault| fault.befalls(client))
    }

    /// The first moment from `from` on after which no fault does anything to this client for `rest`.
    pub(super) fn quiet_from(&self, client: u32, from: Duration, rest: Duration) -> Duration {
        let faults = self.faults.iter().filter(|fault| fault.befalls(client));
        faults.fold(from, |quiet, fault| {
            let acts = Span::new(
                fault.span.from,
                fault.ceased.unwrap_or(Duration::MAX).min(fault.span.until),
            );
            let wait = Span::new(quiet, quiet.saturating_add(rest));
            if acts.touches(&wait) {
                quiet.max(acts.until)
            } else {
                quiet
            }
        })
    }

    /// Whether nothing befalls anybody within the span.
    pub(super) fn calm_for_all(&self, span: Span) -> bool {
        self.within(span).next().is_none()
    }

    /// Whether such a fault befalls this client within the span.
    pub(super) fn befell(&self, trouble: Trouble, client: u32, span: Span) -> bool {
        self.within(span)
            .any(|fault| fault.trouble == trouble && fault.befalls(client))
    }

    /// Whether such a fault befalls everybody within the span.
    pub(super) fn befell_all(&self, trouble: Trouble, span: Span) -> bool {
        self.within(span)
            .any(|fault| fault.trouble == trouble && fault.client.is_none())
    }

    /// Whether a replica was slow within the span.
    pub(super) fn lagged(&self, span: Span) -> bool {
        self.lags.iter().any(|lag| lag.span.touches(&span))
    }

    /// Whether nothing was granted at that moment, and what was forgotten was taken in.
    pub(super) fn is_grace(&self, at: Duration) -> bool {
        self.befell_all(Trouble::Grace, Span::new(at, at))
    }

    /// The first moment from `from` on after which this client is calm for `rest`.
    pub(super) fn calm_from(&self, client: u32, from: Duration, rest: Duration) -> Duration {
        let faults = self.faults.iter().filter(|fault| fault.befalls(client));
        faults.fold(from, |calm, fault| {
            let wait = Span::new(calm, calm.saturating_add(rest));
            if fault.span.touches(&wait) {
                calm.max(fault.span.until)
            } else {
                calm
            }
        })
    }

    fn within(&self, span: Span) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.span.touches(&span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Disturbance;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn troubles(spans: &[(u64, u64)]) -> Troubles {
        let mut troubles = Troubles::default();
        for (number, (from, until)) in (0..).zip(spans) {
            let fault = Disturbance {
                number,
                trouble: Trouble::Network,
                client: None,
                text: String::new(),
            };
            let disturbed = What::Disturbed(fault);
            troubles.see(&Event {
                at: ms(*from),
                what: disturbed,
            });
            let calmed = What::Calmed { number };
            troubles.see(&Event {
                at: ms(*until),
                what: calmed,
            });
        }
        troubles
    }

    #[test]
    fn rest_that_is_disturbed_begins_anew() {
        let troubles = troubles(&[(100, 200), (250, 300), (500, 600)]);

        assert_eq!(troubles.calm_from(1, ms(50), ms(100)), ms(300));
        assert_eq!(troubles.calm_from(1, ms(301), ms(100)), ms(301));
    }

    #[test]
    fn calm_is_what_no_fault_touches() {
        let troubles = troubles(&[(100, 200)]);

        assert!(troubles.calm(1, Span::new(ms(201), ms(300))));
        assert!(!troubles.calm(1, Span::new(ms(200), ms(300))));
    }
}
