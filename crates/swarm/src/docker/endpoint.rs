//! Where an engine is: a socket of this machine, or a TCP address, with certificates or without.
use super::*;
use bollard::API_DEFAULT_VERSION;
use std::{fmt, str::FromStr};

/// Where an engine is. Parsed from `unix:///path` or `tcp://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    address: Address,
    tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(String),
    Tcp(String),
}

/// The files that prove both sides of a TCP connection, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority that signed the engine's certificate.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// The client's private key.
    pub key: PathBuf,
}

impl FromStr for Endpoint {
    type Err = String;

    /// Fails with the sentence that stands beside the form field.
    fn from_str(text: &str) -> Result<Self, String> {
        let address = if let Some(path) = text.strip_prefix("unix://") {
            if !path.starts_with('/') {
                return Err("A socket needs an absolute path, such as unix:///var/run/docker.sock.".into());
            }
            Address::Unix(path.into())
        } else if let Some(host) = text.strip_prefix("tcp://") {
            let (name, port) = host.rsplit_once(':').unwrap_or_default();
            if name.is_empty() || host.contains(['/', '@', '?', '#']) || port.parse::<u16>().is_err() {
                return Err("A TCP endpoint needs a host and a port, such as tcp://10.0.0.5:2376.".into());
            }
            Address::Tcp(host.into())
        } else {
            return Err("An endpoint starts with unix:// or tcp://.".into());
        };
        Ok(Endpoint { address, tls: None })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(f, "unix://{path}"),
            Address::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

impl Endpoint {
    /// The same address, spoken to with these certificates. A socket needs none and ignores them.
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The engine's socket on this machine, where it is one.
    pub fn socket(&self) -> Option<&str> {
        match &self.address {
            Address::Unix(path) => Some(path),
            Address::Tcp(_) => None,
        }
    }

    /// A client for the address. Reads the certificates, connects to nothing yet.
    pub(super) fn open(&self) -> Result<bollard::Docker> {
        let seconds = CALL.as_secs();
        let client = match (&self.address, &self.tls) {
            (Address::Unix(path), _) => bollard::Docker::connect_with_unix(path, seconds, API_DEFAULT_VERSION),
            (Address::Tcp(host), None) => bollard::Docker::connect_with_http(&format!("tcp://{host}"), seconds, API_DEFAULT_VERSION),
            (Address::Tcp(host), Some(tls)) => {
                // bollard panics where no provider of cryptography is installed; a second installation is refused harmlessly.
                let _ = rustls::crypto::ring::default_provider().install_default();
                tls.readable()?;
                bollard::Docker::connect_with_ssl(host, &tls.key, &tls.cert, &tls.ca, seconds, API_DEFAULT_VERSION)
            }
        };
        client.map_err(errors::translate)
    }
}

impl Tls {
    fn readable(&self) -> Result<()> {
        for file in [&self.ca, &self.cert, &self.key] {
            std::fs::File::open(file).map_err(|why| SwarmError::Refused(format!("{}: {why}", file.display())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_parsed_with_a_sentence() {
        for good in ["unix:///var/run/docker.sock", "tcp://10.0.0.5:2376", "tcp://[::1]:2375"] {
            assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good);
        }
        for bad in ["/var/run/docker.sock", "unix://docker.sock", "tcp://host", "tcp://:1", "tcp://a:b", "tcp://h:1/path", "http://h:1"] {
            assert!(bad.parse::<Endpoint>().unwrap_err().ends_with('.'), "{bad}");
        }
    }
}
