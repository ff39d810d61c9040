//! Listing all pages of a prefix.
//!
//! Pages are requested with version 2 of the API. A server that implements only version 1 reports more keys without a
//! token; then the keys after the last one are requested.

use super::{S3, S3Request};
use crate::blobs::blob::{Blob, Listing};
use crate::blobs::counters::Counters;
use crate::blobs::failure::Failure;
use crate::blobs::retry::Retries;
use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// Maximum number of pages of a listing; a server with more is assumed to repeat itself endlessly.
const MOST_PAGES: u32 = 20_000;
/// Maximum size of a page: a thousand keys of at most 1024 bytes, percent-encoded, with their markup.
const PAGE_SIZE: usize = 16 << 20;

/// One page of a listing.
struct Page {
    blobs: Vec<Blob>,
    folders: Vec<String>,
    next: Option<Next>,
}

/// How the next page is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// The server's token.
    Token(String),
    /// The last key of this page.
    After(String),
}

impl S3 {
    /// Lists all pages.
    ///
    /// # Errors
    /// A sentence that names the prefix.
    pub(crate) async fn list(&self, listing: Listing<'_>, counters: &Counters) -> Result<(), String> {
        let Listing { prefix, found, .. } = listing;
        let listed = self.pages(prefix, None, counters, |page| page.blobs.into_iter().for_each(&mut *found));
        listed.await.map_err(|failure| failure.why)
    }

    /// The keys that begin with a prefix. A failure names the prefix.
    pub(crate) async fn keys(&self, prefix: &str, counters: &Counters) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        self.pages(prefix, None, counters, |page| keys.extend(page.blobs.into_iter().map(|blob| blob.key))).await?;
        Ok(keys)
    }

    /// The folders directly below a prefix, named as the keys in them begin, with a `/` at the end.
    ///
    /// # Errors
    /// A sentence that names the prefix.
    pub(crate) async fn folders(&self, prefix: &str, counters: &Counters) -> Result<Vec<String>, String> {
        let mut folders = Vec::new();
        let listed = self.pages(prefix, Some("/"), counters, |page| folders.extend(page.folders));
        listed.await.map_err(|failure| failure.why)?;
        Ok(folders)
    }

    /// A failure names the prefix.
    async fn pages(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        counters: &Counters,
        mut each: impl FnMut(Page) + Send,
    ) -> Result<(), Failure> {
        let failed = |failure: Failure| {
            let why = format!("{}/{prefix}: cannot be listed: {}", self.name, failure.why);
            Failure { why, ..failure }
        };
        let mut next: Option<Next> = None;
        for _ in 0..MOST_PAGES {
            let retries = Retries::new(&self.retry, counters);
            let page = retries.run(|| self.page(prefix, delimiter, next.as_ref())).await;
            let mut page = page.map_err(failed)?;
            let following = page.next.take();
            let repeated = match (&next, &following) {
                (Some(Next::After(before)), Some(Next::After(after))) => after <= before,
                (before, Some(_)) => *before == following,
                (_, None) => false,
            };
            if repeated {
                return Err(failed(Failure::permanent("the server repeats the same page")));
            }
            each(page);
            if following.is_none() {
                return Ok(());
            }
            next = following;
        }
        Err(failed(Failure::permanent(format!("the server has more than {MOST_PAGES} pages"))))
    }

    /// One page of a listing.
    async fn page(&self, prefix: &str, delimiter: Option<&str>, next: Option<&Next>) -> Result<Page, Failure> {
        let prefix = format!("{}{prefix}", self.prefix);
        // Sorted by name, as in signatures.
        let mut query = Vec::new();
        if let Some(Next::Token(token)) = next {
            query.push(("continuation-token", token.clone()));
        }
        query.extend(delimiter.map(|delimiter| ("delimiter", delimiter.to_owned())));
        // Keys may contain characters that are not allowed in XML.
        query.push(("encoding-type", "url".to_owned()));
        query.push(("list-type", "2".to_owned()));
        if let Some(Next::After(key)) = next {
            query.push(("marker", key.clone()));
        }
        query.push(("prefix", prefix.clone()));
        if let Some(Next::After(key)) = next {
            query.push(("start-after", key.clone()));
        }
        let request = S3Request { query, ..S3Request::new(Method::GET, String::new()) };
        let body = self.send(&request).await?.body_mut().bytes(PAGE_SIZE).await?;
        let invalid = || Failure::invalid_response("the response is not a listing");
        let response: ListBucketResult =
            std::str::from_utf8(&body).ok().and_then(|body| quick_xml::de::from_str(body).ok()).ok_or_else(invalid)?;
        response.page(&prefix, self.prefix.len())
    }
}

