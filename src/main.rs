//! Parse the settings, start the logs, open the store, listen, serve.

use hubbub::{StartError, config::Config, listen, open_engine, run, telemetry};
use std::process::ExitCode;

fn main() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err((text, 0)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err((line, status)) => {
            eprint!("{line}");
            return ExitCode::from(status);
        }
    };
    telemetry::start(&config.log, config.log_format);
    match tokio::runtime::Runtime::new().map_err(StartError::from).and_then(|runtime| runtime.block_on(serve(config))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hubbub: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Files open beside the sockets: the store, the site, connections that are no sockets yet.
const OTHER_FILES: u64 = 256;

/// Takes as many open files as this process may have without asking anybody; says how many.
fn raise_open_files() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let before = limit.current;
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = before;
        }
    }
    limit.current.unwrap_or(u64::MAX)
}

async fn serve(config: Config) -> Result<(), StartError> {
    let files = raise_open_files();
    if files < u64::from(config.max_sockets) + OTHER_FILES {
        tracing::warn!(
            files,
            max_sockets = config.max_sockets,
            "this process may open fewer files than there may be sockets: raise the limit (ulimit -n) or lower --max-sockets"
        );
    }
    let engine = open_engine(&config).await?;
    let listener = listen(&config).await?;
    run(config, engine, listener, terminated()).await
}

/// Resolves on SIGTERM, as platforms send it, or on Ctrl+C.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let by_signal = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            // Without the handler the signal ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = by_signal => {}
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}
