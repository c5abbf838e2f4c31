//! Programs of the system: whether they are there, and how they come.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::command;

/// A program and the Debian package that brings it.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

/// The file that a name on the PATH means.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Program {
    /// Installs the program where it is missing and this user may; otherwise says what to install.
    /// True when it is there in the end.
    pub(crate) fn ensure(&self) -> bool {
        if on_path(self.name).is_some() {
            return true;
        }
        let Some(apt_get) = apt_get() else {
            eprintln!("{} is missing; please install it, on Debian or Ubuntu: {}", self.name, self.by_hand());
            return false;
        };
        eprintln!("{} is missing; installing the package {}", self.name, self.package);
        // A machine that never ran `apt-get update` knows no package, so it runs where the first try fails.
        let installed = command::succeeds(&mut self.install(&apt_get))
            || command::succeeds(command_from(&apt_get).arg("update"))
                && command::run(&mut self.install(&apt_get)).is_ok();
        if !installed {
            eprintln!("could not install {}; please try: {}", self.package, self.by_hand());
        }
        installed && on_path(self.name).is_some()
    }

    fn install(&self, apt_get: &[&str]) -> Command {
        let mut command = command_from(apt_get);
        command.args(["install", "--yes", "--no-install-recommends", self.package]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn by_hand(&self) -> String {
        format!("sudo apt-get install {}", self.package)
    }
}

/// How this user may run apt-get without being asked for a password, if at all.
fn apt_get() -> Option<Vec<&'static str>> {
    on_path("apt-get")?;
    if rustix::process::geteuid().is_root() {
        return Some(vec!["apt-get"]);
    }
    let passwordless = command::succeeds(Command::new("sudo").args(["--non-interactive", "true"]));
    passwordless.then(|| vec!["sudo", "--non-interactive", "apt-get"])
}

fn command_from(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
