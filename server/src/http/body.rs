//! Request bodies, read whole within a size and a time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Largest body of the token endpoint, in bytes.
pub const TOKEN_LIMIT: usize = 16 * 1024;
/// Largest body elsewhere, in bytes.
pub const LIMIT: usize = 64 * 1024;
/// Time for a body to arrive.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// Larger than allowed, by its own account or as it came.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke off.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    use http_body::Body as _;
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(DEADLINE, Limited::new(body, limit).collect()).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}
