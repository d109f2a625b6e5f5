//! Waits for replicas on a connection of its own.

use std::sync::Arc;

use async_trait::async_trait;
use fred::types::Resp3Frame;
use semafence::script::{Acknowledgements, Invocation};
use semafence::{Acknowledgement, BackendError, WaitingLine};

use crate::backend::{by_hash, by_text};
use crate::lane::{Deadline, Lane};
use crate::line::Command;
use crate::link::Link;
use crate::reply;

#[async_trait]
impl WaitingLine for Lane {
    async fn acknowledge(&self, calls: Acknowledgements) -> Vec<Result<Acknowledgement, BackendError>> {
        match send(self, &calls).await {
            Ok((link, answers)) => {
                let replies = answers.into_iter().map(|answer| answer.and_then(reply::read));
                calls.answers(Ok(replies.collect()), link.epoch())
            }
            Err(error) => calls.answers(Err(error), None),
        }
    }
}

type Answers = Vec<Result<Resp3Frame, BackendError>>;

async fn send(lane: &Lane, calls: &Acknowledgements) -> Result<(Arc<Link>, Answers), BackendError> {
    let deadline = Deadline::after(calls.timeout());
    let sent = lane.send_all_via(|| commands(calls, by_hash), deadline).await?;
    let is_unknown = |answer: &Result<_, _>| answer.as_ref().is_ok_and(reply::is_noscript);
    if sent.1.iter().any(is_unknown) {
        return lane.send_all_via(|| commands(calls, by_text), deadline).await;
    }
    Ok(sent)
}

/// All calls run one script, so it is enough if the first brings its text.
fn commands(calls: &Acknowledgements, first: fn(&Invocation) -> Command) -> Vec<Command> {
    let refreshes = calls.invocations().iter().enumerate().map(|(index, invocation)| {
        let command = if index == 0 { first } else { by_hash };
        command(invocation)
    });
    let wait = calls.wait().into_iter().fold(Command::new("WAIT"), Command::arg);
    refreshes.chain([wait]).collect()
}
