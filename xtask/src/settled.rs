//! Whether a deployment is whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::fixture::{RedisFixture, node_at};
use crate::node::Node;
use crate::resp::Reply;
use crate::view::View;

/// The master, or what is not yet as it shall be.
pub(crate) fn look<F: RedisFixture + ?Sized>(fixture: &F) -> Result<&F::Node, String> {
    let master = agreed_master(fixture)?;
    let node = node_at(fixture, master)?;
    serves(node, fixture.servers().len() - 1)?;
    for server in fixture.servers() {
        if server.address() != master {
            follows(server, master)?;
        }
    }
    Ok(node)
}

/// The one master of which every sentinel says that all is well.
fn agreed_master<F: RedisFixture + ?Sized>(fixture: &F) -> Result<SocketAddr, String> {
    let (replicas, others) = (fixture.servers().len() - 1, fixture.sentinels().len() - 1);
    let mut words = Vec::new();
    for sentinel in fixture.sentinels() {
        let view = View::of(sentinel, fixture.service())?;
        view.complaint(replicas, others)
            .map_err(|reason| format!("sentinel {}: {reason}", sentinel.address()))?;
        has_quorum(sentinel, fixture.service())?;
        words.push((view.master()?, view.epoch()));
    }
    let first = *words.first().ok_or("there is no sentinel")?;
    if words.iter().any(|word| *word != first) {
        return Err(format!("sentinels differ in master or epoch: {words:?}"));
    }
    Ok(first.0)
}

fn has_quorum(sentinel: &impl Node, service: &str) -> Result<(), String> {
    match sentinel.ask(&["SENTINEL", "CKQUORUM", service]) {
        Ok(Reply::Error(error)) => Err(error),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn serves(master: &impl Node, replicas: usize) -> Result<(), String> {
    let info = replication(master)?;
    let online = info.iter().filter(|(field, value)| {
        let number = field.strip_prefix("slave").map(str::parse::<u16>);
        matches!(number, Some(Ok(_))) && value.contains("state=online")
    });
    let (role, online) = (&info["role"], online.count());
    if role == "master" && online == replicas {
        Ok(())
    } else {
        let address = master.address();
        Err(format!(
            "{address} is {role} with {online} of {replicas} replicas online"
        ))
    }
}

fn follows(replica: &impl Node, master: SocketAddr) -> Result<(), String> {
    let info = replication(replica)?;
    let expected = [
        ("role", "slave".to_owned()),
        ("master_port", master.port().to_string()),
        ("master_link_status", "up".to_owned()),
        ("master_sync_in_progress", "0".to_owned()),
    ];
    for (field, value) in expected {
        let found = info.get(field).map_or("absent", String::as_str);
        if found != value {
            return Err(format!("{}: {field} is {found} instead of {value}", replica.address()));
        }
    }
    Ok(())
}

fn replication(server: &impl Node) -> Result<BTreeMap<String, String>, String> {
    let reply = server.ask(&["INFO", "replication"]);
    let text = reply.map_err(|error| format!("{}: {error}", server.address()))?.text();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned()));
    let fields = fields.collect::<BTreeMap<_, _>>();
    if fields.contains_key("role") {
        Ok(fields)
    } else {
        Err(format!("{}: {text}", server.address()))
    }
}
