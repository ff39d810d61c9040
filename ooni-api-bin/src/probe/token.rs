//! Tokens of probes: JSON web tokens (RFC 7519) with HMAC-SHA-256 and an audience (API spec §5.7).
//!
//! Anyone can get one, so they identify a client and authorize nothing. Tokens of users have another key.

use super::base64;
use crate::secrets::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// The audience of the token that registration returns, the `client_id`.
pub const LOGIN: &str = "probe_login";
/// The audience of the token that a login returns.
pub const PROBE: &str = "probe_token";

/// A longer text is not a token.
const MAX_LENGTH: usize = 8192;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a token at all, like the opaque ids of clients older than 2022.
    #[error("not a token")]
    Malformed,
    /// It was not signed with this key and algorithm.
    #[error("invalid signature")]
    Signature,
    /// It is for another audience, or for none.
    #[error("invalid or missing audience")]
    Audience,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// Signs claims.
pub fn sign(key: &Secret, claims: &Value) -> String {
    let header = base64::url(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", base64::url(claims.to_string().as_bytes()));
    let signature = base64::url(&mac(key, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// The claims of a token that was signed with this key for this audience.
///
/// # Errors
/// The token is not one, or not one for this audience.
pub fn verify(key: &Secret, token: &str, audience: &str) -> Result<Map<String, Value>, TokenError> {
    if token.len() > MAX_LENGTH {
        return Err(TokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let header: Header = decoded(header).ok_or(TokenError::Malformed)?;
    let claims: Map<String, Value> = decoded(claims).ok_or(TokenError::Malformed)?;
    let signature = base64::from_url(signature).ok_or(TokenError::Malformed)?;
    // The comparison takes the same time for every wrong signature.
    if header.alg != "HS256" || mac(key, signed).verify_slice(&signature).is_err() {
        return Err(TokenError::Signature);
    }
    match claims.get("aud") == Some(&json!(audience)) {
        true => Ok(claims),
        false => Err(TokenError::Audience),
    }
}

fn decoded<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&base64::from_url(text)?).ok()
}

fn mac(key: &Secret, signed: &str) -> Hmac<Sha256> {
    // A key of any length is valid for HMAC.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(signed.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    /// The first was made by PyJWT, with the key `super_secure`.
    #[test]
    fn tokens_of_the_reference() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NTI1NzAwMDAsImF1ZCI6InByb2JlX2xvZ2luIn0.\
                     vDosJHQATAvsr3NrXmKe8FjBeuv-N7ACZozQ3pKWm9o";
        let claims = verify(&key("super_secure"), token, LOGIN).unwrap();
        assert_eq!(claims["iat"], 1_752_570_000);
        assert_eq!(sign(&key("super_secure"), &Value::Object(claims)).len(), token.len());
        assert_eq!(verify(&key("super_secure"), token, PROBE), Err(TokenError::Audience));
        assert_eq!(verify(&key("another key"), token, LOGIN), Err(TokenError::Signature));
    }

    #[test]
    fn refused_tokens() {
        let key = key("the key of this test");
        let token = sign(&key, &json!({"iat": 5, "aud": LOGIN}));
        assert_eq!(verify(&key, &token, LOGIN).unwrap()["iat"], 5);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let claims = signed.split_once('.').unwrap().1;
        for (token, error) in [
            (String::new(), TokenError::Malformed),
            ("kLnD8Nc3PjyZ8Z2iDVpyYhZg".to_owned(), TokenError::Malformed),
            ("a.b.c".to_owned(), TokenError::Malformed),
            (signed.to_owned(), TokenError::Malformed),
            (format!("{token}."), TokenError::Malformed),
            (format!("{token}é"), TokenError::Malformed),
            ("x".repeat(MAX_LENGTH + 1), TokenError::Malformed),
            (format!("{signed}."), TokenError::Signature),
            (format!("{signed}.AAAA"), TokenError::Signature),
            (format!("{}.{claims}.", base64::url(br#"{"alg":"none"}"#)), TokenError::Signature),
            (format!("{}.{claims}.{signature}", base64::url(br#"{"alg":"HS512"}"#)), TokenError::Signature),
            (format!("{}.{claims}.{signature}", base64::url(b"{}")), TokenError::Malformed),
            (sign(&key, &json!({"iat": 5})), TokenError::Audience),
            (sign(&key, &json!({"iat": 5, "aud": null})), TokenError::Audience),
            (sign(&key, &json!({"iat": 5, "aud": [LOGIN]})), TokenError::Audience),
            (sign(&key, &json!({"iat": 5, "aud": "user_auth"})), TokenError::Audience),
            (sign(&key, &json!([1])), TokenError::Malformed),
        ] {
            assert_eq!(verify(&key, &token, LOGIN), Err(error), "{token}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_character_is_refused(at in 0..200usize, to in "[A-Za-z0-9_.-]") {
            let key = key("the key of this test");
            let token = sign(&key, &json!({"iat": 5, "aud": LOGIN}));
            let mut changed = token.clone();
            changed.replace_range(at % token.len()..=at % token.len(), &to);
            prop_assert_eq!(verify(&key, &changed, LOGIN).is_ok(), changed == token);
        }
    }
}
