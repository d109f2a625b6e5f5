//! Queries of Prometheus, as far as it takes to see what they ask for.

use std::collections::BTreeSet;

/// One metric as a query selects it: `semafence_losses_total{reason!="closed"}`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Labels, and the values that they are compared with.
    pub(crate) matchers: Vec<(String, String)>,
}

/// Every metric of ours in a text, whatever is around it.
pub(crate) fn selectors(text: &str) -> Vec<Selector> {
    let starts = text.match_indices("semafence_").map(|(at, _)| at);
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    starts
        .map(|at| {
            let name = &text[at..];
            let name = &name[..name.find(|c| !of_a_name(c)).unwrap_or(name.len())];
            let rest = &text[at + name.len()..];
            let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            Selector {
                metric: name.to_owned(),
                matchers: inside.map_or_else(Vec::new, |(inside, _)| matchers(inside)),
            }
        })
        .collect()
}

/// The labels by which a text groups or joins: `by (semaphore, le)`.
pub(crate) fn groupings(text: &str) -> BTreeSet<String> {
    let lists = ["by (", "on (", "without (", "ignoring ("].map(|word| text.split(word).skip(1));
    let lists = lists.into_iter().flatten().filter_map(|rest| rest.split_once(')'));
    lists
        .flat_map(|(list, _)| list.split(','))
        .map(|label| label.trim().to_owned())
        .collect()
}

fn matchers(inside: &str) -> Vec<(String, String)> {
    // In JSON quotes are escaped.
    let inside = inside.replace('\\', "");
    let matchers = inside.split("\",").filter(|matcher| !matcher.trim().is_empty());
    matchers
        .map(|matcher| {
            let (label, value) = matcher.split_once('"').expect("a value in quotes");
            let label = label.trim().trim_end_matches(['=', '!', '~']);
            (label.to_owned(), value.trim_end_matches('"').to_owned())
        })
        .collect()
}

#[test]
fn metrics_labels_and_values_are_seen() {
    let query = r#"sum by (le, semaphore) (rate(semafence_wait_seconds_bucket{outcome="granted", semaphore=~"$x"}[5m]))
        or semafence_waiters"#;

    let matchers = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(
        selectors(query),
        [
            Selector {
                metric: "semafence_wait_seconds_bucket".to_owned(),
                matchers: matchers(&[("outcome", "granted"), ("semaphore", "$x")]),
            },
            Selector {
                metric: "semafence_waiters".to_owned(),
                matchers: Vec::new(),
            },
        ]
    );
    assert_eq!(groupings(query), BTreeSet::from(["le", "semaphore"].map(str::to_owned)));
}
