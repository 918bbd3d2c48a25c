//! What this machine gives to the program.

use super::Report;
use crate::{
    config::Config,
    healthcheck::healthcheck,
    http::{Site, files_for, find_site},
    open_files,
};
use std::net::{SocketAddr, TcpListener};

pub(super) async fn look(config: &Config, report: &mut Report) {
    let (files, wanted) = (open_files(), files_for(config.max_sockets));
    if files < wanted {
        report.warn(
            "files",
            format!(
                "{files} open files are allowed and {} sockets take {wanted}: raise the limit (ulimit -n, LimitNOFILE) or lower --max-sockets",
                config.max_sockets
            ),
        );
    } else {
        report.ok("files", format!("{files} open files are allowed"));
    }
    let dir = config.site_dir.clone().unwrap_or_else(find_site);
    match Site::open(dir.clone(), None) {
        Ok(site) => report.ok("page", format!("build {} in {}", site.build, dir.display())),
        Err(error) => {
            report.fail("page", format!("{error}: name the folder site of the release by --site-dir, or make build"));
        }
    }
    if let Some(previous) = &config.previous_site
        && let Err(error) = Site::open(previous.clone(), None)
    {
        report.warn("page", format!("of --previous-site: {error}: name the folder site of the release before"));
    }
    let address = SocketAddr::new(config.host, config.port);
    match TcpListener::bind(address) {
        Ok(_) => report.ok("port", format!("{address} is free")),
        Err(_) if healthcheck(config).await.is_ok() => report.ok("port", format!("a Hubbub serves on {address}")),
        Err(error) => report.fail(
            "port",
            format!("cannot listen on {address}: {error}; end what does, or choose another --port or --host"),
        ),
    }
    if let Some(metrics) = config.metrics
        && metrics != address
        && let Err(error) = TcpListener::bind(metrics)
        && healthcheck(config).await.is_err()
    {
        report.fail("metrics", format!("cannot listen on --metrics {metrics}: {error}"));
    }
    if config.metrics == Some(address) {
        report.fail("metrics", format!("--metrics {address} is where people are: name another port"));
    }
}
