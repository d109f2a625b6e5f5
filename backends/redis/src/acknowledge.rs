//! Waits for replicas on a connection of its own.

use async_trait::async_trait;
use redis::{Cmd, Pipeline, Value};
use semafence::script::{Acknowledgements, Invocation};
use semafence::{Acknowledgement, BackendError, WaitingLine};

use crate::backend::{by_hash, by_text};
use crate::lane::{Deadline, Lane};
use crate::reply;

#[async_trait]
impl WaitingLine for Lane {
    async fn acknowledge(&self, calls: Acknowledgements) -> Vec<Result<Acknowledgement, BackendError>> {
        let deadline = Deadline::after(calls.timeout());
        match send(self, &calls, deadline).await {
            Ok((answers, epoch)) => calls.answers(Ok(answers.into_iter().map(reply::read).collect()), epoch),
            Err(error) => calls.answers(Err(error), None),
        }
    }
}

async fn send(
    lane: &Lane,
    calls: &Acknowledgements,
    deadline: Deadline,
) -> Result<(Vec<Value>, Option<u64>), BackendError> {
    let link = lane.link_by(deadline).await?;
    let mut answers = lane.send_all_on(&link, &pipeline(calls, by_hash), deadline).await?;
    if answers.iter().any(reply::is_noscript) {
        answers = lane.send_all_on(&link, &pipeline(calls, by_text), deadline).await?;
    }
    Ok((answers, link.epoch()))
}

/// All calls run one script, so it is enough if the first brings its text.
fn pipeline(calls: &Acknowledgements, first: fn(&Invocation) -> Cmd) -> Pipeline {
    let invocations = calls.invocations();
    let mut pipeline = Pipeline::with_capacity(invocations.len() + 1);
    for (index, invocation) in invocations.iter().enumerate() {
        let command = if index == 0 { first } else { by_hash };
        pipeline.add_command(command(invocation));
    }
    let mut wait = redis::cmd("WAIT");
    wait.arg(&calls.wait()[..]);
    pipeline.add_command(wait);
    pipeline
}
