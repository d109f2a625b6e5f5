//! A bounded map that forgets what was not used lately.

use std::collections::HashMap;
use std::mem;

/// At most `capacity` values by name. When the young half is full it becomes the old one, and what nobody asked for
/// since the last such turn is forgotten.
///
/// Names come from requests, hence the bound, and a hash that nobody can aim at.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    half: usize,
    young: HashMap<String, V>,
    old: HashMap<String, V>,
}

impl<V: Clone> Recent<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            half: (capacity / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    pub(crate) fn get(&mut self, name: &str) -> Option<V> {
        if let Some(value) = self.young.get(name) {
            return Some(value.clone());
        }
        let (name, value) = self.old.remove_entry(name)?;
        self.insert(name, value.clone());
        Some(value)
    }

    pub(crate) fn insert(&mut self, name: String, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&name) {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&name);
        self.young.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len<V>(recent: &Recent<V>) -> usize {
        recent.young.len() + recent.old.len()
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let mut recent = Recent::new(100);

        let most = (0..100_000).map(|number| {
            recent.insert(number.to_string(), number);
            recent.get("7");
            len(&recent)
        });

        assert!(most.max() <= Some(100));
    }

    #[test]
    fn what_is_in_use_stays_whatever_comes_by() {
        let mut recent = Recent::new(10);
        recent.insert("ours".to_owned(), 0);

        for number in 1..1000 {
            recent.insert(number.to_string(), number);
            assert_eq!(recent.get("ours"), Some(0), "after {number}");
        }
        assert_eq!(recent.get("1"), None);
    }

    #[test]
    fn a_new_value_replaces_the_one_before_wherever_it_is() {
        let mut recent = Recent::new(2);
        recent.insert("a".to_owned(), 1);
        recent.insert("b".to_owned(), 2);

        recent.insert("a".to_owned(), 3);

        assert_eq!((recent.get("a"), len(&recent)), (Some(3), 2));
    }
}
