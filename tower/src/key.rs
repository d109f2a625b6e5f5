//! What a request is limited by.

/// What a request is limited by: the name of a semaphore, and how many permits the request takes of how many.
///
/// A name is 1–200 bytes of UTF-8 with any characters; a request whose key has another is answered with 400, because
/// names mostly come from requests.
///
/// # Examples
///
/// ```
/// use semafence_tower::Key;
///
/// let plain = Key::new("client-1");
/// let pair = Key::join(["client-1", "openai/gpt-5"]).limit(20);
///
/// assert_eq!(plain.name(), "client-1");
/// assert_eq!(pair.name(), "client-1/openai%2Fgpt-5");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    name: String,
    pub(crate) limit: Option<u32>,
    pub(crate) permits: u32,
}

impl Key {
    /// A key of this name, with the limit of the layer, for requests that take one permit.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            limit: None,
            permits: 1,
        }
    }

    /// A key whose name has several parts, joined by `/`. Where a part contains `/` or `%` these are percent-encoded,
    /// so different parts never make the same name.
    pub fn join<P: AsRef<str>>(parts: impl IntoIterator<Item = P>) -> Self {
        let encoded = parts.into_iter().map(|part| encode(part.as_ref()));
        Self::new(encoded.collect::<Vec<_>>().join("/"))
    }

    /// The limit of this key, 1–65,536, instead of that of the layer. It may change from one request to the next:
    /// each is granted by its own.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many permits the request takes at once, all or none; 1 to the limit. Default: 1.
    #[must_use]
    pub fn permits(mut self, permits: u32) -> Self {
        self.permits = permits;
        self
    }

    /// The name of the semaphore.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

fn encode(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_parts_never_make_the_same_name() {
        let pairs = [
            ["a/b", "c"],
            ["a", "b/c"],
            ["a%2Fb", "c"],
            ["a", "b%2Fc"],
            ["", "a/b/c"],
        ];

        let names: std::collections::BTreeSet<_> = pairs.iter().map(|pair| Key::join(pair).name).collect();

        assert_eq!(names.len(), pairs.len(), "{names:?}");
    }
}
