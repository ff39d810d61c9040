//! Stores an object, and checks what is stored.

use super::{S3, S3Request, text};
use crate::blobs::checksum::base64;
use crate::blobs::counters::Counters;
use crate::blobs::failure::{Failure, FailureKind};
use crate::blobs::retry::Retries;
use crate::blobs::upload::{Reading, Stored, Upload};
use hyper::Method;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};

/// The checksum that the server compares with what it received.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
/// Maximum size of a response that is not used.
const UNUSED: usize = 64 << 10;

impl S3 {
    /// Stores a file in one request, whatever there is under the key.
    pub(crate) async fn put(&self, key: &str, upload: &Upload, counters: &Counters) -> Result<(), Failure> {
        let content_type = if key.ends_with(".gz") { "application/gzip" } else { "application/octet-stream" };
        let headers = vec![
            (CONTENT_LENGTH, upload.content.size.to_string()),
            (CONTENT_TYPE, content_type.to_owned()),
            (CHECKSUM, base64(&upload.content.sha256)),
        ];
        let request =
            S3Request { headers, body: Some(upload.clone()), ..S3Request::new(Method::PUT, self.whole_key(key)) };
        let retries = Retries::new(&self.retry, counters);
        retries.run(|| async { self.send(&request).await?.body_mut().bytes(UNUSED).await.map(drop) }).await
    }

    /// The size of an object; `None` if it does not exist.
    pub(crate) async fn size(&self, key: &str, counters: &Counters) -> Result<Option<u64>, Failure> {
        let request = S3Request::new(Method::HEAD, self.whole_key(key));
        let size = Retries::new(&self.retry, counters).run(|| async {
            let response = self.send(&request).await?;
            let length = text(response.headers(), CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
            length.ok_or_else(|| Failure::invalid_response("the response has no size"))
        });
        match size.await {
            Ok(size) => Ok(Some(size)),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a whole object and compares it. If it differs, the failure is [`FailureKind::InvalidResponse`].
    pub(crate) async fn compare(&self, key: &str, wanted: Stored, counters: &Counters) -> Result<(), Failure> {
        let compare = || async {
            let mut received = self.get(key, 0, None, None).await?;
            let mut reading = Reading::default();
            while let Some(bytes) = received.body.next().await? {
                Counters::add(&counters.bytes_downloaded, bytes.len() as u64);
                reading.update(&bytes);
                if reading.size > wanted.size {
                    return Err(Failure::invalid_response(format!("it has more than {} bytes", wanted.size)));
                }
            }
            match received.total {
                Some(total) if total != reading.size => {
                    Err(Failure::transient(format!("the response ended after {} of {total} bytes", reading.size)))
                }
                _ => wanted.compare(reading.finish()),
            }
        };
        Retries::new(&self.retry, counters).run(compare).await
    }

    /// Removes an object, if it exists.
    pub(crate) async fn delete(&self, key: &str, counters: &Counters) -> Result<(), Failure> {
        let request = S3Request::new(Method::DELETE, self.whole_key(key));
        let retries = Retries::new(&self.retry, counters);
        match retries.run(|| async { self.send(&request).await?.body_mut().bytes(UNUSED).await.map(drop) }).await {
            Err(failure) if failure.kind != FailureKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }

    fn whole_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::{Bucket, Credentials, HttpClient, RetryPolicy};
    use ooni_testkit::s3_server::{Plan, start};

    /// The server verifies the signature, in which the checksum of the body is, and the checksum header.
    #[test]
    fn uploads_are_signed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("uploads")).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![b'x'; 700_000]).unwrap();
        let server =
            start(folder.path(), Plan { signed: Some(("ID".to_owned(), "SECRET".to_owned())), ..Plan::default() });
        let s3 = |secret: &str| {
            let [key_id, secret] = ["ID", secret].map(str::to_owned);
            let retry = RetryPolicy { attempts: 2, first_wait: std::time::Duration::ZERO, ..RetryPolicy::default() };
            let place = Bucket {
                bucket: "uploads",
                prefix: "some/where",
                region: "eu-central-1",
                endpoint: Some(&server.url),
                credentials: Some(Credentials { key_id, secret, session_token: None }),
                retry,
                checksums: true,
            };
            S3::new(HttpClient::new(&retry).unwrap(), place).unwrap()
        };
        let (right, wrong) = (s3("SECRET"), s3("OTHER"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (key, counters) = ("a b/\u{fc}.tar.gz", Counters::default());
            let upload = Upload::of_file(&file).unwrap();
            right.put(key, &upload, &counters).await.unwrap();
            right.compare(key, upload.content, &counters).await.unwrap();
            assert_eq!(std::fs::metadata(folder.path().join("uploads/some/where").join(key)).unwrap().len(), 700_000);
            assert_eq!(right.size(key, &counters).await.unwrap(), Some(700_000));
            assert_eq!(right.keys("a b", &counters).await.unwrap(), [key]);
            // The server may answer and close the connection before it has received everything.
            assert!(wrong.put("other.tar.gz", &upload, &counters).await.is_err());
            // The file changes after its checksum was computed.
            std::fs::write(&file, vec![b'y'; 700_000]).unwrap();
            assert!(right.put("other.tar.gz", &upload, &counters).await.is_err());
            std::fs::write(&file, "short").unwrap();
            assert!(right.put("other.tar.gz", &upload, &counters).await.is_err());
            assert_eq!(right.size("other.tar.gz", &counters).await.unwrap(), None);
            right.delete(key, &counters).await.unwrap();
            assert_eq!(right.size(key, &counters).await.unwrap(), None);
        });
    }
}