/// The response to a request for a page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult {
    is_truncated: bool,
    #[serde(default)]
    encoding_type: Option<String>,
    #[serde(default)]
    next_continuation_token: Option<String>,
    #[serde(default)]
    next_marker: Option<String>,
    #[serde(default)]
    contents: Vec<Contents>,
    #[serde(default)]
    common_prefixes: Vec<CommonPrefixes>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    size: u64,
    #[serde(default, rename = "ETag")]
    etag: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefixes {
    prefix: String,
}

impl ListBucketResult {
    /// The page, with keys that begin after the first `skipped` bytes.
    fn page(self, prefix: &str, skipped: usize) -> Result<Page, Failure> {
        let is_encoded = self.encoding_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("url"));
        let decoded = |text: String| match is_encoded {
            // As in forms: a `+` is a space.
            true => match percent_decode_str(&text.replace('+', " ")).decode_utf8() {
                Ok(text) => Ok(text.into_owned()),
                Err(_) => Err(Failure::permanent("the server lists a key that is not UTF-8")),
            },
            false => Ok(text),
        };
        let own = |key: &str| match key.strip_prefix(prefix) {
            Some(_) => Ok(key[skipped..].to_owned()),
            None => Err(Failure::permanent("the server lists keys that were not requested")),
        };
        let mut last = String::new();
        let mut blobs = Vec::with_capacity(self.contents.len());
        for Contents { key, size, etag } in self.contents {
            let key = decoded(key)?;
            blobs.push(Blob { key: own(&key)?, size, etag: etag.filter(|etag| !etag.is_empty()) });
            last = last.max(key);
        }
        let mut folders = Vec::with_capacity(self.common_prefixes.len());
        for CommonPrefixes { prefix } in self.common_prefixes {
            let folder = decoded(prefix)?;
            folders.push(own(&folder)?);
            last = last.max(folder);
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let next = match (self.is_truncated, given(self.next_continuation_token), given(self.next_marker)) {
            (false, ..) => None,
            (true, Some(token), _) => Some(Next::Token(token)),
            (true, None, Some(marker)) => Some(Next::After(decoded(marker)?)),
            (true, None, None) if last.is_empty() => {
                return Err(Failure::permanent("the server reports more keys, but lists none"));
            }
            (true, None, None) => Some(Next::After(last)),
        };
        Ok(Page { blobs, folders, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str, prefix: &str) -> Result<Page, Failure> {
        quick_xml::de::from_str::<ListBucketResult>(text).unwrap().page(prefix, 0)
    }

    #[test]
    fn keys_with_any_characters() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>\
            <Contents><Key>a/%01+b%2B%25%C3%BC/..</Key><Size>7</Size><ETag>&quot;0a&quot;</ETag><Owner><ID>x</ID></Owner></Contents>\
            <CommonPrefixes><Prefix>a/+/</Prefix></CommonPrefixes></ListBucketResult>";
        let read = page(text, "a/").unwrap();
        let blob = Blob { key: "a/\u{1} b+%ü/..".to_owned(), size: 7, etag: Some("\"0a\"".to_owned()) };
        assert_eq!((read.blobs, read.folders, read.next), (vec![blob], vec!["a/ /".to_owned()], None));
        let plain = text.replace("<EncodingType>url</EncodingType>", "");
        assert_eq!(page(&plain, "a/").unwrap().blobs[0].key, "a/%01+b%2B%25%C3%BC/..");
        assert!(page(text, "b/").is_err());
    }

    #[test]
    fn pages_without_a_token_go_on_after_the_last_key() {
        let text = |more: &str| {
            format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated>{more}\
                 <Contents><Key>a</Key><Size>1</Size></Contents><Contents><Key>b</Key><Size>1</Size></Contents>\
                 </ListBucketResult>"
            )
        };
        let next = |more: &str| page(&text(more), "").unwrap().next.unwrap();
        assert_eq!(next(""), Next::After("b".to_owned()));
        assert_eq!(next("<NextMarker>c</NextMarker>"), Next::After("c".to_owned()));
        assert_eq!(next("<NextContinuationToken>t</NextContinuationToken>"), Next::Token("t".to_owned()));
        assert!(page("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "").is_err());
    }
}
