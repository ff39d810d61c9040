//! An S3 server with planned faults. Its buckets are the subfolders of a folder.

#![allow(clippy::unwrap_used)] // the test fails if its server does

use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use ooni_core::hex::hex;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// A fault in the response to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The response has this status.
    Status(u16),
    /// The connection is closed after this many bytes of the body.
    Reset(u64),
    /// The body is truncated to this many bytes, with the `Content-Length` adjusted.
    Short(u64),
    /// The response stalls after this many bytes of the body.
    Stall(u64),
    /// The response is delayed by this many milliseconds.
    Delay(u64),
    /// The requested range is ignored.
    NoRange,
    /// A range of the same length from the start of the object is sent, with a matching `Content-Range`.
    OtherRange,
    /// The total in `Content-Range` is ten times the size of the object.
    Longer,
    /// The ETag is that of another version.
    OtherVersion,
    /// A byte of the body is changed.
    Corrupt,
    /// An object that is stored has only its first bytes, this many, but the response is that of a success.
    StoreShort(u64),
}

/// Which faults occur, and when.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The seed of the random faults.
    pub seed: u64,
    /// Random faults of any request, each with its frequency per thousand requests.
    pub faults: Vec<(Fault, u64)>,
    /// Faults of the first requests for objects, in order.
    pub objects: Vec<Option<Fault>>,
    /// Faults of the first requests for listings, in order.
    pub listings: Vec<Option<Fault>>,
    /// The key and secret with which requests must be signed.
    pub signed: Option<(String, String)>,
}

/// A request that the server received.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The header `Range`.
    pub range: Option<String>,
    /// Whether it was signed.
    pub signed: bool,
}

/// The server; it stops when it is dropped.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    service: S3Service,
    folder: PathBuf,
    plan: Plan,
    asked: Mutex<Vec<Asked>>,
    sent: Mutex<u64>,
}

/// Serves the folders in a folder as buckets, on a free port.
pub fn start(folder: &Path, plan: Plan) -> Server {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut builder =
        S3ServiceBuilder::new(ObjectStore { files: FileSystem::new(folder).unwrap(), folder: folder.to_owned() });
    if let Some((key, secret)) = &plan.signed {
        builder.set_auth(SimpleAuth::from_single(key.as_str(), secret.as_str()));
    }
    let folder = folder.to_owned();
    let shared = Shared { service: builder.build(), folder, plan, asked: Mutex::default(), sent: Mutex::default() };
    let shared = Arc::new(shared);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = Arc::clone(&shared);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&serving);
            let answer = service_fn(move |request| Arc::clone(&shared).answer(request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    Server { url, shared, runtime: Some(runtime) }
}

impl Server {
    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The requests for objects.
    pub fn objects(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(Asked::is_object).collect()
    }

    /// The requests for listings.
    pub fn listings(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| !asked.is_object()).collect()
    }

    /// The number of bytes of objects that were sent.
    pub fn sent(&self) -> u64 {
        *self.shared.sent.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Asked {
    fn is_object(&self) -> bool {
        !self.uri.contains("list-type")
    }
}

impl Shared {
    async fn answer(self: Arc<Shared>, mut request: Request<Incoming>) -> Result<Response<FaultyBody>, io::Error> {
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let asked = Asked {
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            range: header(RANGE),
            signed: header(AUTHORIZATION).is_some(),
        };
        let path = request.uri().path().to_owned();
        let is_put = request.method() == Method::PUT;
        let is_object = asked.is_object();
        let fault = {
            let mut all = self.asked.lock().unwrap();
            let before = all.iter().filter(|asked| asked.is_object() == is_object).count();
            let number = all.len() as u64;
            all.push(asked);
            let first = if is_object { &self.plan.objects } else { &self.plan.listings };
            first.get(before).copied().flatten().or_else(|| self.plan.random_fault(number))
        };
        let mut faulty =
            FaultyBody { body: s3s::Body::default(), left: u64::MAX, stalls: false, corrupt: false, sent: None };
        match fault {
            Some(Fault::Status(status)) => {
                let mut answer = Response::new(faulty);
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                return Ok(answer);
            }
            Some(Fault::NoRange) => drop(request.headers_mut().remove(RANGE)),
            Some(Fault::OtherRange) => {
                let moved = request.headers().get(RANGE).and_then(|range| {
                    let (first, last) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
                    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
                    HeaderValue::from_str(&format!("bytes=0-{}", last - first)).ok()
                });
                if let Some(moved) = moved {
                    request.headers_mut().insert(RANGE, moved);
                }
            }
            Some(Fault::Longer | Fault::OtherVersion | Fault::StoreShort(_)) => {}
            Some(Fault::Delay(milliseconds)) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            Some(Fault::Reset(bytes) | Fault::Short(bytes)) => faulty.left = bytes,
            Some(Fault::Stall(bytes)) => (faulty.left, faulty.stalls) = (bytes, true),
            Some(Fault::Corrupt) => faulty.corrupt = true,
            None => {}
        }
        let answer = hyper::service::Service::call(&self.service, request)
            .await
            .map_err(|e| io::Error::other(format!("{e:?}")))?;
        let (mut head, body) = answer.into_parts();
        if is_object && head.status.is_success() {
            faulty.sent = Some(Arc::clone(&self));
        }
        match fault {
            Some(Fault::Short(bytes)) => drop(head.headers.insert(CONTENT_LENGTH, bytes.into())),
            Some(Fault::StoreShort(bytes)) if is_put && head.status.is_success() => {
                let object = self.folder.join(path.trim_start_matches('/'));
                std::fs::File::options().write(true).open(object).and_then(|file| file.set_len(bytes))?;
            }
            Some(Fault::OtherVersion) => drop(head.headers.insert(ETAG, HeaderValue::from_static("\"other\""))),
            Some(Fault::Longer) => {
                let range = head.headers.get(CONTENT_RANGE).map(|range| format!("{}0", range.to_str().unwrap()));
                if let Some(range) = range {
                    head.headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).unwrap());
                }
            }
            _ => {}
        }
        faulty.body = body;
        Ok(Response::from_parts(head, faulty))
    }
}

