//! `cargo xtask up`: a server, or a master with replicas and sentinels, to try things on.

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};

use xtask::{Deployment, RedisFixture, Server};

/// Starts what is asked for, says how to use it, and ends it when this process is told to end.
pub(crate) fn run(what: &str) -> ExitCode {
    match up(what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn up(what: &str) -> Result<(), String> {
    let told = told_to_end()?;
    match what {
        "single" => {
            let server = Server::start_any().map_err(|error| error.to_string())?;
            serve(&server.url(), &[("server", server.port())], &told);
        }
        "sentinel" => {
            let deployment = Deployment::any().start().map_err(|error| error.to_string())?;
            let servers = deployment.servers().iter().map(|server| ("server", server.port()));
            let sentinels = deployment
                .sentinels()
                .iter()
                .map(|sentinel| ("sentinel", sentinel.port()));
            let url = deployment.url();
            serve(&url, &servers.chain(sentinels).collect::<Vec<_>>(), &told);
        }
        _ => return Err(format!("cannot start `{what}`: it is single or sentinel")),
    }
    Ok(())
}

/// Waits, so that whoever stops this process with ctrl-c leaves no directories behind.
fn serve(url: &str, ports: &[(&str, u16)], told: &Receiver<()>) {
    for (what, port) in ports {
        println!("{what:8} 127.0.0.1:{port}");
    }
    println!("\nexport SEMAFENCE_URL='{url}'\n\nctrl-c ends all of them");
    let _nobody_can_tell_any_more = told.recv();
}

fn told_to_end() -> Result<Receiver<()>, String> {
    let (tell, told) = channel();
    let handler = move || {
        let _ending_already = tell.send(());
    };
    ctrlc::set_handler(handler).map_err(|error| error.to_string())?;
    Ok(told)
}
