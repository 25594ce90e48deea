//! Where a PostgreSQL database is, and how to log in.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{CONNECT_DEADLINE, TRIP_DEADLINE};

/// A server and how to log in, as `store.url` says it.
#[derive(Clone)]
pub struct Server {
    config: Config,
    /// Another one may come by a reload; who is logged in stays so.
    password: Arc<Mutex<Option<SecretString>>>,
    pub(super) tls: Option<MakeRustlsConnect>,
    pub(super) shown: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Server {
    /// Reads `postgres://user@host/database?sslmode=verify-full`. The password is told apart.
    ///
    /// # Errors
    /// A sentence for the operator, which never quotes a password.
    pub fn read(url: &str, password: Option<&SecretString>, ca_file: Option<&Path>) -> Result<Self, String> {
        let (address, mode) = without_mode(url);
        let mut config: Config = address.parse().map_err(|error: tokio_postgres::Error| {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            format!("this is no address of a PostgreSQL database: {why}")
        })?;
        if config.get_password().is_some() {
            return Err("the password does not stand in the address but in `password_file`".into());
        }
        if config.get_hosts().is_empty() {
            return Err(
                "it names no host; for a socket write postgres:///DATABASE?host=/run/postgresql".into()
            );
        }
        let near = config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        });
        let tls = match mode.as_deref() {
            Some("disable") => false,
            None => !near,
            Some("verify-full") => true,
            Some(other) => {
                return Err(format!(
                    "`sslmode={other}` does not prove who the server is; write `verify-full` (with `ca_file` for an \
                     authority of your own), or `disable` on a network nobody else is on"
                ));
            }
        };
        let tls = if tls {
            config.ssl_mode(SslMode::Require);
            Some(MakeRustlsConnect::new(crate::crypto::tls_client(ca_file)?))
        } else {
            config.ssl_mode(SslMode::Disable);
            None
        };
        let shown = format!("PostgreSQL at {}", address.split('?').next().unwrap_or_default());
        Ok(Self { config, password: Arc::new(Mutex::new(password.cloned())), tls, shown })
    }

    /// Logs in with another password from now on.
    pub fn log_in_with(&self, password: Option<SecretString>) {
        *self.password.lock().unwrap_or_else(PoisonError::into_inner) = password;
    }

    /// A word made of where the database is, whoever logs in.
    pub fn address_hash(&self) -> String {
        let (config, mut words) = (&self.config, String::new());
        for host in config.get_hosts() {
            words.push_str(&format!("{host:?} "));
        }
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
        words.push_str(&format!("{:?} {database}", config.get_ports()));
        crate::crypto::hex(&crate::crypto::sha256(words.as_bytes())[..16])
    }

    /// One configuration a host: the library would spend the time for all of them on the first that is dark. Also
    /// who only reads goes to the one that takes writes: what was just committed must be seen, and a standby, or
    /// a server that was one once, may lag behind for ever.
    pub(super) fn each_host(&self) -> Vec<Config> {
        let ports = self.config.get_ports();
        let password = self.password.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hosts = self.config.get_hosts().iter().enumerate();
        hosts
            .map(|(index, host)| {
                let mut config = Config::new();
                match host {
                    Host::Tcp(name) => config.host(name),
                    Host::Unix(path) => config.host_path(path),
                };
                if let Some(port) = ports.get(index).or(ports.first()) {
                    config.port(*port);
                }
                if let Some(user) = self.config.get_user() {
                    config.user(user);
                }
                if let Some(password) = &password {
                    config.password(password.expose_secret());
                }
                if let Some(database) = self.config.get_dbname() {
                    config.dbname(database);
                }
                if let Some(options) = self.config.get_options() {
                    config.options(options);
                }
                config.ssl_mode(self.config.get_ssl_mode());
                config.application_name("onscene").connect_timeout(CONNECT_DEADLINE);
                config.keepalives_idle(Duration::from_secs(15)).tcp_user_timeout(TRIP_DEADLINE);
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
                config
            })
            .collect()
    }
}

/// The address without `sslmode`, and what that says: the library knows other modes than users do.
fn without_mode(url: &str) -> (String, Option<String>) {
    let Some((address, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (modes, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.split('=').next() == Some("sslmode"));
    let mode = modes.first().and_then(|pair| pair.split_once('=')).map(|(_, mode)| mode.to_owned());
    let address =
        if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) };
    (address, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str) -> String {
        match Server::read(url, None, None) {
            Ok(server) => server.shown,
            Err(why) => why,
        }
    }

    #[test]
    fn an_address_is_read_and_a_mistake_in_it_said_without_a_secret() {
        assert_eq!(
            said("postgres://pager@db1,db2/onscene"),
            "PostgreSQL at postgres://pager@db1,db2/onscene"
        );
        assert!(said("postgres://pager:s3cret@db1/onscene").contains("`password_file`"));
        for mode in ["require", "prefer", "verify-ca"] {
            assert!(said(&format!("postgres://pager@db1/onscene?sslmode={mode}")).contains("verify-full"));
        }
        assert!(said("postgres:///onscene").contains("names no host"));
        assert!(said("postgres://pager@db1/onscene?host=").len() > 10);
        let wrong = said("postgres://pager:s3cret@db1:none/onscene?sslmode=disable");
        assert!(!wrong.contains("s3cret"), "{wrong}");
    }

    #[test]
    fn tls_is_left_out_only_where_nobody_listens_or_where_it_is_asked_for() {
        let has_tls = |url: &str| Server::read(url, None, None).unwrap().tls.is_some();
        assert!(has_tls("postgres://pager@db1/onscene"));
        assert!(has_tls("postgres://pager@127.0.0.1/onscene?sslmode=verify-full"));
        for url in [
            "postgres://pager@127.0.0.1/onscene",
            "postgres://pager@localhost/onscene",
            "postgres://pager@db1/onscene?sslmode=disable",
            "postgres:///onscene?host=/run/postgresql&user=pager",
        ] {
            assert!(!has_tls(url), "{url}");
        }
    }

    #[test]
    fn another_password_is_used_for_every_host_from_then_on() {
        let first = SecretString::from("first".to_owned());
        let server = Server::read("postgres://pager@db1,db2/onscene", Some(&first), None).unwrap();
        let used = |server: &Server| {
            let hosts = server.each_host();
            hosts.iter().map(|host| host.get_password().map(<[u8]>::to_vec)).collect::<Vec<_>>()
        };
        assert_eq!(used(&server), vec![Some(b"first".to_vec()); 2]);
        server.clone().log_in_with(Some(SecretString::from("second".to_owned())));
        assert_eq!(used(&server), vec![Some(b"second".to_vec()); 2]);
        server.log_in_with(None);
        assert_eq!(used(&server), vec![None; 2]);
    }
}
