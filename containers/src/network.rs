//! A private network of one deployment.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::Ipv4Addr;

use testcontainers::bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest,
};

use crate::engine::Engine;
use crate::reaper::Reaper;

/// How many subnets are tried, of 256, until one is free.
const TRIES: u8 = 32;

/// A private network of one deployment, in which every container keeps its address; gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    engine: Engine,
    name: String,
    subnet: u8,
    _reaper: Reaper,
}

impl Network {
    pub(crate) fn create(engine: &Engine) -> io::Result<Self> {
        let [first, ..] = RandomState::new().hash_one(()).to_ne_bytes();
        let networks = (0..TRIES).map(|step| Self::create_in(engine, first.wrapping_add(step)));
        let mut refused = Vec::new();
        for network in networks {
            match network {
                Ok(network) => return Ok(network),
                Err(error) => refused.push(error.to_string()),
            }
        }
        refused.dedup();
        Err(io::Error::other(format!("no network: {}", refused.join("; "))))
    }

    /// The engine refuses a subnet that overlaps another one.
    fn create_in(engine: &Engine, subnet: u8) -> io::Result<Self> {
        let name = format!("semafence-{}-{subnet}", std::process::id());
        let pool = IpamConfig {
            subnet: Some(format!("10.213.{subnet}.0/24")),
            ..IpamConfig::default()
        };
        let request = NetworkCreateRequest {
            name: name.clone(),
            ipam: Some(Ipam {
                config: Some(vec![pool]),
                ..Ipam::default()
            }),
            ..NetworkCreateRequest::default()
        };
        engine.run(engine.docker().create_network(request))?;
        let (label, network) = label(&name);
        Ok(Self {
            engine: engine.clone(),
            _reaper: Reaper::start(&format!("{label}={network}"), network)?,
            name,
            subnet,
        })
    }

    /// What marks the containers of this network: a name and a value.
    pub(crate) fn label(&self) -> (&str, &str) {
        label(&self.name)
    }

    /// The address of the container with that number, from 0.
    pub(crate) fn address(&self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.subnet, 10 + number)
    }

    pub(crate) fn connect(&self, container: &str, address: Ipv4Addr) -> io::Result<()> {
        let fixed = EndpointIpamConfig {
            ipv4_address: Some(address.to_string()),
            ..EndpointIpamConfig::default()
        };
        let request = NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(EndpointSettings {
                ipam_config: Some(fixed),
                ..EndpointSettings::default()
            }),
        };
        self.engine
            .run(self.engine.docker().connect_network(&self.name, request))
    }
}

fn label(network: &str) -> (&str, &str) {
    ("semafence.network", network)
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = self.engine.run(self.engine.docker().remove_network(&self.name)) {
            eprintln!("{} is left: {error}", self.name);
        }
    }
}
