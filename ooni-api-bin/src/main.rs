//! The program `ooni-api`.
#![forbid(unsafe_code)]

use ooni_api::clock::Clock;
use ooni_api::config::Config;
use ooni_api::run::run;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::default();
    let listener = TcpListener::bind(config.server.listen).await?;
    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    run(config, listener, Clock::system(), stopped).await
}
