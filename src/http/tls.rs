//! Certificate and key, exchanged on reload without losing a connection.
//!
//! Handshakes that begin after a reload see the new certificate; connections that stand keep what they agreed on.
//! A reload that fails leaves the old certificate in place, for an expired one still serves more people than none.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, InconsistentKeys, RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsAcceptor;

/// Offered in this order; a client that offers neither is served HTTP/1.1 all the same.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A file is missing or unreadable.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no PEM.
    #[error("{} is not in PEM format: {why}", .path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What the parser says.
        why: String,
    },
    /// No certificate in the file.
    #[error("{} holds no certificate (a block that begins with BEGIN CERTIFICATE)", .0.display())]
    NoCertificate(PathBuf),
    /// No key in the file.
    #[error("{} holds no private key (a block that begins with BEGIN PRIVATE KEY); an encrypted key is not read", .0.display())]
    NoKey(PathBuf),
    /// They belong to different pairs.
    #[error(
        "the key in {} does not fit the first certificate in {}: the server's own certificate comes first, \
         the authority's after it",
        .key.display(), .certificate.display()
    )]
    KeyDoesNotFit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// Clients refuse a certificate authority that acts as a server.
    #[error(
        "the first certificate in {} is a certificate authority's (CA:TRUE), which many clients refuse in a server: \
         sign a certificate for the server with it, or make one with `-addext basicConstraints=critical,CA:FALSE`",
        .0.display()
    )]
    AuthorityAsServer(PathBuf),
    /// Anything else.
    #[error("{} cannot be used: {why}", .path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// What the TLS library says.
        why: String,
    },
}

/// The server's certificate and key, as they are now.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the certificate chain and the key, both PEM. `now` serves to warn of an expired certificate.
    ///
    /// # Errors
    /// When they cannot be used together.
    pub fn load(certificate: &Path, key: &Path, now: Timestamp) -> Result<Self, TlsProblem> {
        let config = RwLock::new(Arc::new(configure(certificate, key, now)?));
        Ok(Self { certificate: certificate.into(), key: key.into(), config })
    }

    /// Reads the same files again.
    ///
    /// # Errors
    /// When they cannot be used; what was loaded before stays.
    pub fn reload(&self, now: Timestamp) -> Result<(), TlsProblem> {
        let config = Arc::new(configure(&self.certificate, &self.key, now)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// For the next handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn configure(certificate: &Path, key: &Path, now: Timestamp) -> Result<ServerConfig, TlsProblem> {
    let bytes = read(certificate)?;
    let chain = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsProblem::NotPem { path: certificate.into(), why: error.to_string() })?;
    let Some(leaf) = chain.first() else {
        return Err(TlsProblem::NoCertificate(certificate.into()));
    };
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsProblem::NoKey(key.into()),
        error => TlsProblem::NotPem { path: key.into(), why: error.to_string() },
    })?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    check_leaf(leaf, certificate, now, &provider)?;
    let unusable = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsProblem::KeyDoesNotFit { certificate: certificate.into(), key: key.into() }
        }
        error => TlsProblem::Unusable { path: certificate.into(), why: error.to_string() },
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(unusable)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsProblem> {
    std::fs::read(path).map_err(|source| TlsProblem::Unreadable { path: path.into(), source })
}

/// Looks at the certificate as a client would, with itself as the authority: what a client says first is not
/// whether it trusts, but whether this can be a server's certificate at all.
fn check_leaf(
    leaf: &CertificateDer<'_>,
    path: &Path,
    now: Timestamp,
    provider: &Arc<CryptoProvider>,
) -> Result<(), TlsProblem> {
    let mut roots = RootCertStore::empty();
    let unusable =
        |why: &dyn std::fmt::Display| TlsProblem::Unusable { path: path.into(), why: why.to_string() };
    roots.add(leaf.clone().into_owned()).map_err(|error| unusable(&error))?;
    let client = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| unusable(&error))?;
    let name = ServerName::try_from("onscene.invalid").map_err(|error| unusable(&error))?;
    let since = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let seen = client.verify_server_cert(leaf, &[], &name, &[], UnixTime::since_unix_epoch(since));
    let Err(rustls::Error::InvalidCertificate(complaint)) = seen else { return Ok(()) };
    match complaint {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            tracing::warn!(tls.certificate = %path.display(), "the certificate has expired: clients will refuse it");
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            tracing::warn!(tls.certificate = %path.display(), "the certificate is not valid yet: look at the clock");
        }
        // rustls hands this error of its verifier on without a name of its own.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            return Err(TlsProblem::AuthorityAsServer(path.into()));
        }
        // That nobody vouches for it, or that the name is another, is the client's to judge.
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// A certificate authority, and what it signed for `localhost`, as files.
    pub(in crate::http) struct Papers {
        pub(in crate::http) directory: tempfile::TempDir,
        pub(in crate::http) authority: CertificateDer<'static>,
    }

    impl Papers {
        pub(in crate::http) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let authority = params.self_signed(&key).unwrap();
            let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
            write("ca.pem", authority.pem());
            write("ca.key", key.serialize_pem());
            let issuer = Issuer::new(params, key);
            let key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let leaf = leaf.signed_by(&key, &issuer).unwrap();
            write("leaf.pem", leaf.pem());
            write("leaf.key", key.serialize_pem());
            Self { directory, authority: authority.der().clone() }
        }

        pub(in crate::http) fn load(&self, certificate: &str, key: &str) -> Result<Tls, TlsProblem> {
            let at = |name| self.directory.path().join(name);
            Tls::load(&at(certificate), &at(key), "2026-11-23T00:00:00Z".parse().unwrap())
        }
    }

    #[test]
    fn a_leaf_with_its_key_is_taken_and_read_again() {
        let papers = Papers::new();
        let tls = papers.load("leaf.pem", "leaf.key").unwrap();
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        tls.reload(now).unwrap();
        std::fs::remove_file(papers.directory.path().join("leaf.key")).unwrap();
        let said = tls.reload(now).unwrap_err().to_string();
        assert!(said.contains("leaf.key"), "{said}");
        assert_eq!(tls.acceptor().config().alpn_protocols.len(), 2, "what was loaded stays");
    }

    #[test]
    fn an_authority_in_the_place_of_a_server_is_named_as_such() {
        let said = Papers::new().load("ca.pem", "ca.key").unwrap_err();
        assert!(matches!(said, TlsProblem::AuthorityAsServer(_)), "{said}");
    }

    #[test]
    fn a_key_of_another_certificate_is_named_as_such() {
        let said = Papers::new().load("leaf.pem", "ca.key").unwrap_err();
        assert!(matches!(said, TlsProblem::KeyDoesNotFit { .. }), "{said}");
    }

    #[test]
    fn files_that_hold_nothing_are_named_with_what_is_missing() {
        let papers = Papers::new();
        assert!(matches!(papers.load("none.pem", "leaf.key"), Err(TlsProblem::Unreadable { .. })));
        assert!(matches!(papers.load("leaf.key", "leaf.key"), Err(TlsProblem::NoCertificate(_))));
        assert!(matches!(papers.load("leaf.pem", "leaf.pem"), Err(TlsProblem::NoKey(_))));
        std::fs::write(papers.directory.path().join("odd.pem"), "-----BEGIN CERTIFICATE-----\n!\n").unwrap();
        assert!(matches!(papers.load("odd.pem", "leaf.key"), Err(TlsProblem::NotPem { .. })));
    }
}
