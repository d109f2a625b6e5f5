//! Each verb of the shipped scripts, over the simulated server.

use semafence::{Standing, Wakeup};
use semafence_sim::run;

use crate::support::{Bench, id, next};

#[test]
fn a_free_permit_is_granted_refreshed_and_released() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let claim = bench.claim(1);

        let grant = bench.grant(&claim).await;
        assert_eq!((grant.slots, grant.limit, grant.other_limit), (vec![0], 1, None));
        assert_eq!(bench.refresh(&claim).await, Standing::Held);
        assert!(bench.is_busy(&bench.claim(2)).await);
        assert_eq!(bench.release(&claim).await, Standing::Held);

        assert_eq!(bench.holders().await, []);
        assert!(!bench.is_busy(&bench.claim(2)).await);
    });
}

#[test]
fn a_release_hands_the_permit_to_the_first_waiter_and_tells_it() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let mut messages = bench.messages().await;
        bench.grant(&bench.claim(1)).await;
        assert_eq!(bench.queue(&bench.claim(2)).await, 1);
        assert_eq!(bench.queue(&bench.claim(3)).await, 2);

        bench.release(&bench.claim(1)).await;

        assert_eq!(next(&mut messages).await, Some(Wakeup::Look(id(2))));
        assert_eq!(bench.holders().await, [id(2)]);
        assert_eq!(bench.refresh(&bench.claim(2)).await, Standing::Held);
        assert_eq!(bench.refresh(&bench.claim(3)).await, Standing::Waiting);
    });
}
