//! Waits for replicas on a connection of its own.

use std::sync::Arc;

use async_trait::async_trait;
use fred::types::Resp3Frame;
use semafence::script::Acknowledgements;
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
    let sent = lane.send_all_via(|| commands(calls, Texts::No), deadline).await?;
    let is_unknown = |answer: &Result<_, _>| answer.as_ref().is_ok_and(reply::is_noscript);
    if sent.1.iter().any(is_unknown) {
        return lane.send_all_via(|| commands(calls, Texts::Yes), deadline).await;
    }
    Ok(sent)
}

/// Whether scripts are sent with their text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    No,
    Yes,
}

fn commands(calls: &Acknowledgements, texts: Texts) -> Vec<Command> {
    // All of them run one script, and the first brings its text.
    let invocations = calls.invocations().iter().enumerate();
    let refreshes = invocations.map(|(index, invocation)| match index {
        0 if texts == Texts::Yes => by_text(invocation),
        _ => by_hash(invocation),
    });
    let wait = calls.wait().into_iter().fold(Command::new("WAIT"), Command::arg);
    refreshes.chain([wait]).collect()
}
