//! Where the semaphores are kept.

use std::fmt;
use std::sync::Arc;

use semafence::LockBackend;
use semafence_redis::{Options, Quorum, Redis, quorum_options};
use url::Url;

use crate::failure::Failure;

const FORMS: &str = "addresses look like redis://host:6379/, rediss://user@host:6380/0, \
                     quorum://host1:6379,host2:6379,host3:6379, or \
                     redis-sentinel://host1:26379/0?node=host2:26379&node=host3:26379&sentinelServiceName=NAME";
/// Parameters of an address that hold no secret.
const SHOWN: [&str; 2] = ["node", "sentinelServiceName"];

/// The address of a backend, whose password is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A majority of independent ones.
    Quorum(Servers),
    /// One Redis or Valkey, or the master behind sentinels.
    Redis(Server),
    /// The simulator inside this process.
    Simulator,
}

/// Where a server is, and how to log in there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// May hold a password too; the one beside it wins.
    url: Url,
    password: Option<String>,
}

/// Where independent servers are, and how to log in to all of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Servers {
    /// May hold a password too; the one beside it wins. No URL as others are: it has several hosts.
    url: String,
    password: Option<String>,
}

impl Server {
    /// A backend for it. Sends nothing.
    pub(crate) fn backend(&self) -> Result<Arc<dyn LockBackend>, Failure> {
        let options = Options::from_url(self.url.as_str())?;
        Ok(Arc::new(log_in(options, self.password.as_deref())?))
    }
}

impl Servers {
    fn parse(url: &str, password: Option<String>) -> Result<Self, Failure> {
        let servers = Self {
            url: url.to_owned(),
            password,
        };
        servers.quorum().map_err(|failure| failure.hint(FORMS))?;
        Ok(servers)
    }

    /// A backend for a majority of them. Sends nothing.
    pub(crate) fn backend(&self) -> Result<Arc<dyn LockBackend>, Failure> {
        Ok(Arc::new(self.quorum()?))
    }

    fn quorum(&self) -> Result<Quorum, Failure> {
        let nodes = quorum_options(&self.url)?.into_iter().map(|(name, options)| {
            let redis = log_in(options, self.password.as_deref())?;
            Ok((name, redis))
        });
        let nodes: Vec<_> = nodes.collect::<Result<_, Failure>>()?;
        Ok(Quorum::named(nodes)?)
    }
}

fn log_in(options: Options, password: Option<&str>) -> Result<Redis, Failure> {
    let options = match password {
        Some(password) => options.password(password),
        None => options,
    };
    Ok(Redis::new(options)?)
}

impl Address {
    /// Reads an address; a password may come beside it.
    pub(crate) fn parse(text: &str, password: Option<String>) -> Result<Self, Failure> {
        if let Some("quorum" | "quorums") = scheme(text) {
            return Servers::parse(text.trim(), password).map(Self::Quorum);
        }
        // The text is not repeated in the error: it may hold a password.
        let url = Url::parse(text.trim())
            .map_err(|error| Failure::config(format!("the address is not a URL: {error}")).hint(FORMS))?;
        match url.scheme() {
            "redis" | "rediss" | "valkey" | "valkeys" if url.host_str().is_none_or(str::is_empty) => {
                Err(Failure::config("the address names no host").hint(FORMS))
            }
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "valkey+unix" | "unix" | "redis-sentinel"
            | "rediss-sentinel" | "valkey-sentinel" | "valkeys-sentinel" => Ok(Self::Redis(Server { url, password })),
            "sim" => Ok(Self::Simulator),
            other => Err(Failure::config(format!("{other}:// is no known kind of address")).hint(FORMS)),
        }
    }
}

fn scheme(text: &str) -> Option<&str> {
    text.trim().split_once("://").map(|(scheme, _)| scheme)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quorum(servers) => servers.fmt(f),
            Self::Redis(server) => server.fmt(f),
            Self::Simulator => f.write_str("sim://"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        let pairs = self.url.query_pairs().filter(|(key, _)| SHOWN.contains(&&**key));
        let query: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        shown.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        if shown.password().is_some() {
            // Setting what is there cannot fail.
            let _has_a_host = shown.set_password(Some("***"));
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = quorum_options(&self.url).unwrap_or_default();
        let hosts: Vec<String> = hosts.into_iter().map(|(name, _)| name).collect();
        let scheme = scheme(&self.url).unwrap_or("quorum");
        write!(f, "{scheme}://{}", hosts.join(","))
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
    fn a_password_is_never_shown() {
        let inside = "redis://worker:hunter2@host:7000/2?pass=hunter2";
        let beside = "valkey+unix:///run/valkey.sock?pass=hunter2";

        let sentinels =
            "redis-sentinel://worker:hunter2@h1/2?node=h2:7&sentinelPassword=hunter2&sentinelServiceName=main";
        let shown = [inside, beside, sentinels].map(|text| Address::parse(text, Some("hunter2".to_owned())).unwrap());

        assert_eq!(shown[0].to_string(), "redis://worker:***@host:7000/2");
        assert_eq!(format!("{:?}", shown[1]), "Address(valkey+unix:///run/valkey.sock)");
        assert_eq!(
            shown[2].to_string(),
            "redis-sentinel://worker:***@h1/2?node=h2:7&sentinelServiceName=main"
        );
    }

    #[test]
    fn a_quorum_is_shown_by_its_servers() {
        let address = Address::parse("quorum://jobs:hunter2@h1:7,h2,h3/2", Some("hunter2".to_owned())).unwrap();

        assert_eq!(address.to_string(), "quorum://h1:7,h2:6379,h3:6379");
        assert_eq!(format!("{address:?}"), "Address(quorum://h1:7,h2:6379,h3:6379)");
    }

    #[test]
    fn a_quorum_of_an_even_number_is_refused() {
        let failure = refused("quorum://h1:6379,h2:6379");

        assert_eq!(failure.exit, exit::CONFIG);
        assert_eq!(failure.message, "nodes are 2, not an odd number of 1 to 9");
    }

    #[test]
    fn no_error_repeats_the_address() {
        for text in [
            "redis:hunter2",
            "hunter2",
            "redis://u:hunter2@:1",
            "redis://u:hunter2@h:99999",
            "quorum://u:hunter2@h1:99999,h2,h3",
            "quorum://u:hunter2@h1,h2",
            "http://u:hunter2@h",
        ] {
            let failure = refused(text);

            assert_eq!(failure.exit, exit::CONFIG, "{text}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }
}
