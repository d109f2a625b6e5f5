//! Where the semaphores are kept.

use std::fmt;

use url::Url;

use crate::failure::Failure;

const FORMS: &str = "addresses look like redis://host:6379/ or rediss://user@host:6380/0";

/// The address of a backend, whose password is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// One Redis or Valkey.
    Redis(Url),
    /// The simulator inside this process.
    Simulator,
}

impl Address {
    /// Reads an address and puts the password in, if there is one beside it.
    pub(crate) fn parse(text: &str, password: Option<&str>) -> Result<Self, Failure> {
        // The text is not repeated in the error: it may hold a password.
        let parsed = Url::parse(text.trim())
            .map_err(|error| Failure::config(format!("the address is not a URL: {error}")).hint(FORMS));
        let mut url = match parsed {
            Err(_) if scheme(text) == Some("quorum") => return Err(unsupported("quorum")),
            parsed => parsed?,
        };
        match url.scheme() {
            "redis" | "rediss" => {}
            "sim" => return Ok(Self::Simulator),
            "redis-sentinel" | "rediss-sentinel" | "quorum" => return Err(unsupported(url.scheme())),
            other => return Err(Failure::config(format!("{other}:// is no known kind of address")).hint(FORMS)),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Failure::config("the address names no host").hint(FORMS));
        }
        if let Some(password) = password {
            url.set_password(Some(password))
                .map_err(|()| Failure::config("the address cannot carry a password").hint(FORMS))?;
        }
        Ok(Self::Redis(url))
    }
}

fn scheme(text: &str) -> Option<&str> {
    text.trim().split_once("://").map(|(scheme, _)| scheme)
}

fn unsupported(scheme: &str) -> Failure {
    Failure::config(format!("{scheme}:// is not in this version")).hint("use redis:// or rediss:// with one server")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulator => f.write_str("sim://"),
            Self::Redis(url) => {
                let mut shown = url.clone();
                shown.set_query(None);
                if shown.password().is_some() {
                    // Setting what is there cannot fail.
                    let _has_a_host = shown.set_password(Some("***"));
                }
                f.write_str(shown.as_str())
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    fn refused(text: &str) -> Failure {
        Address::parse(text, None).unwrap_err()
    }

    #[test]
    fn a_password_is_put_in_and_never_shown() {
        let address = Address::parse("redis://worker@host:7000/2", Some("p@ss/word")).unwrap();

        let Address::Redis(url) = &address else {
            panic!("{address}")
        };
        assert_eq!(url.as_str(), "redis://worker:p%40ss%2Fword@host:7000/2");
        assert_eq!(address.to_string(), "redis://worker:***@host:7000/2");
        assert_eq!(format!("{address:?}"), "Address(redis://worker:***@host:7000/2)");
    }

    #[test]
    fn later_kinds_of_address_are_recognised_and_refused() {
        for text in [
            "redis-sentinel://h1:26379/0?node=h2:26379&sentinelServiceName=main",
            "rediss-sentinel://h1:26379",
            "quorum://h1:6379,h2:6379,h3:6379",
        ] {
            let failure = refused(text);

            assert_eq!(failure.exit, exit::CONFIG, "{text}");
            assert!(failure.message.ends_with("is not in this version"), "{failure}");
        }
    }

    #[test]
    fn no_error_repeats_the_address() {
        for text in [
            "redis:hunter2",
            "hunter2",
            "redis://u:hunter2@:1",
            "redis://u:hunter2@h:99999",
            "http://u:hunter2@h",
        ] {
            let failure = refused(text);

            assert_eq!(failure.exit, exit::CONFIG, "{text}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }
}
