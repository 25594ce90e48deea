//! Certificates that messages are signed with: who they are of, who vouches for them, and what they have signed.

use std::time::Duration;

use jiff::Timestamp;
use ring::signature::UnparsedPublicKey;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName, SignatureVerificationAlgorithm,
    UnixTime, alg_id,
};
use webpki::{EndEntityCert, Error, KeyUsage};

/// Most certificates that are read from one text.
const CHAIN_MAX: usize = 8;

/// Which hash of a message is signed, by RSA with PKCS #1 v1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1: no second message with the same hash can be made for one that is given, which is all that matters here.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// One of ring's algorithms for the key of a certificate.
#[derive(Debug)]
struct Rsa {
    ring: &'static RsaParameters,
    signature: AlgorithmIdentifier,
}

const SHA1: Rsa = Rsa {
    ring: &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    // sha1WithRSAEncryption (RFC 8017, appendix A.2.4).
    signature: AlgorithmIdentifier::from_slice(&[
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
    ]),
};
const SHA256: Rsa = Rsa { ring: &RSA_PKCS1_2048_8192_SHA256, signature: alg_id::RSA_PKCS1_SHA256 };

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.ring, key).verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// A certificate that messages are signed with, and the authorities between it and a root, as far as they came with it.
#[derive(Debug)]
pub struct Certificate {
    own: CertificateDer<'static>,
    between: Vec<CertificateDer<'static>>,
}

impl Certificate {
    /// Reads PEM: the certificate, then those who vouch for it.
    ///
    /// # Errors
    /// A sentence.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(CHAIN_MAX).collect();
        let mut chain = read.map_err(|_| "there is no certificate in PEM".to_owned())?.into_iter();
        let own = chain.next().ok_or("there is no certificate in PEM")?;
        EndEntityCert::try_from(&own).map_err(|error| format!("the certificate cannot be read: {error}"))?;
        Ok(Self { own, between: chain.collect() })
    }

    /// Checks that it is one of these names, that its time has come and has not passed, and that what came with it leads
    /// to a root.
    ///
    /// A certificate that came alone names an authority which nobody has shown, so that no way to a root can be looked
    /// for. Then the connection by which it was fetched, to a host that proved its name by a root, is all there is.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self, names: &[String], roots: &RootCertStore, now: Timestamp) -> Result<(), String> {
        let own = EndEntityCert::try_from(&self.own).map_err(|error| error.to_string())?;
        let is_of = |name: &String| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| own.verify_is_valid_for_subject_name(&name).is_ok())
        };
        if !names.iter().any(is_of) {
            return Err(format!("the certificate is of none of {}", names.join(", ")));
        }
        let seconds = u64::try_from(now.as_second()).map_err(|_| "the clock stands before 1970")?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let usage = KeyUsage::server_auth();
        match own.verify_for_usage(algorithms, &roots.roots, &self.between, now, usage, None, None) {
            Ok(_) => Ok(()),
            Err(Error::UnknownIssuer) if self.between.is_empty() => Ok(()),
            Err(error) => Err(format!("the certificate cannot be believed: {error}")),
        }
    }

    /// Whether its key has signed a message.
    pub fn has_signed(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = match hash {
            Hash::Sha1 => &SHA1,
            Hash::Sha256 => &SHA256,
        };
        EndEntityCert::try_from(&self.own)
            .is_ok_and(|own| own.verify_signature(algorithm, message, signature).is_ok())
    }
}
