//! A subscriber that writes down what it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// All that was told so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Story>>);

#[derive(Debug, Default)]
struct Story {
    spans: Vec<Seen>,
    events: Vec<Seen>,
    open: BTreeMap<u64, usize>,
}

/// A span or an event.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Of an event its text.
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
    /// The name of the span it is in.
    pub(crate) within: Option<&'static str>,
    pub(crate) is_closed: bool,
}

impl Told {
    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        Registry::default().with(self.clone())
    }

    pub(crate) fn events(&self, name: &str) -> Vec<Seen> {
        let events = self.story().events.clone();
        events.into_iter().filter(|event| event.name == name).collect()
    }

    pub(crate) fn event(&self, name: &str) -> Seen {
        let mut events = self.events(name);
        assert_eq!(events.len(), 1, "{name} once: {self:#?}");
        events.remove(0)
    }

    pub(crate) fn spans(&self, name: &str) -> Vec<Seen> {
        let spans = self.story().spans.clone();
        spans.into_iter().filter(|span| span.name == name).collect()
    }

    pub(crate) fn span(&self, name: &str) -> Seen {
        let mut spans = self.spans(name);
        assert_eq!(spans.len(), 1, "{name} once: {self:#?}");
        spans.remove(0)
    }

    /// Events and spans that a service sees which shows this level and above.
    pub(crate) fn at(&self, level: Level) -> Vec<String> {
        let story = self.story();
        let all = story.events.iter().chain(&story.spans);
        all.filter(|seen| seen.level <= level && seen.target.starts_with("semafence"))
            .map(|seen| seen.name.clone())
            .collect()
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.0.lock().unwrap()
    }
}

impl Seen {
    pub(crate) fn field(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Told {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = context.span(id).expect("it is there now");
        let mut story = self.story();
        let index = story.spans.len();
        story.open.insert(id.into_u64(), index);
        story.spans.push(Seen {
            name: span.name().to_owned(),
            level: *attributes.metadata().level(),
            target: attributes.metadata().target(),
            fields: fields.0,
            within: span.parent().map(|parent| parent.name()),
            is_closed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        let mut story = self.story();
        let index = story.open[&id.into_u64()];
        story.spans[index].fields.extend(fields.0);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let name = fields.0.remove("message").unwrap_or_default();
        self.story().events.push(Seen {
            name,
            level: *event.metadata().level(),
            target: event.metadata().target(),
            fields: fields.0,
            within: context.event_span(event).map(|span| span.name()),
            is_closed: true,
        });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut story = self.story();
        let index = story.open.remove(&id.into_u64()).expect("a span closes once");
        story.spans[index].is_closed = true;
    }
}
