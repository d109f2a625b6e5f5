//! How one sentinel sees the deployment.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::node::Node;
use crate::resp::Reply;

/// The fields that Sentinel gives for one server or sentinel.
type Fields = BTreeMap<String, String>;

/// How one sentinel sees the deployment.
#[derive(Debug)]
pub(crate) struct View {
    master: Fields,
    replicas: Vec<Fields>,
    others: Vec<Fields>,
}

impl View {
    pub(crate) fn of(sentinel: &impl Node, service: &str) -> Result<Self, String> {
        let ask = |what| {
            let reply = sentinel.ask(&["SENTINEL", what, service]);
            match reply {
                Ok(Reply::Error(error)) => Err(format!("sentinel {}: {error}", sentinel.address())),
                Err(error) => Err(format!("sentinel {}: {error}", sentinel.address())),
                Ok(reply) => Ok(reply),
            }
        };
        let many = |reply: &Reply| reply.items().iter().map(fields).collect();
        Ok(Self {
            master: fields(&ask("MASTER")?),
            replicas: many(&ask("REPLICAS")?),
            others: many(&ask("SENTINELS")?),
        })
    }

    pub(crate) fn epoch(&self) -> u64 {
        text(&self.master, "config-epoch").parse().unwrap_or_default()
    }

    pub(crate) fn master(&self) -> Result<SocketAddr, String> {
        let address = format!("{}:{}", text(&self.master, "ip"), text(&self.master, "port"));
        address.parse().map_err(|_| format!("{address:?} is no address"))
    }

    /// Nothing, or what is not well in this sentinel's eyes.
    pub(crate) fn complaint(&self, replicas: usize, others: usize) -> Result<(), String> {
        expect("flags of the master", text(&self.master, "flags"), "master")?;
        expect(
            "replicas known",
            &self.replicas.len().to_string(),
            &replicas.to_string(),
        )?;
        expect("sentinels known", &self.others.len().to_string(), &others.to_string())?;
        for replica in &self.replicas {
            expect("flags of a replica", text(replica, "flags"), "slave")?;
            expect("link of a replica", text(replica, "master-link-status"), "ok")?;
            let (port, expected) = (text(replica, "master-port"), text(&self.master, "port"));
            expect("master of a replica", port, expected)?;
        }
        for other in &self.others {
            // What it said of the master it was last asked about is kept until it is asked again.
            let flags = text(other, "flags").replace(",master_down", "");
            expect("flags of a sentinel", &flags, "sentinel")?;
        }
        Ok(())
    }
}

fn expect(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found} instead of {expected}"))
    }
}

fn fields(reply: &Reply) -> Fields {
    let pairs = reply.items().chunks_exact(2);
    pairs.map(|pair| (pair[0].text(), pair[1].text())).collect()
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}
