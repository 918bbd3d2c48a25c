//! Parse the settings, start the logs, open the store, listen, serve.

use hubbub::{
    StartError,
    config::{Command, Config},
    doctor,
    engine::embedded,
    healthcheck::healthcheck,
    http::{Site, files_for, find_site},
    notice::{self, NoticeChange},
    open_files, run,
    start::{asked_to_end, reserve, wait_for_engine},
    telemetry, version,
};
use std::{fmt::Display, process::ExitCode, time::Duration};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let config = match Config::from_process(|| version(Site::open(find_site(), None).ok().as_ref())) {
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
    // What is found is said once, at the end.
    let filter = if matches!(config.command, Some(Command::Doctor { .. })) { "off" } else { &config.log };
    telemetry::start(filter, config.log_format);
    let ended = carry_out(config);
    telemetry::end();
    ended
}

fn carry_out(config: Config) -> ExitCode {
    let dir = &config.data_dir;
    match &config.command {
        None => end(run_to_the_end(config).map(|()| None::<String>)),
        Some(Command::Doctor { json }) => examine(&config, *json),
        Some(Command::Healthcheck) => match Runtime::new() {
            Ok(runtime) => end(runtime.block_on(healthcheck(&config)).map(|()| None::<String>)),
            Err(error) => end::<String>(Err(error)),
        },
        Some(Command::Backup { .. } | Command::Restore { .. }) if config.redis().is_some() => {
            end::<String>(Err("the store is Redis, which has its own backups: see docs/operations.md"))
        }
        Some(Command::Notice { text, lasts, clear }) => {
            let to = match text {
                Some(text) => NoticeChange::Set { text: text.clone(), lasts: *lasts },
                None if *clear => NoticeChange::Clear,
                None => NoticeChange::Show,
            };
            let changed = Runtime::new().map_err(|error| error.to_string());
            end(changed.and_then(|runtime| runtime.block_on(notice::change(&config, &to))).map(Some))
        }
        Some(Command::Backup { file }) => end(embedded::backup(dir, file).map(Some)),
        Some(Command::Restore { file, replace }) => end(embedded::restore(file, dir, *replace).map(Some)),
    }
}

fn examine(config: &Config, json: bool) -> ExitCode {
    let told = config.found.as_ref().map(|(command, found)| doctor::Told::all(command, found)).unwrap_or_default();
    let report = match Runtime::new() {
        Ok(runtime) => runtime.block_on(doctor::examine(config, told)),
        Err(error) => return end::<String>(Err(error)),
    };
    match serde_json::to_string(&report) {
        Ok(report) if json => println!("{report}"),
        _ => println!("{report}"),
    }
    match report.level() {
        doctor::Level::Ok => ExitCode::SUCCESS,
        doctor::Level::Warning => ExitCode::from(1),
        doctor::Level::Error => ExitCode::from(2),
    }
}

/// Prints what came of it.
fn end<T: Display>(done: Result<Option<T>, impl Display>) -> ExitCode {
    match done {
        Ok(done) => {
            if let Some(done) = done {
                println!("{done}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hubbub: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How long what nobody waits for any more, such as a look-up of a name, may go on at the end.
const LEFT_OVER: Duration = Duration::from_millis(200);

fn run_to_the_end(config: Config) -> Result<(), StartError> {
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(serve(config));
    runtime.shutdown_timeout(LEFT_OVER);
    ended
}

/// Takes as many open files as this process may have without asking anybody.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Refused, it stays as it is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

async fn serve(config: Config) -> Result<(), StartError> {
    raise_open_files();
    let files = open_files();
    if files < files_for(config.max_sockets) {
        tracing::warn!(
            files,
            max_sockets = config.max_sockets,
            "this process may open fewer files than there may be connections: raise the limit (ulimit -n) or lower --max-sockets"
        );
    }
    let mut ended = Box::pin(asked_to_end()?);
    // Taken before the store is waited for, so that a port in use is told at once, and listened on after it, so that
    // nobody is sent here before.
    let address = reserve(&config)?;
    let engine = tokio::select! {
        biased;
        () = &mut ended => return Ok(()),
        engine = wait_for_engine(&config) => engine?,
    };
    run(config, engine, address.listen()?, ended).await
}
