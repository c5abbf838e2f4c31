//! The edge as `cargo dev up` starts it: the component in Spin, or in the project's own host.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::arguments::{Runtime, Up};
use crate::error::Error;
use crate::service::Launch;
use crate::state::State;
use crate::up::key::DevelopmentKey;
use crate::up::origin;
use crate::workspace::Workspace;

/// How long the edge may take to finish what runs.
const GRACE: Duration = Duration::from_secs(10);

/// What runs the component.
pub(super) struct Host {
    pub(super) runtime: Runtime,
    pub(super) program: PathBuf,
}

impl Host {
    pub(super) fn launch<'a>(
        &'a self,
        workspace: &'a Workspace,
        options: &Up,
        state: &State,
        key: &DevelopmentKey,
    ) -> Result<Launch<'a>, Error> {
        let mut arguments: Vec<OsString> = Vec::new();
        match self.runtime {
            Runtime::Spin => arguments.extend(["up".into(), "--from".into()]),
            Runtime::Embedded => arguments.push("--manifest".into()),
        }
        arguments.extend([
            workspace.root().join("spin.toml").into(),
            "--listen".into(),
            format!("127.0.0.1:{}", options.edge_port).into(),
            "--state-dir".into(),
            state.folder("edge")?.into(),
        ]);
        Ok(Launch {
            name: "edge",
            program: self.program.as_os_str(),
            arguments,
            environment: vec![
                ("SPIN_VARIABLE_ORIGIN_URL", format!("http://127.0.0.1:{}", options.origin_port).into()),
                ("SPIN_VARIABLE_HOP_SECRET", state.secret(origin::HOP_SECRET)?.into()),
                ("SPIN_VARIABLE_KEY_PEPPER", key.pepper().into()),
                ("SPIN_VARIABLE_API_KEYS", key.entry().into()),
            ],
            folder: workspace.root(),
            log: state.path("edge.log"),
            grace: GRACE,
        })
    }
}
