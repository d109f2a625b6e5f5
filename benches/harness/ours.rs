//! semafence.

use std::sync::Arc;

use async_trait::async_trait;
use semafence::{Mutex, Permit};
use semafence_redis::Redis;

use crate::contender::Contender;
use crate::site::Site;

/// The library as its users see it.
pub(crate) struct Ours {
    locks: Vec<Arc<Mutex<Redis>>>,
}

impl Ours {
    /// A client with one mutex for each task; connects at the first use.
    pub(crate) fn new(site: &Site, tasks: usize) -> Self {
        let client = site.client();
        let lock = |task| Arc::new(client.mutex(format!("n{task}")).build().expect("a good name"));
        Self {
            locks: (0..tasks).map(lock).collect(),
        }
    }

    async fn lock(&self, task: usize) -> Permit<'_> {
        self.locks[task].lock().await.expect("the server answers")
    }
}

#[async_trait]
impl Contender for Ours {
    fn name(&self) -> &'static str {
        "semafence"
    }

    async fn work(&self, task: usize, enough: &(dyn Fn(u64) -> bool + Sync)) -> u64 {
        let mut pairs = 0;
        while !enough(pairs) {
            let permit = self.lock(task).await;
            permit.release().await.expect("the server answers");
            pairs += 1;
        }
        pairs
    }
}
