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

async fn serve(config: Config) -> Result<(), StartError> {
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
