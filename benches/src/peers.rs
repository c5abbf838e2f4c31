//! Programs that the edge is measured beside, and those that it may run on, where they are installed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Server;

/// The key that LiteLLM's clients send.
pub const LITELLM_KEY: &str = "sk-benches";

/// A program on the PATH.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A Redis server that keeps nothing on the disk.
pub async fn redis(program: &Path) -> anyhow::Result<Server> {
    Server::start(|address, folder| {
        let mut command = Command::new(program);
        command.current_dir(folder).args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
        command.arg("--port").arg(address.port().to_string());
        Ok(command)
    })
    .await
}

/// An application in Spin, with these variables.
pub async fn spin(program: &Path, manifest: &Path, variables: &[(&str, String)]) -> anyhow::Result<Server> {
    Server::start(|address, folder| {
        let mut command = Command::new(program);
        command.args(["up", "--quiet", "--from"]).arg(manifest).arg("--state-dir").arg(folder);
        command.arg("--listen").arg(address.to_string());
        for (name, value) in variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        Ok(command)
    })
    .await
}

/// nginx with a cache of its own before an origin, for requests with bodies.
pub async fn nginx(program: &Path, origin: SocketAddr) -> anyhow::Result<Server> {
    Server::start(|address, folder| {
        let folder = folder.display();
        let config = format!(
            "daemon off; pid {folder}/pid; worker_processes auto; error_log stderr;\n\
             events {{}}\n\
             http {{\n\
             access_log off; keepalive_requests 1000000;\n\
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
             proxy_cache_path {folder}/cache keys_zone=copies:1m;\n\
             server {{\n\
             listen {address};\n\
             location / {{\n\
             proxy_pass http://{origin}; proxy_cache copies; proxy_cache_valid 200 1h;\n\
             proxy_cache_methods POST; proxy_cache_key \"$uri $http_authorization $request_body\";\n\
             add_header x-cache $upstream_cache_status;\n\
             }} }} }}\n"
        );
        let file = format!("{folder}/nginx.conf");
        std::fs::write(&file, config)?;
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-c", &file]);
        Ok(command)
    })
    .await
}

/// LiteLLM's proxy with the cache of its process, before an origin that speaks the OpenAI API.
pub async fn litellm(program: &Path, origin: SocketAddr) -> anyhow::Result<Server> {
    Server::start(|address, folder| {
        let config = format!(
            "model_list:\n- model_name: canned\n  litellm_params: {{model: openai/canned, api_base: 'http://{origin}/v1', api_key: none}}\n\
             litellm_settings: {{cache: true, cache_params: {{type: local}}, telemetry: false}}\n\
             general_settings: {{master_key: {LITELLM_KEY}}}\n"
        );
        let file = folder.join("config.yaml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(program);
        command.arg("--config").arg(file).args(["--host", "127.0.0.1", "--port"]);
        command.arg(address.port().to_string()).current_dir(folder);
        Ok(command)
    })
    .await
}
