//! What a global subscriber is told of threads: callers that block, and the keeper.

// Each of the tests takes what it needs of them.
#[allow(dead_code)]
mod scripted;
#[allow(dead_code)]
mod told;

use std::time::Duration;

use semafence::blocking::Client;
use tracing::{Level, info_span};

use scripted::{Scripted, grant};
use told::Told;

#[test]
fn a_thread_that_waits_is_the_parent_and_its_keeper_tells_of_the_end() {
    let told = Told::default();
    tracing::subscriber::set_global_default(told.subscriber()).unwrap();
    let client = Client::new(Scripted::new([Ok(grant(7)), Ok(grant(8))])).unwrap();
    let mutex = client.mutex("name").ttl(Duration::from_secs(1)).build().unwrap();

    let permit = info_span!("request").in_scope(|| mutex.lock().unwrap());
    permit.span().in_scope(|| tracing::info!("work"));
    permit.release().unwrap();
    let lost = mutex.lock().unwrap();
    client.close();

    let [first, second] = &told.spans("acquire")[..] else {
        panic!("{told:#?}")
    };
    assert_eq!((first.within, second.within), (Some("request"), None));
    let [released, closed] = &told.spans("hold")[..] else {
        panic!("{told:#?}")
    };
    assert_eq!((released.within, released.field("end")), (Some("request"), "released"));
    assert_eq!((closed.within, closed.field("end")), (None, "closed"));
    assert_eq!(told.event("work").within, Some("hold"));
    let loss = told.event("a permit was lost");
    assert_eq!(
        (loss.level, loss.within, loss.field("token")),
        (Level::WARN, Some("hold"), "8")
    );
    drop(lost);
}
