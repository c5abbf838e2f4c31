//! The ports that must be free, looked at before anything is built.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use crate::arguments::Up;
use crate::error::Error;

pub(super) fn check_free(options: &Up) -> Result<(), Error> {
    if options.edge_port == options.origin_port {
        return Err(Error::PortsEqual { port: options.edge_port });
    }
    check(options.origin_port, "--origin-port")?;
    check(options.edge_port, "--edge-port")
}

fn check(port: u16, flag: &'static str) -> Result<(), Error> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(Error::PortInUse { port, flag }),
        Err(source) => Err(Error::Port { port, flag, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::check;
    use crate::error::Error;

    #[test]
    fn a_port_in_use_is_named_with_its_flag() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let error = check(taken, "--edge-port").unwrap_err();
        assert!(
            matches!(error, Error::PortInUse { port, flag: "--edge-port" } if port == taken),
            "{error:?}"
        );
        drop(listener);
        check(taken, "--edge-port").unwrap();
    }
}
