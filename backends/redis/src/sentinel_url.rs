//! URLs that name sentinels, in the form that fred has for them.

use semafence::Error;
use url::Url;

use crate::options::{Options, Protocol, config, unreadable};
use crate::sentinels::Sentinels;
use crate::tls::Tls;

const DEFAULT_PORT: u16 = 26_379;

/// Reads a URL of sentinels; `None` for one of any other kind. No error repeats the URL.
pub(crate) fn read(url: &str) -> Option<Result<Options, Error>> {
    let (scheme, _) = url.split_once("://")?;
    let has_tls = match scheme.to_ascii_lowercase().as_str() {
        "redis-sentinel" | "valkey-sentinel" => false,
        "rediss-sentinel" | "valkeys-sentinel" => true,
        _ => return None,
    };
    let options = Url::parse(url)
        .map_err(|error| config("url", unreadable(Err(error))))
        .and_then(|url| options(&url));
    Some(options.map(|options| if has_tls { options.tls(Tls::new()) } else { options }))
}

fn options(url: &Url) -> Result<Options, Error> {
    if url.fragment().is_some() {
        return Err(config("url", "has a `#`, which must be percent-encoded"));
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| config("url", "names no sentinel"))?;
    let asked = Asked::read(url)?;
    let first = (unbracketed(host).to_owned(), url.port().unwrap_or(DEFAULT_PORT));
    let nodes = std::iter::once(first).chain(asked.nodes);
    let mut sentinels = nodes
        .fold(Sentinels::new(asked.service), |sentinels, (host, port)| {
            sentinels.node(host, port)
        })
        .min_others(asked.min_others);
    if let Some(username) = asked.username {
        sentinels = sentinels.username(username);
    }
    if let Some(password) = asked.password {
        sentinels = sentinels.password(password);
    }
    let mut options = Options::sentinels(sentinels)
        .protocol(asked.protocol)
        .db(db(url.path())?);
    if !url.username().is_empty() {
        options = options.username(decoded(url.username())?);
    }
    if let Some(password) = url.password() {
        options = options.password(decoded(password)?);
    }
    Ok(options)
}

/// What stands behind the `?`.
#[derive(Default)]
struct Asked {
    service: String,
    nodes: Vec<(String, u16)>,
    username: Option<String>,
    password: Option<String>,
    min_others: u32,
    protocol: Protocol,
}

impl Asked {
    fn read(url: &Url) -> Result<Self, Error> {
        let mut asked = Self::default();
        for (key, value) in url.query_pairs() {
            match &*key {
                "node" => asked.nodes.push(node(&value)?),
                "sentinelServiceName" => asked.service = value.into_owned(),
                "sentinelUsername" => asked.username = Some(value.into_owned()),
                "sentinelPassword" => asked.password = Some(value.into_owned()),
                "minOtherSentinels" => asked.min_others = value.parse().map_err(|_| wrong("minOtherSentinels"))?,
                "protocol" => asked.protocol = protocol(&value)?,
                // The key is not repeated: a password with an `&` in it ends up here.
                _ => return Err(config("url", "has a parameter that is not known")),
            }
        }
        if asked.service.is_empty() {
            return Err(config("url", "names no service: sentinelServiceName is missing"));
        }
        Ok(asked)
    }
}

fn protocol(name: &str) -> Result<Protocol, Error> {
    match name {
        "resp2" => Ok(Protocol::Resp2),
        "resp3" => Ok(Protocol::Resp3),
        _ => Err(wrong("protocol")),
    }
}

fn node(text: &str) -> Result<(String, u16), Error> {
    let parsed = Url::parse(&format!("node://{text}")).map_err(|_| wrong("node"))?;
    let is_bare = parsed.username().is_empty() && parsed.password().is_none() && parsed.path().is_empty();
    match parsed.host_str() {
        Some(host) if is_bare && !host.is_empty() => {
            Ok((unbracketed(host).to_owned(), parsed.port().unwrap_or(DEFAULT_PORT)))
        }
        _ => Err(wrong("node")),
    }
}

fn db(path: &str) -> Result<i64, Error> {
    match path.trim_start_matches('/') {
        "" => Ok(0),
        digits => digits
            .parse()
            .map_err(|_| config("url", "has a database that is no number")),
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| config("url", "has a login that is not UTF-8"))
}

/// An IPv6 address stands in brackets only in a URL.
fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn wrong(key: &'static str) -> Error {
    config("url", format!("has a {key} that is not usable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redis;

    #[test]
    fn a_url_settles_sentinels_login_and_database() {
        let url = "rediss-sentinel://jobs:s%40cret@h1/3?node=h2:7&node=[::1]:8&sentinelServiceName=a%20b&sentinelUsername=w\
                   &sentinelPassword=secret2&minOtherSentinels=1&protocol=resp2";

        let shown = format!("{:?}", Options::from_url(url).unwrap());

        assert!(
            shown.contains(r#"service: "a b", nodes: [("h1", 26379), ("h2", 7), ("::1", 8)]"#),
            "{shown}"
        );
        assert!(
            shown.contains(r#"username: Some("w"), password: Some(***), channel: AsServers, min_others: 1"#),
            "{shown}"
        );
        assert!(
            shown.contains(r#"db: 3, username: Some("jobs"), password: Some(***), tls: Some"#),
            "{shown}"
        );
        assert!(shown.contains("protocol: Resp2"), "{shown}");
        assert!(!shown.contains("cret"), "{shown}");
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_repeated() {
        let refused = [
            ("redis-sentinel://", "url "),
            ("redis-sentinel:///0?sentinelServiceName=sec", "url names no sentinel"),
            (
                "redis-sentinel://h1",
                "url names no service: sentinelServiceName is missing",
            ),
            (
                "redis-sentinel://h1:99999?sentinelServiceName=sec",
                "url has a port that is not a number up to 65535",
            ),
            (
                "redis-sentinel://h1/sec?sentinelServiceName=m",
                "url has a database that is no number",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m&node=u:sec@h2",
                "url has a node that is not usable",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m&node=",
                "url has a node that is not usable",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m&secret=1",
                "url has a parameter that is not known",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m&protocol=sec",
                "url has a protocol that is not usable",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m&minOtherSentinels=sec",
                "url has a minOtherSentinels that is not usable",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m#sec",
                "url has a `#`, which must be percent-encoded",
            ),
            (
                "redis-sentinel://sec@h1?sentinelServiceName=m",
                "password is missing beside a username",
            ),
            (
                "redis-sentinel://h1:0?sentinelServiceName=m",
                "sentinels have a port that is 0",
            ),
            (
                "redis-sentinel://h1?sentinelServiceName=m&sentinelUsername=sec",
                "sentinels have a password that is missing beside a username",
            ),
        ];
        for (url, words) in refused {
            let error = Options::from_url(url).and_then(Redis::new).unwrap_err().to_string();
            println!("{url}: {error}");

            assert!(error.starts_with(words), "{url}: {error}");
            assert!(!error.contains("sec"), "{error}");
        }
    }
}
