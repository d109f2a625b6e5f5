//! The names of semaphores, checked once.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

const NAME_BYTES_MAX: usize = 200;
const NAMESPACE_BYTES_MAX: usize = 64;

/// The name of a semaphore within a namespace: checked at construction, cheap to clone.
///
/// Names are 1–200 bytes of UTF-8, namespaces 1–64. Any character is allowed; those that would touch the syntax of
/// keys (`%`, braces, control characters, and `:` in a namespace) are percent-encoded, so two different names never
/// share a key and no name can change a hash tag.
///
/// # Examples
///
/// ```
/// use semafence::Name;
///
/// let name = Name::new("billing", "payments/{eu}")?;
/// assert_eq!(name.as_str(), "payments/{eu}");
/// assert_eq!(name.keys()[0], "{billing:payments/%7Beu%7D}:state");
/// # Ok::<(), semafence::Error>(())
/// ```
#[derive(Clone)]
pub struct Name(Arc<Parts>);

struct Parts {
    namespace: String,
    name: String,
    keys: [String; 8],
}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `name` or `namespace` when one is empty or too long.
    pub fn new(namespace: &str, name: &str) -> Result<Self, Error> {
        check_length("namespace", namespace, NAMESPACE_BYTES_MAX)?;
        check_length("name", name, NAME_BYTES_MAX)?;
        let keys = keys(&encode(namespace, ":"), &encode(name, ""));
        Ok(Self(Arc::new(Parts {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            keys,
        })))
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.name
    }

    /// The namespace as given.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The Redis keys of this semaphore, in the order in which the scripts expect them.
    #[must_use]
    pub fn keys(&self) -> &[String; 8] {
        &self.0.keys
    }

    /// Undoes the encoding that [`list`](crate::LockBackend::list) answers with.
    pub(crate) fn from_encoded(namespace: &str, encoded: &str) -> Result<Self, Error> {
        Self::new(namespace, &decode(encoded))
    }
}

/// The key that holds the names of a namespace.
///
/// # Errors
///
/// [`Error::Config`] with field `namespace` when it is empty or too long.
pub(crate) fn names_key(namespace: &str) -> Result<String, Error> {
    check_length("namespace", namespace, NAMESPACE_BYTES_MAX)?;
    Ok(format!("semafence:names:{}", encode(namespace, ":")))
}

fn keys(namespace: &str, name: &str) -> [String; 8] {
    let of_name = |key| format!("{{{namespace}:{name}}}:{key}");
    [
        of_name("state"),
        of_name("leases"),
        of_name("free"),
        of_name("queue"),
        of_name("wake"),
        of_name("inboxes"),
        "semafence:generation".to_owned(),
        format!("semafence:names:{namespace}"),
    ]
}

fn check_length(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::config(field, "is empty"));
    }
    if text.len() > bytes_max {
        return Err(Error::config(
            field,
            format!("has {} bytes, more than {bytes_max}", text.len()),
        ));
    }
    Ok(())
}

pub(crate) fn encode(text: &str, also: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || "%{}".contains(character) || also.contains(character) {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, hex_byte(tail)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.keys[0] == other.0.keys[0]
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.keys[0].cmp(&other.0.keys[0])
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.keys[0].hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Control characters are shown percent-encoded, so that a name can stand in a log line.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.as_str().chars() {
            if character.is_control() {
                f.write_str(&encode(character.encode_utf8(&mut [0; 4]), ""))?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SCENARIOS 4: odd names keep apart, and come back as they were.
    #[test]
    fn no_two_names_share_a_key() {
        let odd = [
            "a", "A", "a/b", "a&b", "{a}", "}{", "a*", "a?[b]", "a\0b", "a\nb", "näme", "a%00b", "a:b", "%7Ba%7D",
        ];
        let mut keys: Vec<String> = Vec::new();
        for name in odd {
            let parsed = Name::new("ns", name).unwrap();
            assert_eq!(decode(&encode(name, "")), name);
            assert_eq!(parsed.as_str(), name);
            keys.push(parsed.keys()[0].clone());
        }
        keys.sort();
        keys.dedup();

        assert_eq!(keys.len(), odd.len());
    }

    #[test]
    fn namespace_and_name_do_not_run_into_each_other() {
        let left = Name::new("a", "b:c").unwrap();
        let right = Name::new("a:b", "c").unwrap();

        assert_ne!(left, right);
        assert_eq!(left.keys()[0], "{a:b:c}:state");
        assert_eq!(right.keys()[0], "{a%3Ab:c}:state");
    }

    #[test]
    fn empty_and_oversized_names_are_refused_with_the_field() {
        let empty = Name::new("ns", "").unwrap_err().to_string();
        let long = Name::new("ns", &"x".repeat(201)).unwrap_err().to_string();
        let space = Name::new(&"x".repeat(65), "a").unwrap_err().to_string();

        assert_eq!(empty, "name is empty");
        assert_eq!(long, "name has 201 bytes, more than 200");
        assert_eq!(space, "namespace has 65 bytes, more than 64");
        assert!(Name::new("ns", &"x".repeat(200)).is_ok());
    }
}
