//! Signature Version 4 of Amazon Web Services, as S3 and what speaks like it want it ("Authenticating Requests (AWS Signature
//! Version 4)" in the Amazon S3 API Reference, read November 2026): a canonical form of the request is signed with a key made of
//! the secret, the day, the region and the service. The body's hash is always part of it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};

use crate::crypto::{hex, hmac_sha256, sha256};

/// Who signs, and for where.
pub(super) struct Signer {
    pub(super) access_key_id: String,
    pub(super) secret_key: SecretString,
    pub(super) region: String,
}

impl Signer {
    /// Adds what proves who sends a request: a `method` on an encoded `path` without a query, at a `host` as the client writes it.
    pub(super) fn sign(
        &self,
        method: &Method,
        host: &str,
        path: &str,
        mut headers: HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<HeaderMap, header::InvalidHeaderValue> {
        let hour = now.to_zoned(TimeZone::UTC);
        let (day, hour) = (hour.strftime("%Y%m%d").to_string(), hour.strftime("%Y%m%dT%H%M%SZ").to_string());
        let hash = hex(&sha256(body));
        headers.insert(header::HOST, HeaderValue::from_str(host)?);
        headers.insert(HeaderName::from_static("x-amz-content-sha256"), HeaderValue::from_str(&hash)?);
        headers.insert(HeaderName::from_static("x-amz-date"), HeaderValue::from_str(&hour)?);
        let mut signed: Vec<(&str, &str)> = Vec::with_capacity(headers.len());
        for (name, value) in &headers {
            signed.push((name.as_str(), value.to_str().unwrap_or_default().trim()));
        }
        signed.sort_unstable();
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{hash}");
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let words = format!("AWS4-HMAC-SHA256\n{hour}\n{scope}\n{}", hex(&sha256(canonical.as_bytes())));
        let first = format!("AWS4{}", self.secret_key.expose_secret());
        let steps = [day.as_str(), self.region.as_str(), "s3", "aws4_request", words.as_str()];
        let signature =
            steps.iter().fold(first.into_bytes(), |key, part| hmac_sha256(&key, &[part.as_bytes()]).to_vec());
        let proof = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={}",
            self.access_key_id,
            hex(&signature)
        );
        let mut proof = HeaderValue::from_str(&proof)?;
        proof.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, proof);
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference: `PUT Object` to examplebucket, with its secret, which everybody knows.
    #[test]
    fn the_example_of_the_reference_comes_out() {
        let signer = Signer {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, HeaderValue::from_static("Fri, 24 May 2013 00:00:00 GMT"));
        headers.insert("x-amz-storage-class", HeaderValue::from_static("REDUCED_REDUNDANCY"));
        let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        let body = b"Welcome to Amazon S3.";
        let host = "examplebucket.s3.amazonaws.com";
        let signed = signer.sign(&Method::PUT, host, "/test%24file.text", headers, body, now).unwrap();
        let proof = signed[header::AUTHORIZATION].to_str().unwrap();
        let known = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert_eq!(proof, known);
        assert!(!format!("{signed:?}").contains("98ad"), "it is not for logs");
    }
}
