//! This bench as a second process, which is something else: it finds a variable in its
//! environment, and says where it listens.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

/// A process that listens, and is ended with this.
pub(crate) struct Child {
    process: std::process::Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Child {
    /// Starts one.
    pub(crate) fn start(variable: &str, value: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(variable, value)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut address).unwrap();
        Child {
            process,
            address: address.trim().to_owned(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
