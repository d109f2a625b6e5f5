//! A deployment: a master with its replicas, and what their sentinels say.

use std::collections::BTreeSet;

use crate::history::ServerId;
use crate::node::{Following, Node};
use crate::timeline::WorldTime;

/// How long a change takes to a replica unless it lags.
pub(crate) const REPLICATION: std::time::Duration = std::time::Duration::from_micros(700);

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) nodes: Vec<Node>,
    /// The master as most sentinels see it.
    pub(crate) master: u32,
    /// How many promotions there were.
    pub(crate) epoch: u64,
    /// Connections between replicas and masters made so far.
    pub(crate) connections: u64,
    /// A master that is cut off from everybody else but these clients.
    pub(crate) split: Option<Split>,
}

/// The smaller side of a split.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) master: u32,
    pub(crate) clients: BTreeSet<u32>,
}

impl Site {
    /// A master, node 0, and so many replicas that follow it.
    pub(crate) fn new(seed: u64, site: u32, replicas: u32) -> Self {
        let mut nodes: Vec<Node> = (0..=replicas)
            .map(|node| Node::new(seed, ServerId { site, node }))
            .collect();
        let (masters, others) = nodes.split_at_mut(1);
        for (connection, node) in (1..).zip(others.iter_mut()) {
            node.follow(Following::new(0, connection));
            node.copy(&masters[0]);
        }
        Self {
            nodes,
            master: 0,
            epoch: 0,
            connections: u64::from(replicas),
            split: None,
        }
    }

    /// Whether a client and a server are on the same side.
    pub(crate) fn joins(&self, client: u32, node: u32) -> bool {
        let same_side = |split: &Split| split.clients.contains(&client) == (split.master == node);
        self.split.as_ref().is_none_or(same_side)
    }

    /// Whether two servers are on the same side.
    pub(crate) fn links(&self, left: u32, right: u32) -> bool {
        let same_side = |split: &Split| (split.master == left) == (split.master == right);
        self.split.as_ref().is_none_or(same_side)
    }

    /// Whom a client takes for the master when it asks the sentinels that it reaches.
    pub(crate) fn master_for(&self, client: u32) -> u32 {
        match &self.split {
            Some(split) if split.clients.contains(&client) => split.master,
            _ => self.master,
        }
    }
}

impl Following {
    /// A new connection to a master.
    pub(crate) fn new(master: u32, connection: u64) -> Self {
        Self {
            master,
            connection,
            cut_since: None,
            lag: REPLICATION,
            last_arrival: WorldTime::ZERO,
            acked: 0,
        }
    }
}