impl Plan {
    /// The random fault of a request, if it has one.
    fn random_fault(&self, number: u64) -> Option<Fault> {
        // splitmix64
        let mut x = self.seed.wrapping_add((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut left = (x ^ (x >> 31)) % 1000;
        for (fault, share) in &self.faults {
            match left.checked_sub(*share) {
                Some(rest) => left = rest,
                None => return Some(*fault),
            }
        }
        None
    }
}

/// A response body with a fault.
struct FaultyBody {
    body: s3s::Body,
    left: u64,
    stalls: bool,
    corrupt: bool,
    sent: Option<Arc<Shared>>,
}

impl hyper::body::Body for FaultyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return if self.stalls { Poll::Pending } else { Poll::Ready(Some(Err(io::Error::other("planned fault")))) };
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|error| io::Error::other(error.to_string()))?;
            let Ok(mut data) = frame.into_data() else { return Err(io::Error::other("trailers")) };
            data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if self.left != u64::MAX {
                self.left -= data.len() as u64;
            }
            if self.corrupt {
                let mut bytes = data.to_vec();
                bytes[0] ^= 1;
                data = bytes.into();
                self.corrupt = false;
            }
            if let Some(shared) = &self.sent {
                *shared.sent.lock().unwrap() += data.len() as u64;
            }
            Ok(Frame::data(data))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default() // the header has the size
    }
}

/// Files as objects, with the ETags and conditions that S3 has and [`FileSystem`] lacks.
struct ObjectStore {
    files: FileSystem,
    folder: PathBuf,
}

#[async_trait::async_trait]
impl S3 for ObjectStore {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let wanted = request.input.if_match.clone();
        let answer = self.files.get_object(request).await?;
        match (wanted, &answer.output.e_tag) {
            (Some(ETagCondition::ETag(wanted)), Some(etag)) if wanted != *etag => Err(s3_error!(PreconditionFailed)),
            _ => Ok(answer),
        }
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.files.put_object(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.files.delete_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = self.folder.join(&request.input.bucket);
        let mut answer = self.files.list_objects_v2(request).await?;
        for object in answer.output.contents.iter_mut().flatten() {
            let content = std::fs::read(bucket.join(object.key.as_deref().unwrap())).unwrap();
            object.e_tag = Some(ETag::Strong(hex(Md5::digest(content))));
        }
        Ok(answer)
    }
}
