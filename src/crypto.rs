//! All cryptography: hashes, signatures, random tokens, comparison in constant time.
//!
//! One module, so that what is used where can be read in one place and exchanged in one place.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use subtle::ConstantTimeEq as _;

pub mod certificate;

/// Random bytes in a token: 128 bits.
const TOKEN_BYTES: usize = 16;

/// The operating system gave no random bytes. Nothing that needs a secret may go on then.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// HMAC with SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// HMAC with SHA-1, which some services still sign with. As a signature it holds, although SHA-1 as a hash does not.
pub fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key));
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 20];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// A secret for one link or one program: 128 random bits as 22 characters of base64url.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn random_token() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

/// A secret for one browser: 256 random bits as 43 characters of base64url.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn random_secret() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode([random()?, random()?].concat()))
}

/// A name nobody else has: 128 random bits as 32 hexadecimal digits.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn random_id() -> Result<String, NoRandomness> {
    Ok(hex(&random()?))
}

/// Whether a text has the form of a [`random_id`].
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A random UUID (RFC 9562, version 4).
///
/// # Errors
/// [`NoRandomness`] when the system gives none.
pub fn random_uuid() -> Result<String, NoRandomness> {
    let mut bytes = random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Ok(parts.join("-"))
}

/// A number from 0 up to and without 1, for spreading retries. Not for secrets.
pub fn jitter() -> f64 {
    let mut bytes = [0; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

fn random() -> Result<[u8; TOKEN_BYTES], NoRandomness> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// Whether two secrets are the same, in a time that does not depend on where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    // Hashed first, so that the time does not depend on their lengths either.
    sha256(one).ct_eq(&sha256(other)).into()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64 with padding; `None` when it is none.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads hexadecimal digits of either case, two a byte; `None` when they are none.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// A token that says `claims` of whoever has the key: a JSON Web Signature with HMAC and SHA-256 (RFC 7515, compact). `header` and
/// `claims` are JSON.
pub fn jwt_hs256(key: &[u8], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = hmac_sha256(key, &[signed.as_bytes()]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The authorities that this system trusts: its own certificates, or a common set where there are none, as in bare
/// containers.
pub fn roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// What a client of ours trusts: the system's [`roots`], and the certificates in `ca_file` beside them.
///
/// # Errors
/// A sentence for the operator.
pub fn tls_client(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    let mut roots = roots();
    if let Some(file) = ca_file {
        let wrong = |error: &dyn std::fmt::Display| {
            format!("the certificates in {} cannot be used: {error}", file.display())
        };
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_come_out() {
        // FIPS 180-2, "abc"; RFC 4231, test case 2.
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // RFC 2202, test case 2.
        assert_eq!(
            hex(&hmac_sha1(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
    }

    #[test]
    fn the_signed_token_of_the_specification_comes_out() {
        // RFC 7515, appendix A.1: its header and claims have line breaks of their own.
        assert_eq!(
            (from_hex("0F"), from_hex("f"), from_hex("0g"), from_hex("")),
            (Some(vec![15]), None, None, Some(vec![]))
        );
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
        let claims = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(jwt_hs256(&key, header, claims), token);
    }

    #[test]
    fn tokens_have_128_bits_and_differ() {
        let (one, other) = (random_token().unwrap(), random_token().unwrap());
        assert_eq!((one.len(), is_id(&random_id().unwrap())), (22, true));
        assert_ne!(one, other);
        assert!(same(b"a", b"a") && !same(b"a", b"ab"));
        assert!((0.0..1.0).contains(&jitter()));
    }
}
