//! [`Credentials`], and signatures of requests: AWS Signature Version 4 in the header `Authorization`.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.

use hmac::{Hmac, KeyInit, Mac};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, InvalidHeaderValue, RANGE};
use ooni_core::hex::hex;
use ooni_core::time::DateTime;
use sha2::{Digest, Sha256};
use std::fmt;

/// Credentials to sign requests with.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The id of the access key.
    pub(crate) key_id: String,
    /// The secret access key.
    pub(crate) secret: String,
    /// The token of temporary credentials.
    pub(crate) session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    /// Shows none of the fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Headers that are signed, beside `Host` and `x-amz-…`.
const SIGNED: [HeaderName; 2] = [CONTENT_TYPE, RANGE];

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs a request that has its header `Host` and all headers `x-amz-…`.
///
/// `payload` is the SHA-256 of the body in hexadecimal. Path and query must be in canonical form: percent-encoded except for letters, digits and `-._~`, and `/` in the path.
///
/// # Errors
/// Credentials with characters that no header may have.
pub(super) fn sign<B>(
    request: &mut Request<B>,
    payload: &str,
    credentials: &Credentials,
    region: &str,
    now: DateTime,
) -> Result<(), InvalidHeaderValue> {
    let moment = compact(now);
    let day = &moment[..8];
    let headers = request.headers_mut();
    headers.insert(DATE, HeaderValue::from_str(&moment)?);
    headers.insert(CONTENT_SHA256, HeaderValue::from_str(payload)?);
    if let Some(token) = &credentials.session_token {
        let mut token = HeaderValue::from_str(token)?;
        token.set_sensitive(true);
        headers.insert(SECURITY_TOKEN, token);
    }
    let (canonical, signed_headers) = canonical(request, payload);
    let scope = format!("{day}/{region}/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex(Sha256::digest(canonical)));
    let mut key = hmac(format!("AWS4{}", credentials.secret).as_bytes(), day);
    for part in [region, "s3", "aws4_request"] {
        key = hmac(&key, part);
    }
    let signature = hex(hmac(&key, &to_sign));
    let credential = format!("{}/{scope}", credentials.key_id);
    let mut value = HeaderValue::from_str(&format!(
        "AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed_headers},Signature={signature}"
    ))?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

/// The canonical request, and the names of the headers in it.
fn canonical<B>(request: &Request<B>, payload: &str) -> (String, String) {
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .filter(|(name, _)| **name == HOST || name.as_str().starts_with("x-amz-") || SIGNED.contains(name))
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let mut query: Vec<_> = request.uri().query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let [method, path, query] = [request.method().as_str(), request.uri().path(), &query.join("&")];
    (format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{payload}"), names)
}

/// `YYYYMMDDThhmmssZ`
fn compact(now: DateTime) -> String {
    let mut text = Vec::new();
    now.write(&mut text);
    let digits: String = text.iter().filter(|c| c.is_ascii_digit()).map(|c| char::from(*c)).collect();
    format!("{}T{}Z", &digits[..8], &digits[8..])
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // An HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the documentation of Amazon S3, page "Signature Calculations for the Authorization Header".
    #[test]
    fn examples_of_the_documentation() {
        let credentials = Credentials {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let now = DateTime::new(2013, 5, 24, 0, 0, 0).unwrap();
        for (path, range, signature) in [
            ("/test.txt", Some("bytes=0-9"), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
            ("/?lifecycle=", None, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("/?max-keys=2&prefix=J", None, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ] {
            let mut request = Request::get(format!("https://examplebucket.s3.amazonaws.com{path}"))
                .header(HOST, "examplebucket.s3.amazonaws.com");
            if let Some(range) = range {
                request = request.header("range", range);
            }
            let mut request = request.body(()).unwrap();
            sign(&mut request, &hex(Sha256::digest(b"")), &credentials, "us-east-1", now).unwrap();
            let value = request.headers()[AUTHORIZATION].to_str().unwrap();
            assert!(value.ends_with(&format!("Signature={signature}")), "{path}: {value}");
            assert!(request.headers()[AUTHORIZATION].is_sensitive());
        }
        assert!(!format!("{credentials:?}").contains("wJalr"));
    }
}
