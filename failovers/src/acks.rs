//! What becomes of grants that a replica has acknowledged, when the master is lost.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use semafence::{Client, Error, LockBackend, OwnedPermit, Standing};
use xtask::{Deployment, Node, RedisFixture};

use crate::driver::Driver;

/// For how long grants are made while one replica does not follow.
const GRANTING: Duration = Duration::from_millis(300);
/// A replica that is cut off tries again once a second.
const RECONNECT: Duration = Duration::from_millis(1_200);
const PATIENCE: Duration = Duration::from_secs(60);
const TTL: Duration = Duration::from_secs(60);
/// Tasks that acquire at the same time.
const TASKS: usize = 8;

/// What to measure.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Trial {
    /// How many failovers.
    #[arg(long, default_value_t = 10)]
    pub failovers: usize,
    /// The client library.
    #[arg(long, value_enum, default_value = "redis-rs")]
    pub driver: Driver,
    /// How many replicas a grant waits for; there are two, of which one does not follow.
    #[arg(long, default_value_t = 1)]
    pub acks: u32,
    /// The replica-priority of the one that does not follow; the other has 100. Sentinels prefer less, and promote none with
    /// 0; where both have the same, they go by how far each was when they last asked.
    #[arg(long, default_value_t = 100)]
    pub laggard_priority: u32,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Toll {
    /// Failovers in which the replica took over that had acknowledged.
    pub to_the_follower: usize,
    /// Grants that were returned.
    pub granted: usize,
    /// Those of them that the new master does not know.
    pub lost: usize,
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            to_the_follower,
            granted,
            lost,
        } = self;
        write!(
            f,
            "{granted} grants, {lost} lost; {to_the_follower} failovers to the replica that followed"
        )
    }
}

/// Repeats failovers, each of its own deployment, and counts. Answers whether nothing was lost.
///
/// # Errors
///
/// When servers cannot be started or fail in a way that was not asked for.
pub async fn run(trial: Trial) -> Result<bool, String> {
    let mut toll = Toll::default();
    for number in 1..=trial.failovers {
        let before = toll;
        fail_over(trial, &mut toll).await.map_err(|error| error.to_string())?;
        let (granted, lost) = (toll.granted - before.granted, toll.lost - before.lost);
        println!("failover {number}: {granted} grants, {lost} lost");
    }
    println!("{}, acks {}: {toll}", trial.driver.name(), trial.acks);
    Ok(toll.lost == 0)
}

/// One failover: one replica follows, the other stands still until the master is gone.
///
/// # Errors
///
/// As [`run`].
pub async fn fail_over(trial: Trial, toll: &mut Toll) -> Result<(), Box<dyn std::error::Error>> {
    let priority = trial.laggard_priority.to_string();
    let deployment = Deployment::any().server_args(1, ["--replica-priority", &priority]);
    let deployment = deployment.start()?;
    let [master, laggard, follower] = deployment.servers() else {
        return Err("there are not two replicas".into());
    };
    deployment.await_settled(PATIENCE);
    let client = Client::new(trial.driver.backend(&deployment.url())?)?;
    acquire(&client, "first", trial.acks).await?.release().await?;
    laggard.stop();
    // Its socket would take what the master writes. The other comes back by itself.
    master.ask(&["CLIENT", "KILL", "TYPE", "replica"])?;
    tokio::time::sleep(RECONNECT).await;
    let granted = grant_for(&client, trial.acks).await?;
    master.kill();
    laggard.cont();
    let successor = deployment.await_master_other_than(master, PATIENCE).address();
    toll.to_the_follower += usize::from(successor == follower.address());
    toll.granted += granted.len();
    for permit in &granted {
        toll.lost += usize::from(standing(permit).await? != Standing::Held);
    }
    Ok(())
}

/// Grants of fresh names from several tasks at once.
async fn grant_for(client: &Client<Arc<dyn LockBackend>>, acks: u32) -> Result<Vec<OwnedPermit>, Error> {
    let until = Instant::now() + GRANTING;
    let task = |task: usize| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut granted = Vec::new();
            for number in 0.. {
                if Instant::now() >= until {
                    break;
                }
                granted.push(acquire(&client, &format!("{task}-{number}"), acks).await?);
            }
            Ok::<_, Error>(granted)
        })
    };
    let mut all = Vec::new();
    for task in (0..TASKS).map(task).collect::<Vec<_>>() {
        all.extend(task.await.expect("a task does not panic")?);
    }
    Ok(all)
}

async fn acquire(client: &Client<Arc<dyn LockBackend>>, name: &str, acks: u32) -> Result<OwnedPermit, Error> {
    let mutex = client.mutex(name).ttl(TTL).failover_grace(Duration::ZERO).acks(acks);
    mutex.build()?.lock_owned().await
}

/// Asked anew until there is an answer: the client has to find the new master first.
async fn standing(permit: &OwnedPermit) -> Result<Standing, Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        match permit.refresh().await {
            Err(error) if error.is_transient() && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            answer => return answer,
        }
    }
}
